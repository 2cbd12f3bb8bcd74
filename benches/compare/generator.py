"""Random typed queries that Spark SQL and DuckDB mean alike, each from one seed.

A query is a tree of [`Node`]s, so that it can be made smaller piece by piece, and is spelled for one of two
dialects: a part that is a pair is Spark's spelling and DuckDB's. Queries have joins of all kinds (outer, semi,
anti, USING, LATERAL, comma), derived tables, VALUES, CTEs (plain and recursive), subqueries correlated over any
number of levels, IN over tuples, nested set operations, grouping sets, aggregates with DISTINCT, FILTER and
order, windows with ROWS, RANGE and GROUPS frames and IGNORE NULLS, QUALIFY, DISTINCT, ORDER BY with
LIMIT, over integers of two widths, decimals, doubles, dates, timestamps, strings and booleans with NULLs.
"""
import random, re

TABLES = 6
TYPES = ["int", "int", "int", "str", "dec", "date", "dbl", "big", "ts", "bool"]
SQL_TYPE = {"int": "INT", "big": "BIGINT", "str": "VARCHAR(9)", "dec": "DECIMAL(7,2)", "date": "DATE", "dbl": "DOUBLE",
            "ts": "TIMESTAMP", "bool": "BOOLEAN"}
WORDS = ["", "a", "b", "ab", "ba", "B", "abc", "zz", "ä"]
SPARK, DUCKDB = 0, 1
ORDERS = (" ASC NULLS FIRST", " DESC NULLS LAST", " ASC NULLS LAST", " DESC NULLS FIRST")


