#!/usr/bin/env python3
"""Random queries over small tables: skep's answers against DuckDB's.

Usage: differential.py (--suite PATH | --skep PATH) [--queries 1000] [--seed 1] [--set NAME=VALUE]... [--depth 3]
                       [--stop-after 20] [--keep DIR] [--show] [--timeout 20]

Run it with a Python that has duckdb. --suite is `target/release/examples/suite`; --skep is the command,
a process a query, for a build without the example. The queries are typed and
made of joins of all kinds, derived tables, CTEs, LATERAL, subqueries correlated over any number of levels,
set operations, grouping sets, aggregates with DISTINCT and FILTER, windows, DISTINCT, ORDER BY with LIMIT;
only forms that Spark SQL and DuckDB mean alike. A query on which the two differ, or that skep alone refuses,
is made smaller as long as that stays true, and printed with both answers. The seed of a query is printed
with it: `--seed N --queries 1` makes it again. Exit status 1 where anything differed.

Known differences, all by design, are in the answers' comparison (doubles by 1e-9) or kept out of the
queries: division by zero, overflow, averages of decimals, casts that fail, LIMIT over ties, grouping sets
over no rows.
"""
import argparse, csv, math, os, random, re, shutil, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from run import Engine
from tpcds import Command

TABLES = 5
TYPES = ["int", "int", "int", "str", "dec", "date", "dbl"]
SQL_TYPE = {"int": "INT", "str": "VARCHAR(9)", "dec": "DECIMAL(7,2)", "date": "DATE", "dbl": "DOUBLE", "bool": "BOOLEAN"}
WORDS = ["", "a", "b", "ab", "ba", "B", "abc", "zz", "ä"]


class Node:
    """A piece of SQL: texts and nodes in turn, and what it may be replaced by when a query is made smaller."""

    def __init__(self, *parts, simpler=()):
        self.parts, self.simpler = list(parts), list(simpler)

    def sql(self):
        return "".join(part if isinstance(part, str) else part.sql() for part in self.parts)

    def nodes(self):
        """Every place of a node below this one, outermost first."""
        for at, part in enumerate(self.parts):
            if isinstance(part, Node):
                yield self, at
                yield from part.nodes()


def joined(nodes, between):
    parts = []
    for node in nodes:
        parts += [between, node] if parts else [node]
    return Node(*parts)


def optional(*parts):
    return Node(*parts, simpler=[""])


class Relation:
    def __init__(self, alias, columns):
        self.alias, self.columns = alias, columns