class Node:
    """A piece of SQL: texts, pairs of texts by dialect, and nodes; and what it may be replaced by when a query
    is made smaller."""

    def __init__(self, *parts, simpler=()):
        self.parts, self.simpler = list(parts), list(simpler)

    def sql(self, dialect=SPARK):
        spell = lambda part: part if isinstance(part, str) else part[dialect] if isinstance(part, tuple) else part.sql(dialect)
        return "".join(map(spell, self.parts))

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
        self.chance, self.tables = random.Random(seed), tables
        self.depth = self.chance.choice([1, 2, 2, 3]) if depth is None else depth
        self.aliases, self.ctes, self.ordered = 0, [], False

    def one(self, *choices):
        return self.chance.choice(choices)

    def maybe(self, probability):
        return self.chance.random() < probability

    def kind(self):
        return self.chance.choice(TYPES)

    def kinds(self, most):
        return [self.kind() for _ in range(self.chance.randint(1, most))]

    def alias(self):
        self.aliases += 1
        return f"r{self.aliases}"

    # Values

    def constant(self, kind):
        if self.maybe(0.08):
            return f"CAST(NULL AS {SQL_TYPE[kind]})"
        number = lambda: str(self.chance.randint(0, 6)) if self.maybe(0.9) else f"(-{self.chance.randint(1, 3)})"
        day = lambda: f"2024-0{self.chance.randint(1, 4)}-1{self.chance.randint(0, 3)}"
        if kind == "int":
            return number()
        if kind == "big":
            return f"CAST({number()} AS BIGINT)"
        if kind == "str":
            return f"'{self.chance.choice(WORDS)}'"
        if kind == "dec":
            return f"CAST({self.chance.randint(0, 500) / 100:.2f} AS DECIMAL(7,2))"
        if kind == "date":
            return f"DATE '{day()}'"
        if kind == "ts":
            return f"TIMESTAMP '{day()} 0{self.chance.randint(0, 3)}:00:{self.chance.randint(10, 12)}'"
        if kind == "dbl":
            return f"CAST({self.one('0.5', '1.25', '-2', '0', '3')} AS DOUBLE)"
        return self.one("TRUE", "FALSE")

    def column(self, kind, scopes):
        """A column of the wanted type; of an outer query now and then."""
        levels = [scope for scope in scopes if any(c[1] == kind for relation in scope for c in relation.columns)]
        if not levels:
            return None
        scope = levels[-1] if levels[-1] is scopes[-1] and self.maybe(0.75) else self.chance.choice(levels)
        found = [(relation.alias, name) for relation in scope for name, type_ in relation.columns if type_ == kind]
        return ".".join(self.chance.choice(found))

    def simple(self, kind, scopes):
        return Node(self.column(kind, scopes) or self.constant(kind), simpler=[self.constant(kind)])

    def value(self, kind, scopes, depth):
        """An expression of the given type."""
        if kind == "bool" and self.maybe(0.7):
            return self.condition(scopes, depth)
        if depth <= 0 or self.maybe(0.45):
            return self.simple(kind, scopes) if self.maybe(0.85) else Node(self.constant(kind))
        a = lambda k=kind: self.value(k, scopes, depth - 1)
        form = self.chance.random()
        if form < 0.12:
            first, second = a(), a()
            return Node("coalesce(", first, ", ", second, ")", simpler=[first, second])
        if form < 0.26:
            first, second = a(), a()
            return Node("CASE WHEN ", self.condition(scopes, depth - 1), " THEN ", first, " ELSE ", second, " END", simpler=[first, second])
        if form < 0.31:
            first, second = a(), a()
            return Node("nullif(", first, ", ", second, ")", simpler=[first, second])
        if form < 0.36 and kind != "str":
            first, second = a(), a()
            return Node(self.one("greatest(", "least("), first, ", ", second, ")", simpler=[first, second])
        if form < 0.41:
            first, second = a(), a()
            name = self.kind()
            return Node("CASE ", self.simple(name, scopes), " WHEN ", self.constant(name), " THEN ", first, " WHEN ", self.simple(name, scopes),
                        " THEN ", second, " END", simpler=[first, second])
        if form < 0.56:
            return self.scalar(kind, scopes, depth - 1)
        return getattr(self, f"{kind}_function")(a, scopes) or self.simple(kind, scopes)

    def int_function(self, a, _):
        first = a()
        return self.one(
            # Small numbers: the product of many would overflow in one engine only.
            lambda: Node("(", first, self.one(" + ", " - "), a(), ")", simpler=[first]),
            lambda: Node("(", first, self.one(" + ", " - "), a(), ")", simpler=[first]),
            lambda: Node("(", first, f" * {self.chance.randint(-1, 2)})", simpler=[first]),
            lambda: Node("(", first, f" % {self.chance.randint(2, 4)})", simpler=[first]),
            lambda: Node("CAST((", first, (" DIV ", " // "), f"{self.chance.randint(2, 4)}) AS INT)", simpler=[first]),
            lambda: Node("abs(", first, ")", simpler=[first]),
            lambda: Node("(- ", first, ")", simpler=[first]),
            lambda: Node("CAST(", a("bool"), " AS INT)"),
            lambda: Node(self.one("length(", "ascii("), a("str"), ")"),
            lambda: Node("CAST(instr(", a("str"), ", ", a("str"), ") AS INT)"),
            lambda: Node("CAST(", self.one("year(", "month(", "day(", "quarter(", "dayofyear("), a("date"), ") AS INT)"),
            lambda: Node("CAST(", self.one("hour(", "second(", "minute("), a("ts"), ") AS INT)"),
            lambda: Node(("CAST(datediff(", "CAST((SELECT x - y FROM (VALUES ("), a("date"), ", ", a("date"), (") AS INT)", ")) AS s(x, y)) AS INT)")),
            lambda: Node("CAST(", self.one("floor(", "ceil(", "round("), a(self.one("dec", "dbl")), ") AS INT)"),
        )()

    def big_function(self, a, _):
        first = a()
        return self.one(
            lambda: Node("CAST(", a("int"), " AS BIGINT)"),
            lambda: Node("(", first, self.one(" + ", " - "), a("int"), ")", simpler=[first]),
            lambda: Node("(", a("int"), " + ", first, ")", simpler=[first]),
            lambda: Node("(", first, f" * CAST({self.chance.randint(-1, 3)} AS BIGINT))", simpler=[first]),
            lambda: Node("(", first, self.one(" & ", " | "), a(), ")", simpler=[first]),
        )()

    def str_function(self, a, _):
        first = a()
        count = self.chance.randint(1, 3)
        return self.one(
            lambda: Node("(", first, " || ", a(), ")", simpler=[first]),
            lambda: Node("concat_ws(',', ", first, ", ", a(), ")", simpler=[first]),
            lambda: Node(self.one("upper(", "lower(", "trim(", "ltrim(", "rtrim(", "reverse("), first, ")", simpler=[first]),
            lambda: Node("substring(", first, f", {count}, 2)", simpler=[first]),
            lambda: Node(self.one("left(", "right("), first, f", {count})", simpler=[first]),
            lambda: Node(self.one("lpad(", "rpad("), first, f", {count}, 'xy')", simpler=[first]),
            lambda: Node("replace(", first, f", '{self.one('a', 'b', 'zz')}', '{self.one('', 'c', 'aa')}')", simpler=[first]),
            lambda: Node("translate(", first, ", 'ab', 'x')", simpler=[first]),
            lambda: Node("repeat(", first, f", {count - 1})", simpler=[first]),
            lambda: Node("CAST(", a(self.one("int", "big", "date", "dec", "bool")), " AS STRING)"),
        )()

    def dec_function(self, a, _):
        first = a()
        return self.one(
            lambda: Node("CAST(", a(self.one("int", "big")), " AS DECIMAL(7,2))"),
            lambda: Node("CAST((", first, self.one(" + ", " - "), a(), ") AS DECIMAL(7,2))", simpler=[first]),
            lambda: Node("CAST((", first, " * ", self.constant("dec"), ") AS DECIMAL(7,2))", simpler=[first]),
            lambda: Node("CAST(round(", first, ", 1) AS DECIMAL(7,2))", simpler=[first]),
            lambda: Node("abs(", first, ")", simpler=[first]),
            lambda: Node("(- ", first, ")", simpler=[first]),
        )()

    def dbl_function(self, a, _):
        first = a()
        return self.one(
            lambda: Node("(", first, self.one(" + ", " - ", " * "), a(), ")", simpler=[first]),
            lambda: Node("CAST(", a(self.one("int", "dec", "big")), " AS DOUBLE)"),
            lambda: Node("(", a("int"), f" / {self.chance.randint(1, 4)})"),
            lambda: Node("sqrt(abs(", first, "))", simpler=[first]),
            lambda: Node("round(", first, ", 1)", simpler=[first]),
        )()

    def date_function(self, a, _):
        first = a()
        count = self.chance.randint(0, 3)
        return self.one(
            lambda: Node("(", first, self.one(" + ", " - "), f"{count})", simpler=[first]),
            lambda: Node(("date_add(", "("), first, (", ", " + "), Node("length(", a("str"), ")", simpler=["1"]), (")", "::INT)"), simpler=[first]),
            lambda: Node(("add_months(", "CAST("), first, (f", {count})", f" + INTERVAL {count} MONTH AS DATE)"), simpler=[first]),
            lambda: Node("last_day(", first, ")", simpler=[first]),
            lambda: Node(("trunc(", "CAST(date_trunc('month', "), first, (", 'MM')", ") AS DATE)"), simpler=[first]),
            lambda: Node("CAST(", a("ts"), " AS DATE)"),
        )()

    def ts_function(self, a, _):
        first = a()
        return self.one(
            lambda: Node("(", first, self.one(" + ", " - "), f"INTERVAL '{self.chance.randint(0, 3)}' {self.one('DAY', 'HOUR', 'MONTH')})", simpler=[first]),
            lambda: Node("date_trunc('", self.one("day", "hour", "month"), "', ", first, ")", simpler=[first]),
            lambda: Node("CAST(", a("date"), " AS TIMESTAMP)"),
        )()

    def bool_function(self, a, scopes):
        return self.condition(scopes, 1)

    def scalar(self, kind, scopes, depth):
        """A subquery of one row and one column."""
        relations, source = self.source(scopes, depth)
        inner = scopes + [relations]
        if self.maybe(0.55):
            call = self.aggregate(kind, inner, 0)
            where = self.where(inner, depth)
            return Node("(SELECT ", call, " FROM ", source, where, ")", simpler=[self.constant(kind)])
        value = self.column(kind, inner)
        where = self.where(inner, depth)
        # Without a column the rows are equal, and what folds to a constant would be a position.
        order = f" ORDER BY {value}{self.one(*ORDERS)}" if value else ""
        return Node("(SELECT ", value or self.constant(kind), " FROM ", source, where, order, " LIMIT 1)", simpler=[self.constant(kind)])

    def condition(self, scopes, depth):
        simpler = ["TRUE", "FALSE"]
        kind = self.kind()
        form = self.chance.random()
        if depth > 0 and form < 0.2:
            first, second = self.condition(scopes, depth - 1), self.condition(scopes, depth - 1)
            return Node("(", first, self.one(" AND ", " OR "), second, ")", simpler=[first, second, *simpler])
        if depth > 0 and form < 0.27:
            first = self.condition(scopes, depth - 1)
            return Node("(NOT ", first, ")", simpler=[first, *simpler])
        if depth > 0 and form < 0.42:
            return self.quantified(kind, scopes, depth - 1)
        first = self.value(kind, scopes, depth - 1) if kind != "bool" else self.simple(kind, scopes)
        if form < 0.49:
            return Node("(", first, self.one(" IS NULL)", " IS NOT NULL)"), simpler=simpler)
        if form < 0.55:
            choices = ", ".join(self.constant(kind) for _ in range(self.chance.randint(1, 3)))
            return Node("(", first, self.one(" IN (", " NOT IN ("), choices, "))", simpler=simpler)
        if form < 0.58:
            text = self.value("str", scopes, depth - 1)
            return Node("(", text, self.one(" LIKE ", " NOT LIKE "), self.one("'a%'", "'%b'", "'_'", "'%'", "''", "'a_'", "'%b%'"), ")", simpler=simpler)
        if form < 0.61 and kind == "bool":
            return Node("(", first, self.one(" IS TRUE)", " IS FALSE)", " IS NOT TRUE)", " IS NOT FALSE)"), simpler=simpler)
        if form < 0.61:
            text, other = self.simple("str", scopes), self.simple("str", scopes)
            return Node(self.one(("startswith(", "starts_with("), "contains(", ("endswith(", "ends_with(")), text, ", ", other, ")", simpler=simpler)
        second = self.value(kind, scopes, depth - 1) if kind != "bool" else self.simple(kind, scopes)
        if form < 0.66:
            return Node("(", first, self.one(" BETWEEN ", " NOT BETWEEN "), second, " AND ", self.simple(kind, scopes), ")", simpler=simpler)
        if form < 0.71:
            return Node("(", first, self.one(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "), second, ")", simpler=simpler)
        operator = self.one(" = ", " = ", " = ", " <> ", " < ", " <= ", " > ", " >= ")
        return Node("(", first, operator, second, ")", simpler=simpler)

    def quantified(self, kind, scopes, depth):
        simpler = ["TRUE", "FALSE"]
        if self.maybe(0.4):
            query, _ = self.query(scopes, depth, [self.kind()])
            return Node(self.one("", "NOT "), "EXISTS (", query, ")", simpler=simpler)
        if self.maybe(0.15):
            kinds = [self.kind(), self.kind()]
            query, _ = self.query(scopes, depth, kinds)
            first = joined([self.simple(kind, scopes) for kind in kinds], ", ")
            return Node("((", first, self.one(") IN (", ") NOT IN ("), query, "))", simpler=simpler)
        query, _ = self.query(scopes, depth, [kind])
        first = self.value(kind, scopes, 0)
        if self.maybe(0.75):
            return Node("(", first, self.one(" IN (", " NOT IN ("), query, "))", simpler=simpler)
        # The parser takes no set operation that begins with a bracket behind ANY and ALL.
        return Node("(", first, self.one(" = ", " <> ", " < ", " >= "), self.one("ANY (", "ALL ("), "SELECT q.* FROM (", query, ") AS q))", simpler=simpler)

    def aggregate(self, kind, scopes, depth):
        """A call that gives the type. Its arguments are of the query that it stands in alone: an aggregate of
        outer columns would be the outer query's."""
        scopes = scopes[-1:]
        v = lambda k: self.value(k, scopes, depth)
        filter_ = optional(" FILTER (WHERE ", self.condition(scopes, depth), ")") if self.maybe(0.2) else Node("")
        distinct = self.one("", "", "", "DISTINCT ")
        least = self.one("min(", "max(")
        if kind == "int":
            return self.one(
                lambda: Node("count(*)", filter_),
                lambda: Node("count(", distinct, v(self.kind()), ")", filter_),
                lambda: Node("CAST(sum(", distinct, v("int"), ")", filter_, " AS INT)"),
                lambda: Node(("count_if(", "count(*) FILTER (WHERE "), self.condition(scopes, depth), ")"),
                lambda: Node(least, v("int"), ")", filter_),
            )()
        if kind == "big":
            return self.one(lambda: Node("sum(", distinct, v("int"), ")", filter_), lambda: Node(least, v("big"), ")", filter_),
                            lambda: Node("count(", distinct, v(self.kind()), ")", filter_))()
        if kind == "dbl":
            return self.one(
                lambda: Node("avg(", distinct, v("dbl"), ")", filter_),
                lambda: Node("avg(", distinct, v(self.one("int", "big")), ")", filter_),
                lambda: Node(least, v("dbl"), ")", filter_),
                lambda: Node(self.one("var_pop(", "stddev_pop("), v("int"), ")", filter_),
                lambda: Node("sum(", v("dbl"), ")", filter_),
                lambda: Node("CAST(median(", v("int"), ") AS DOUBLE)"),
                lambda: Node("percentile_cont(", self.one("0.5", "0.25"), ") WITHIN GROUP (ORDER BY ", v("dbl"), ")"),
            )()
        if kind == "bool":
            return Node(self.one("bool_and(", "bool_or(", "min(", "max("), v("bool"), ")", filter_)
        if kind == "dec" and self.maybe(0.5):
            return Node("CAST(sum(", distinct, v("dec"), ")", filter_, " AS DECIMAL(7,2))")
        if kind == "str" and self.maybe(0.4):
            value = copied(self.value("str", scopes, 0))
            if self.maybe(0.5):
                return Node(("listagg(", "string_agg("), value, (", ',') WITHIN GROUP (ORDER BY ", ", ',' ORDER BY "), copied(value), ")")
            return Node(("array_join(sort_array(collect_list(", "array_to_string(list_sort(coalesce(list("), value,
                        (")), '-')", f") FILTER (WHERE {value.sql(DUCKDB)} IS NOT NULL), [])), '-')"))
        return Node(least, v(kind), ")", filter_)

    # Relations

    def source(self, scopes, depth):
        """What stands in FROM: relations and text."""
        relation, node = self.table(scopes, depth)
        relations = [relation]
        while self.maybe(0.45) and len(relations) < 4:
            lateral = depth > 0 and self.maybe(0.12)
            right, text = self.table(scopes + [relations], depth, lateral=True) if lateral else self.table(scopes, depth)
            kind = self.one(" JOIN ", " JOIN ", " LEFT JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " CROSS JOIN ",
                            (" LEFT SEMI JOIN ", " SEMI JOIN "), (" LEFT ANTI JOIN ", " ANTI JOIN "))
            if lateral:
                kind = self.one(" CROSS JOIN ", " LEFT JOIN ")
            if kind == " CROSS JOIN ":
                node = Node(node, kind, text, simpler=[node, text])
                relations.append(right)
                continue
            using = [name for name, type_ in right.columns for other in relations[-1:] if (name, type_) in other.columns]
            if not lateral and len(relations) == 1 and using and self.maybe(0.4) and kind != " FULL JOIN ":
                node = Node(node, kind, text, f" USING ({self.chance.choice(using)})", simpler=[node, text])
            else:
                condition = Node("TRUE") if lateral else self.on(relations, right, kind)
                node = Node(node, kind, text, " ON ", condition, simpler=[node, text])
            if not isinstance(kind, tuple):
                relations.append(right)
        return relations, node

    def on(self, relations, right, kind):
        equal = []
        for _ in range(self.chance.randint(1, 2)):
            name, type_ = self.chance.choice(right.columns)
            left = self.column(type_, [relations])
            if left:
                both = f"{left} = {right.alias}.{name}" if self.maybe(0.9) else f"({left} IS NOT DISTINCT FROM {right.alias}.{name})"
                equal.append(Node(both, simpler=["TRUE"]))
        more = []
        # DuckDB has outer joins on anything, Spark too: but a full one without an equality is a product.
        if not equal or (kind != " FULL JOIN " and self.maybe(0.3)):
            more.append(self.condition_plain([relations + [right]]))
        return joined(equal + more, " AND ")

    def condition_plain(self, scopes):
        kind = self.kind()
        return Node("(", self.simple(kind, scopes), self.one(" = ", " < ", " >= ", " <> "), self.simple(kind, scopes), ")", simpler=["TRUE"])

    def table(self, scopes, depth, lateral=False):
        alias = self.alias()
        if lateral and self.maybe(0.25):
            kind = self.kind()
            items = joined([self.simple(kind, scopes) for _ in range(self.chance.randint(1, 3))], ", ")
            return Relation(alias, [("c0", kind)]), Node(("LATERAL (SELECT explode(array(", "LATERAL (SELECT unnest(["), items, (")) AS c0", "]) AS c0"), f") AS {alias}")
        if lateral or (depth > 0 and self.maybe(0.25)):
            # A derived table sees nothing of the query that it stands in, but LATERAL does.
            query, columns = self.query(scopes if lateral else [], depth - 1, self.kinds(3))
            return Relation(alias, columns), Node("LATERAL (" if lateral else "(", query, f") AS {alias}")
        if self.maybe(0.05):
            kinds = self.kinds(2)
            rows = ["(" + ", ".join(self.constant(kind) for kind in kinds) + ")" for _ in range(self.chance.randint(1, 3))]
            columns = [(f"c{at}", kind) for at, kind in enumerate(kinds)]
            return Relation(alias, columns), Node(f"(VALUES {', '.join(rows)}) AS {alias}({', '.join(name for name, _ in columns)})")
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
            left, columns = self.operand(scopes, depth - 1, kinds)
            right, _ = self.operand(scopes, depth - 1, kinds)
            operator = self.one(" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ", " INTERSECT ALL ", " EXCEPT ALL ")
            node = Node(left, operator, right, simpler=[left, right])
        else:
            node, columns = self.select(scopes, depth, kinds)
        if self.maybe(0.15):
            return Node(node, optional(self.order(len(kinds)), f" LIMIT {self.chance.randint(0, 5)}", self.one("", f" OFFSET {self.chance.randint(1, 2)}"))), columns
        return node, columns

    def operand(self, scopes, depth, kinds):
        if depth > 0 and self.maybe(0.2):
            query, columns = self.query(scopes, depth, kinds)
            return Node("(", query, ")"), columns
        return self.select(scopes, depth, kinds)

    def order(self, width):
        """All columns in ORDER BY: rows that LIMIT could choose between are equal."""
        return f" ORDER BY {', '.join(f'{at + 1}{self.one(*ORDERS)}' for at in range(width))}"

    def select(self, scopes, depth, kinds):
        relations, source = self.source(scopes, depth)
        inner = scopes + [relations]
        columns = [(f"c{at}", kind) for at, kind in enumerate(kinds)]
        where = self.where(inner, depth)
        form = self.chance.random()
        if form < 0.3:
            return Node("SELECT ", *self.grouped(inner, depth, columns, source, where)), columns
        qualify = Node("")
        if form < 0.45:
            # Rows that are equal get the numbers of one window in any order: two such windows may pair them in two ways.
            free, items = True, []
            for name, kind in columns:
                items.append(Node(self.window(kind, relations, free) or self.value(kind, inner, depth - 1), f" AS {name}"))
                free = free and self.tie_free
            rank = self.window("int", relations, free) if self.maybe(0.15) else None
            if rank:
                qualify = optional(" QUALIFY ", rank, self.one(" = ", " < ", " >= "), str(self.chance.randint(1, 4)))
        else:
            items = [Node(self.value(kind, inner, depth - 1), f" AS {name}") for name, kind in columns]
        distinct = optional("DISTINCT ") if self.maybe(0.15) else Node("")
        return Node("SELECT ", distinct, joined(items, ", "), " FROM ", source, where, qualify), columns

    def grouped(self, scopes, depth, columns, source, where):
        """A grouping: some columns are keys, the others aggregates."""
        aggregates = lambda: [Node(self.aggregate(kind, scopes, 0), f" AS {name}") for name, kind in columns]
        having = lambda: optional(" HAVING ", self.having(scopes, depth)) if self.maybe(0.25) else Node("")
        if self.maybe(0.25):
            return [joined(aggregates(), ", "), " FROM ", source, where, having()]
        keys, own = [], [scopes[-1]]
        for _ in range(self.chance.randint(1, 3)):
            kind = self.kind()
            found = self.column(kind, own)
            if found and (found, kind) not in keys:
                keys.append((found, kind))
        if not keys:
            return [joined(aggregates(), ", "), " FROM ", source, where, having()]
        items, values = [], []
        for name, kind in columns:
            fitting = [key for key, type_ in keys if type_ == kind]
            key = fitting and self.maybe(0.6)
            value = Node(self.chance.choice(fitting)) if key else self.aggregate(kind, scopes, 0)
            values.append(bool(key))
            items.append(Node(value, f" AS {name}"))
        form = self.chance.random()
        if form < 0.08 and any(values):
            return [joined(items, ", "), " FROM ", source, where, " GROUP BY ALL", having()]
        if form < 0.2:
            # Expressions as keys: they stand in SELECT as the same text or by their place.
            kinds = [kind for _, kind in columns]
            at = self.chance.randrange(len(kinds))
            made = copied(self.value(kinds[at], own, 1)) if kinds[at] != "bool" else Node(self.simple("bool", own).sql())
            if "SELECT" not in made.sql() and re.search(r"\br[0-9]+\.", made.sql()):
                items = aggregates()
                items[at] = Node(made, f" AS {columns[at][0]}")
                by = str(at + 1) if self.maybe(0.5) else copied(made)
                return [joined(items, ", "), " FROM ", source, where, " GROUP BY ", by, having()]
        listed = ", ".join(key for key, _ in keys)
        plain = Node(" GROUP BY ", listed)
        if form < 0.6:
            return [joined(items, ", "), " FROM ", source, where, plain, having()]
        if form < 0.7:
            by = Node(f" GROUP BY ROLLUP ({listed})", simpler=[plain])
        elif form < 0.8:
            by = Node(f" GROUP BY CUBE ({listed})", simpler=[plain])
        elif form < 0.86 and len(keys) > 1:
            by = Node(f" GROUP BY {keys[0][0]}, ROLLUP ({', '.join(key for key, _ in keys[1:])})", simpler=[plain])
        else:
            sets = ["(" + ", ".join(key for key, _ in keys if self.maybe(0.6)) + ")" for _ in range(self.chance.randint(1, 3))] + [f"({listed})"]
            by = Node(f" GROUP BY GROUPING SETS ({', '.join(dict.fromkeys(sets))})", simpler=[plain])
        if self.maybe(0.3):
            at = self.chance.randrange(len(columns))
            if columns[at][1] == "int":
                items[at] = Node(f"CAST(grouping({self.chance.choice(keys)[0]}) AS INT) AS {columns[at][0]}")
        # Over no rows the set of nothing has a row in DuckDB and none in Spark.
        return [joined(items, ", "), " FROM ", source, where, by, " HAVING count(*) > 0"]

    def having(self, scopes, depth):
        kind = self.kind()
        call = self.aggregate(kind, scopes, 0)
        if depth > 0 and self.maybe(0.2):
            query, _ = self.query([], depth - 1, [kind])
            return Node("(", call, self.one(" IN (", " NOT IN ("), query, "))", simpler=["count(*) > 1"])
        if self.maybe(0.2):
            return Node("(", call, self.one(" IS NULL)", " IS NOT NULL)"), simpler=["count(*) > 1"])
        return Node("(", call, self.one(" = ", " < ", " >= ", " <> "), self.constant(kind), ")", simpler=["count(*) > 1"])

    def window(self, kind, relations, by_row):
        """A window function; only with `by_row` one that tells rows apart that its order leaves equal."""
        self.tie_free, own = True, [relations]
        value = lambda k=kind: copied(self.value(k, own, 0) if k != "bool" else self.simple(k, own))
        # Rows that the order leaves equal are equal in all that is read: every column is in the order.
        everything = [f"{relation.alias}.{name}" for relation in relations for name, type_ in relation.columns if type_ != "dbl"]
        if not everything or any(type_ == "dbl" for relation in relations for _, type_ in relation.columns):
            return None
        self.chance.shuffle(everything)
        order = ", ".join(f"{name}{self.one(*ORDERS)}" for name in everything)
        by = f"PARTITION BY {self.chance.choice(everything)} " if self.maybe(0.6) else ""
        frame = self.one("", "", " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING",
                         " ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING", " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                         " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", " ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING")
        constant = [self.constant(kind)]
        # Frames over peers and distances: every function in them is of all rows of the frame.
        numbers = [f"{relation.alias}.{name}" for relation in relations for name, type_ in relation.columns if type_ in ("int", "big")]
        if not by_row or self.maybe(0.3):
            shift = self.chance.randint(0, 2)
            start, end = self.one(("UNBOUNDED PRECEDING", f"{shift} FOLLOWING"), (f"{shift} PRECEDING", "CURRENT ROW"), (f"{shift + 1} PRECEDING", f"{shift} FOLLOWING"),
                                  (f"{shift} FOLLOWING", f"{shift + 1} FOLLOWING"), ("CURRENT ROW", "UNBOUNDED FOLLOWING"))
            ordered = f"{self.chance.choice(numbers)}{self.one(*ORDERS)}" if numbers else None
            unit = "RANGE"
            if not numbers or self.maybe(0.4):
                unit, ordered = "GROUPS", ", ".join(order.split(", ")[: self.chance.randint(1, 2)])
            over = f" OVER ({by}ORDER BY {ordered} {unit} BETWEEN {start} AND {end})"
            call = self.one("min(", "max(")
            if kind == "int":
                return Node(self.one("CAST(count(*)", Node("CAST(sum(", value(), ")"), Node("CAST(", call, value(), ")")), over, " AS INT)", simpler=constant)
            return Node(call, value(), ")", over, simpler=constant)
        if kind == "dbl" and self.maybe(0.5):
            order = ", ".join(order.split(", ")[: self.chance.randint(1, 2)])
            return Node(self.one("percent_rank()", "cume_dist()"), f" OVER ({by}ORDER BY {order})", simpler=constant)
        if kind == "int" and self.maybe(0.5):
            call = self.one("row_number()", "rank()", "dense_rank()", "ntile(3)")
            if call in ("rank()", "dense_rank()"):
                order = ", ".join(order.split(", ")[: self.chance.randint(1, 2)])
            else:
                self.tie_free = False
            return Node(f"CAST({call} OVER ({by}ORDER BY {order}) AS INT)", simpler=constant)
        self.tie_free = False
        nulls = self.maybe(0.25)
        ignore = (") IGNORE NULLS", " IGNORE NULLS)") if nulls else ")"
        if self.maybe(0.3):
            return Node(self.one("lag", "lead"), "(", value(), f", {self.chance.randint(0, 2)}", ignore, f" OVER ({by}ORDER BY {order})", simpler=constant)
        if kind in ("int", "dec") and self.maybe(0.5):
            call = Node("count(*)") if kind == "int" and self.maybe(0.4) else Node("sum(", value(), ")")
            return Node("CAST(", call, f" OVER ({by}ORDER BY {order}{frame}) AS {SQL_TYPE[kind]})", simpler=constant)
        call = self.one("min(", "max(", "first_value(", "last_value(", "nth_value(")
        if call in ("min(", "max("):
            ignore = ")"
        place = ", 2" if call == "nth_value(" else ""
        return Node(call, value(), place, ignore, f" OVER ({by}ORDER BY {order}{frame})", simpler=constant)

    def recursive(self, at):
        """A CTE that counts up from a query's numbers, beside the rows of a table now and then."""
        query, _ = self.query([], self.depth - 1, ["int"])
        name, table = f"w{at}", self.chance.choice(sorted(self.tables))
        most = self.chance.randint(2, 5)
        ints = [column for column, kind in self.tables[table] if kind == "int"]
        step = f"SELECT {name}.c0 + 1, {name}.c1 + 1 FROM {name} WHERE {name}.c0 < 5 AND {name}.c1 < {most}"
        if self.maybe(0.5) and ints:
            column = self.chance.choice(ints)
            step = f"SELECT DISTINCT s.{column}, {name}.c1 + 1 FROM {name} JOIN {table} AS s ON s.{column} = {name}.c0 + 1 WHERE {name}.c1 < {most}"
        union = self.one(" UNION ALL ", " UNION ")
        if self.maybe(0.5):
            query = Node("SELECT DISTINCT c0 FROM (", query, ") AS b")
        return Node(f"{name}(c0, c1) AS (SELECT CAST(q.c0 AS INT), 0 FROM (", query, ") AS q", union, step, ")"), [("c0", "int"), ("c1", "int")]

    def statement(self):
        listed, recursive = [], False
        for at in range(self.chance.choice([0, 0, 0, 1, 2])):
            if self.maybe(0.15):
                node, columns = self.recursive(at)
                recursive = True
            else:
                query, columns = self.query([], self.depth - 1, self.kinds(3))
                node = Node(f"w{at} AS (", query, ")")
            listed.append((f"w{at} AS ", node))
            self.ctes.append((f"w{at}", columns))
        kinds = self.kinds(4)
        if self.maybe(0.2):
            query, _ = self.select([], self.depth, kinds)
            query, self.ordered = Node(query, self.order(len(kinds))), True
        else:
            query, _ = self.query([], self.depth, kinds)
        # DuckDB does not look at a CTE that nobody reads.
        kept, text_ = [], query.sql()
        for name, node in reversed(listed):
            if name in text_:
                kept.insert(0, node)
                text_ += node.sql()
        return Node("WITH RECURSIVE " if recursive else "WITH ", joined(kept, ", "), " ", query) if kept else Node(query)


def copied(node):
    """The text of a node for both dialects, so that it can stand at two places that must stay equal."""
    return Node((node.sql(SPARK), node.sql(DUCKDB)))