class Maker:
    """Makes one query from one seed."""

    def __init__(self, seed, tables, depth):
        self.chance, self.tables, self.depth = random.Random(seed), tables, depth
        self.aliases, self.ctes = 0, []

    def one(self, *choices):
        return self.chance.choice(choices)

    def maybe(self, probability):
        return self.chance.random() < probability

    def alias(self):
        self.aliases += 1
        return f"r{self.aliases}"

    # Values

    def constant(self, kind):
        if self.maybe(0.08):
            return f"CAST(NULL AS {SQL_TYPE[kind]})"
        if kind == "int":
            return str(self.chance.randint(0, 6)) if self.maybe(0.9) else f"(-{self.chance.randint(1, 3)})"
        if kind == "str":
            return f"'{self.chance.choice(WORDS)}'"
        if kind == "dec":
            return f"CAST({self.chance.randint(0, 500) / 100:.2f} AS DECIMAL(7,2))"
        if kind == "date":
            return f"DATE '2024-0{self.chance.randint(1, 4)}-1{self.chance.randint(0, 3)}'"
        if kind == "dbl":
            return f"CAST({self.chance.choice(['0.5', '1.25', '-2', '0', '3'])} AS DOUBLE)"
        return self.one("TRUE", "FALSE")

    def column(self, kind, scopes):
        """A column of the wanted type; of an outer query now and then."""
        levels = [scope for scope in scopes if any(c[1] == kind for relation in scope for c in relation.columns)]
        if not levels:
            return None
        scope = levels[-1] if levels[-1] is scopes[-1] and self.maybe(0.75) else self.chance.choice(levels)
        found = [(relation.alias, name) for relation in scope for name, type_ in relation.columns if type_ == kind]
        return ".".join(self.chance.choice(found))

    def value(self, kind, scopes, depth):
        """An expression of the given type."""
        if kind == "bool":
            return self.condition(scopes, depth)
        simple = lambda: Node(self.column(kind, scopes) or self.constant(kind), simpler=[self.constant(kind)])
        if depth <= 0 or self.maybe(0.5):
            return simple() if self.maybe(0.85) else Node(self.constant(kind))
        a = lambda k=kind: self.value(k, scopes, depth - 1)
        form = self.chance.random()
        if form < 0.15:
            first, second = a(), a()
            return Node("coalesce(", first, ", ", second, ")", simpler=[first, second])
        if form < 0.3:
            first, second = a(), a()
            return Node("CASE WHEN ", self.condition(scopes, depth - 1), " THEN ", first, " ELSE ", second, " END", simpler=[first, second])
        if form < 0.36:
            first, second = a(), a()
            return Node("nullif(", first, ", ", second, ")", simpler=[first, second])
        if form < 0.42 and kind != "str":
            first, second = a(), a()
            return Node(self.one("greatest(", "least("), first, ", ", second, ")", simpler=[first, second])
        if form < 0.58:
            return self.scalar(kind, scopes, depth - 1)
        if kind == "int":
            if form < 0.85:
                first, second = a(), a()
                # Small numbers: the product of many would overflow in one engine only.
                return Node("(", first, self.one(" + ", " - "), second, ")", simpler=[first, second])
            if form < 0.9:
                first = a()
                return Node("(", first, f" % {self.chance.randint(2, 4)})", simpler=[first])
            if form < 0.95:
                return Node("abs(", a(), ")")
            return Node(self.one("length(", "ascii("), a("str"), ")") if self.maybe(0.5) else Node(self.one("month(", "day("), a("date"), ")")
        if kind == "str":
            first, second = a(), a()
            return self.one(
                Node("(", first, " || ", second, ")", simpler=[first, second]),
                Node("upper(", first, ")", simpler=[first]),
                Node("substring(", first, ", 1, 2)", simpler=[first]),
                Node("trim(", first, ")", simpler=[first]),
            )
        if kind in ("dec", "dbl") and form < 0.8:
            first = a()
            if kind == "dbl":
                return Node("(", first, self.one(" + ", " - ", " * "), a(), ")", simpler=[first])
            return Node("CAST(", a("int"), " AS DECIMAL(7,2))", simpler=[first])
        return simple()

    def scalar(self, kind, scopes, depth):
        """A subquery of one row and one column."""
        if self.maybe(0.5) or kind == "bool":
            relations, source = self.source(scopes, depth)
            inner = scopes + [relations]
            call = self.aggregate(kind, inner, 0) or Node("max(", self.value(kind, inner[-1:], 0), ")")
            where = self.where(inner, depth)
            return Node("(SELECT ", call, " FROM ", source, where, ")", simpler=[self.constant(kind)])
        relations, source = self.source(scopes, depth)
        inner = scopes + [relations]
        value = self.value(kind, inner, 0)
        where = self.where(inner, depth)
        order = Node(" ORDER BY ", Node(value.sql()), self.one(" ASC NULLS FIRST", " DESC NULLS LAST", " ASC NULLS LAST", " DESC NULLS FIRST"))
        if not re.search(r"\br[0-9]+\.", value.sql()):
            # A constant would be a position; the rows are equal without an order, too.
            order = Node("")
        return Node("(SELECT ", Node(value.sql()), " FROM ", source, where, order, " LIMIT 1)", simpler=[self.constant(kind)])

    def condition(self, scopes, depth):
        simpler = ["TRUE", "FALSE"]
        kind = self.chance.choice(TYPES)
        form = self.chance.random()
        if depth > 0 and form < 0.2:
            first, second = self.condition(scopes, depth - 1), self.condition(scopes, depth - 1)
            return Node("(", first, self.one(" AND ", " OR "), second, ")", simpler=[first, second, *simpler])
        if depth > 0 and form < 0.27:
            first = self.condition(scopes, depth - 1)
            return Node("(NOT ", first, ")", simpler=[first, *simpler])
        if depth > 0 and form < 0.42:
            return self.quantified(kind, scopes, depth - 1)
        first = self.value(kind, scopes, depth - 1)
        if form < 0.5:
            return Node("(", first, self.one(" IS NULL)", " IS NOT NULL)"), simpler=simpler)
        if form < 0.56:
            choices = ", ".join(self.constant(kind) for _ in range(self.chance.randint(1, 3)))
            return Node("(", first, self.one(" IN (", " NOT IN ("), choices, "))", simpler=simpler)
        second = self.value(kind, scopes, depth - 1)
        if form < 0.62:
            return Node("(", first, " BETWEEN ", second, " AND ", self.value(kind, scopes, 0), ")", simpler=simpler)
        if form < 0.67:
            return Node("(", first, self.one(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "), second, ")", simpler=simpler)
        operator = self.one(" = ", " = ", " = ", " <> ", " < ", " <= ", " > ", " >= ")
        return Node("(", first, operator, second, ")", simpler=simpler)

    def quantified(self, kind, scopes, depth):
        simpler = ["TRUE", "FALSE"]
        if self.maybe(0.4):
            query, _ = self.query(scopes, depth, [self.chance.choice(TYPES)])
            return Node(self.one("", "NOT "), "EXISTS (", query, ")", simpler=simpler)
        query, _ = self.query(scopes, depth, [kind])
        first = self.value(kind, scopes, 0)
        if self.maybe(0.75):
            return Node("(", first, self.one(" IN (", " NOT IN ("), query, "))", simpler=simpler)
        return Node("(", first, self.one(" = ", " <> ", " < ", " >= "), self.one("ANY (", "ALL ("), query, "))", simpler=simpler)

    def aggregate(self, kind, scopes, depth):
        """A call that gives the type, or None. Its arguments are of the query that it stands in alone: an
        aggregate of outer columns would be the outer query's."""
        scopes = scopes[-1:]
        v = lambda k: self.value(k, scopes, depth)
        filter_ = optional(" FILTER (WHERE ", self.condition(scopes, depth), ")") if self.maybe(0.2) else Node("")
        distinct = self.one("", "", "", "DISTINCT ")
        if kind == "int":
            call = self.one(
                lambda: Node("count(*)"),
                lambda: Node("count(", distinct, v(self.chance.choice(TYPES)), ")"),
                lambda: Node("CAST(sum(", distinct, v("int"), ") AS INT)"),
                lambda: Node(self.one("min(", "max("), v("int"), ")"),
            )()
            # A filter goes behind the call, not behind the cast.
            return call if call.parts[0].startswith("CAST") else Node(call, filter_)
        if kind == "dbl":
            return Node(self.one("avg(", "min(", "max("), v("dbl"), ")", filter_)
        if kind in ("str", "date", "dec"):
            return Node(self.one("min(", "max("), v(kind), ")", filter_)
        return None

    # Relations

    def source(self, scopes, depth):
        """What stands in FROM: relations and text."""
        relation, node = self.table(scopes, depth)
        relations = [relation]
        while self.maybe(0.45) and len(relations) < 4:
            lateral = depth > 0 and self.maybe(0.12)
            right, text = self.table(scopes + [relations], depth, lateral=True) if lateral else self.table(scopes, depth)
            kind = self.one(" JOIN ", " JOIN ", " LEFT JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " CROSS JOIN ")
            if lateral:
                kind = self.one(" CROSS JOIN ", " LEFT JOIN ")
            if kind == " CROSS JOIN ":
                node = Node(node, kind, text, simpler=[node, text])
                relations.append(right)
                continue
            condition = Node("TRUE") if lateral else self.on(relations, right, kind)
            node = Node(node, kind, text, " ON ", condition, simpler=[node, text])
            relations.append(right)
        return relations, node

    def on(self, relations, right, kind):
        equal = []
        for _ in range(self.chance.randint(1, 2)):
            name, type_ = self.chance.choice(right.columns)
            left = self.column(type_, [relations])
            if left:
                equal.append(Node(f"{left} = {right.alias}.{name}", simpler=["TRUE"]))
        more = []
        # DuckDB has outer joins on anything, Spark too: but a full one without an equality is a product.
        if not equal or (kind != " FULL JOIN " and self.maybe(0.3)):
            more.append(self.condition_plain([relations + [right]]))
        return joined(equal + more, " AND ")

    def condition_plain(self, scopes):
        kind = self.chance.choice(TYPES)
        return Node("(", self.value(kind, scopes, 0), self.one(" = ", " < ", " >= ", " <> "), self.value(kind, scopes, 0), ")", simpler=["TRUE"])

    def table(self, scopes, depth, lateral=False):
        alias = self.alias()
        if lateral or (depth > 0 and self.maybe(0.25)):
            kinds = [self.chance.choice(TYPES) for _ in range(self.chance.randint(1, 3))]
            # A derived table sees nothing of the query that it stands in, but LATERAL does.
            query, columns = self.query(scopes if lateral else [], depth - 1, kinds)
            return Relation(alias, columns), Node("LATERAL (" if lateral else "(", query, f") AS {alias}")
        if self.ctes and self.maybe(0.3):
            name, columns = self.chance.choice(self.ctes)
            return Relation(alias, columns), Node(f"{name} AS {alias}")
        name = self.chance.choice(sorted(self.tables))
        return Relation(alias, self.tables[name]), Node(f"{name} AS {alias}")

    def where(self, scopes, depth):
        return optional(" WHERE ", self.condition(scopes, depth)) if self.maybe(0.7) else Node("")

    # Queries

    def query(self, scopes, depth, kinds):
        """A query with columns of the given types: text and named columns."""
        if depth > 0 and self.maybe(0.15):
            left, columns = self.select(scopes, depth - 1, kinds)
            right, _ = self.select(scopes, depth - 1, kinds)
            operator = self.one(" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ", " INTERSECT ALL ", " EXCEPT ALL ")
            node = Node(left, operator, right, simpler=[left])
            return node, columns
        node, columns = self.select(scopes, depth, kinds)
        if self.maybe(0.12) and "dbl" not in kinds:
            # All columns in ORDER BY: rows that LIMIT could choose between are equal.
            keys = ", ".join(f"{at + 1}{self.one(' ASC NULLS FIRST', ' DESC NULLS LAST', ' ASC NULLS LAST', ' DESC NULLS FIRST')}" for at in range(len(kinds)))
            return Node(node, optional(" ORDER BY ", keys, f" LIMIT {self.chance.randint(0, 5)}", self.one("", f" OFFSET {self.chance.randint(1, 2)}"))), columns
        return node, columns

    def select(self, scopes, depth, kinds):
        relations, source = self.source(scopes, depth)
        inner = scopes + [relations]
        names = [f"c{at}" for at in range(len(kinds))]
        columns = list(zip(names, kinds))
        where = self.where(inner, depth)
        form = self.chance.random()
        if form < 0.3:
            return Node("SELECT ", *self.grouped(inner, depth, columns, source, where)), columns
        if form < 0.42:
            items = [Node(self.window(kind, relations, inner) or self.value(kind, inner, depth - 1), f" AS {name}") for name, kind in columns]
        else:
            items = [Node(self.value(kind, inner, depth - 1), f" AS {name}") for name, kind in columns]
        distinct = optional("DISTINCT ") if self.maybe(0.15) else Node("")
        return Node("SELECT ", distinct, joined(items, ", "), " FROM ", source, where), columns

    def grouped(self, scopes, depth, columns, source, where):
        """A grouping: some columns are keys, the others aggregates."""
        if self.maybe(0.25):
            calls = [Node(self.aggregate(kind, scopes, 0) or Node("count(*) > 1"), f" AS {name}") for name, kind in columns]
            return [joined(calls, ", "), " FROM ", source, where]
        keys, own = [], [scopes[-1]]
        for _ in range(self.chance.randint(1, 3)):
            kind = self.chance.choice(TYPES)
            found = self.column(kind, own)
            if found and (found, kind) not in keys:
                keys.append((found, kind))
        if not keys:
            calls = [Node(self.aggregate(kind, scopes, 0), f" AS {name}") for name, kind in columns]
            return [joined(calls, ", "), " FROM ", source, where]
        items = []
        for name, kind in columns:
            fitting = [key for key, type_ in keys if type_ == kind]
            value = Node(self.chance.choice(fitting)) if fitting and self.maybe(0.6) else self.aggregate(kind, scopes, 0)
            items.append(Node(value, f" AS {name}"))
        listed = ", ".join(key for key, _ in keys)
        form = self.chance.random()
        plain = Node(" GROUP BY ", listed)
        if form < 0.6:
            by = plain
        elif form < 0.75:
            by = Node(f" GROUP BY ROLLUP ({listed})", simpler=[plain])
        elif form < 0.87:
            by = Node(f" GROUP BY CUBE ({listed})", simpler=[plain])
        else:
            sets = ["(" + ", ".join(key for key, _ in keys if self.maybe(0.6)) + ")" for _ in range(self.chance.randint(1, 3))] + [f"({listed})"]
            by = Node(f" GROUP BY GROUPING SETS ({', '.join(dict.fromkeys(sets))})", simpler=[plain])
        having = Node("")
        if form >= 0.6:
            # Over no rows the set of nothing has a row in DuckDB and none in Spark.
            having = Node(" HAVING count(*) > 0")
        elif self.maybe(0.25):
            having = optional(" HAVING ", self.one("count(*) > 1", "count(*) < 3", f"max({keys[0][0]}) IS NOT NULL", f"min({keys[0][0]}) IS NULL"))
        return [joined(items, ", "), " FROM ", source, where, by, having]

    def window(self, kind, relations, scopes):
        own = [relations]
        value = lambda: self.value(kind, own, 0).sql()
        # Rows that the order leaves equal are equal in all that is read: every column is in the order.
        everything = [f"{relation.alias}.{name}" for relation in relations for name, type_ in relation.columns if type_ != "dbl"]
        if not everything or any(type_ == "dbl" for relation in relations for _, type_ in relation.columns):
            return None
        self.chance.shuffle(everything)
        order = ", ".join(f"{name}{self.one(' ASC NULLS FIRST', ' DESC NULLS LAST', ' ASC NULLS LAST', ' DESC NULLS FIRST')}" for name in everything)
        by = f"PARTITION BY {self.chance.choice(everything)} " if self.maybe(0.6) else ""
        frame = self.one("", "", " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING",
                         " ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING", " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                         " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", " ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING")
        if kind == "int" and self.maybe(0.5):
            call = self.one("row_number()", "rank()", "dense_rank()", "ntile(3)")
            if call in ("rank()", "dense_rank()"):
                order = ", ".join(order.split(", ")[: self.chance.randint(1, 2)])
            return Node(f"CAST({call} OVER ({by}ORDER BY {order}) AS INT)", simpler=[self.constant(kind)])
        if self.maybe(0.3):
            shift = self.one("lag", "lead")
            return Node(f"{shift}({value()}, {self.chance.randint(0, 2)}) OVER ({by}ORDER BY {order})", simpler=[self.constant(kind)])
        if kind == "int" and self.maybe(0.5):
            call = self.one("count(*)", f"CAST(sum({value()})", f"count({value()})")
            end = " AS INT)" if call.startswith("CAST") else ""
            return Node(f"{call} OVER ({by}ORDER BY {order}{frame}){end}", simpler=[self.constant(kind)])
        call = self.one("min", "max", "first_value", "last_value")
        return Node(f"{call}({value()}) OVER ({by}ORDER BY {order}{frame})", simpler=[self.constant(kind)])

    def statement(self):
        listed = []
        for at in range(self.chance.choice([0, 0, 0, 1, 2])):
            kinds = [self.chance.choice(TYPES) for _ in range(self.chance.randint(1, 3))]
            query, columns = self.query([], self.depth - 1, kinds)
            listed.append((f"w{at} AS ", Node(f"w{at} AS (", query, ")")))
            self.ctes.append((f"w{at}", columns))
        kinds = [self.chance.choice(TYPES + ["bool"]) for _ in range(self.chance.randint(1, 4))]
        kinds = [kind if kind != "bool" else "int" for kind in kinds]
        query, _ = self.query([], self.depth, kinds)
        # DuckDB does not look at a CTE that nobody reads.
        kept, text_ = [], query.sql()
        for name, node in reversed(listed):
            if name in text_:
                kept.insert(0, node)
                text_ += node.sql()
        return Node("WITH ", joined(kept, ", "), " ", query) if kept else Node(query)


def make_tables(con, folder, seed):
    """Small tables with NULLs, repeated keys and an empty one, as Parquet; their columns."""
    chance, tables = random.Random(seed), {}
    for at in range(TABLES):
        kinds = ["int", "int", *(chance.choice(TYPES) for _ in range(chance.randint(1, 3)))]
        columns = [(f"{kind[0]}{n}", kind) for n, kind in enumerate(kinds)]
        columns = [(("x" if kind == "dec" else name[0]) + name[1:] + str(at), kind) for name, kind in columns]
        con.execute(f"create table t{at} ({', '.join(f'{name} {SQL_TYPE[kind]}' for name, kind in columns)})")
        for _ in range([0, 3, 8, 15, 30][at]):
            row = []
            for _, kind in columns:
                if chance.random() < 0.2:
                    row.append(None)
                elif kind == "int":
                    row.append(chance.randint(0, 6))
                elif kind == "str":
                    row.append(chance.choice(WORDS))
                elif kind == "dec":
                    row.append(chance.randint(0, 500) / 100)
                elif kind == "date":
                    row.append(f"2024-0{chance.randint(1, 4)}-1{chance.randint(0, 3)}")
                else:
                    row.append(chance.choice([0.5, 1.25, -2.0, 0.0, 3.0]))
            con.execute(f"insert into t{at} values ({', '.join('?' for _ in columns)})", row)
        con.execute(f"copy t{at} to '{folder}/t{at}.parquet' (format parquet)")
        tables[f"t{at}"] = columns
    return tables


def text(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def same(a, b):
    if a == b:
        return True
    try:
        return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(float(a)) and math.isnan(float(b)))
    except ValueError:
        return False


def key(row):
    def cell(value):
        try:
            return ("", round(float(value), 6))
        except ValueError:
            return (value, 0.0)
    return [cell(value) for value in row]


class Bench:
    """Both engines over the same tables."""

    def __init__(self, args, folder):
        import duckdb
        self.con = duckdb.connect()
        self.con.execute("set threads=1")
        self.con.execute("set default_null_order='nulls_first_on_asc_last_on_desc'")
        self.tables = make_tables(self.con, folder, args.tables_seed)
        self.folder = folder
        if args.skep:
            self.skep = Command(args.skep, folder, 2, args.timeout, args.set)
            return
        settings = [word for setting in args.set for word in ("--set", setting)]
        self.skep = Engine("skep", [args.suite, "--serve", "--data", folder, "--threads", "2", *settings], 2, args.timeout)

    def difference(self, sql):
        """None where both agree or DuckDB refuses; otherwise what is the matter."""
        try:
            theirs = [[text(value) for value in row] for row in self.con.execute(sql).fetchall()]
        except Exception as error:
            self.refused = str(error)
            return None
        self.refused = None
        query, answer = f"{self.folder}/query.sql", f"{self.folder}/answer.csv"
        with open(query, "w") as f:
            f.write(sql)
        if os.path.exists(answer):
            os.remove(answer)
        reply = self.skep.ask(f"{query}\t{answer}")
        if "error" in reply:
            return f"skep: {reply['error']}"
        with open(answer, newline="") as f:
            ours = list(csv.reader(f))[1:]
        # A row of one empty string is an empty line, which the reader passes over or gives as no cell.
        ours = [row or [""] for row in ours]
        if len(ours) != len(theirs):
            return f"skep {len(ours)} rows, DuckDB {len(theirs)}: {ours[:4]} for {theirs[:4]}"
        for a, b in zip(sorted(ours, key=key), sorted(theirs, key=key)):
            if len(a) != len(b) or not all(map(same, a, b)):
                return f"skep {a}, DuckDB {b}"
        return None

    def smaller(self, root, found):
        """The query with every piece replaced by a simpler one, as long as the two differ in the same way."""
        kind = lambda found: re.sub(r"'[^']*'|[0-9.]+", "", found) if found.startswith("skep:") else "rows"
        wanted, tries, progress = kind(found), 0, True
        while progress and tries < 600 and "took more" not in found:
            progress = False
            for parent, at in list(root.nodes()):
                node = parent.parts[at]
                if not isinstance(node, Node):
                    continue
                for simple in node.simpler:
                    parent.parts[at] = simple if isinstance(simple, Node) else Node(simple)
                    tries += 1
                    now = self.difference(root.sql())
                    if now and kind(now) == wanted:
                        found, progress = now, True
                        break
                    parent.parts[at] = node
                if progress or tries >= 600:
                    break
        return root.sql(), found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite")
    parser.add_argument("--skep")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tables-seed", type=int, default=7)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--stop-after", type=int, default=20)
    parser.add_argument("--timeout", type=float, default=20)
    parser.add_argument("--keep", help="a directory for the tables")
    parser.add_argument("--show", action="store_true", help="print every query")
    args = parser.parse_args()
    if not args.suite and not args.skep:
        parser.error("--suite or --skep is needed")
    folder = args.keep or tempfile.mkdtemp(prefix="differential")
    os.makedirs(folder, exist_ok=True)
    bench, compared, refused, differing = Bench(args, folder), 0, {}, 0
    for seed in range(args.seed, args.seed + args.queries):
        root = Node(Maker(seed, bench.tables, args.depth).statement())
        sql = root.sql()
        if args.show:
            print(f"-- {seed}\n{sql};", flush=True)
        found = bench.difference(sql)
        if bench.refused:
            reason = re.sub(r"\d+", "n", bench.refused.split("\n")[0])[:80]
            refused[reason] = refused.get(reason, 0) + 1
            continue
        compared += 1
        if found:
            differing += 1
            print(f"-- seed {seed}: {found}", flush=True)
            small, found = bench.smaller(root, found)
            print(f"   {found}\n{small};\n", flush=True)
            if differing >= args.stop_after:
                break
    bench.skep.close()
    if not args.keep:
        shutil.rmtree(folder)
    print(f"{compared} queries compared, {differing} differ; DuckDB refused {sum(refused.values())}")
    for reason, count in sorted(refused.items(), key=lambda item: -item[1])[:5]:
        print(f"   {count:5} {reason}")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
