#!/usr/bin/env python3
"""Random queries over small tables: skep's answers against DuckDB's.

Usage: differential.py (--suite PATH | --skep PATH) [--queries 1000] [--seed 1] [--set NAME=VALUE]... [--depth N]
                       [--workers 2] [--stop-after 20] [--pass-over TEXT]... [--keep DIR] [--show] [--timeout 60]

Run it with a Python that has duckdb. --suite is `target/release/examples/suite`; --skep is the command,
a process a query, for a build without the example. `generator.py` makes the queries and says what they have;
they are of forms that Spark SQL and DuckDB mean alike. A query on which the two differ, or that skep alone
refuses, is made smaller as long as that stays true, and printed with both answers; of errors with the same text
only the first. The seed of a query is printed with it: `--seed N --queries 1` makes it again. Every worker has
a DuckDB and a skep of its own and takes every N-th seed. --pass-over leaves out differences with TEXT in them,
for errors that are known. Exit status 1 where anything differed.

Known differences, all by design, are in the answers' comparison (doubles by 1e-9) or kept out of the
queries: division by zero, overflow, averages of decimals, casts that fail or round (DuckDB rounds where Spark
cuts), LIMIT over ties, two windows whose orders leave rows equal, grouping sets over no rows, positions of
`substring` that are not positive, backslashes.
"""
import argparse, csv, datetime, math, multiprocessing, os, random, re, shutil, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from generator import DUCKDB, SPARK, SQL_TYPE, TABLES, TYPES, WORDS, Maker, Node
from run import Engine
from tpcds import Command


def make_tables(con, folder, seed):
    """Small tables with NULLs, repeated keys and an empty one, as Parquet; their columns."""
    chance, tables = random.Random(seed), {}
    # Timestamps of this zone are points in time in the files, as Spark's are.
    con.execute("set timezone = 'UTC'")
    for at in range(TABLES):
        kinds = ["int", "int", *(chance.choice(TYPES) for _ in range(chance.randint(1, 3)))]
        if at + 1 == TABLES:
            kinds = ["int", "str", "date", "ts", "bool", "big"]
        letter = {"dec": "x", "dbl": "f", "bool": "p", "ts": "t", "big": "b"}
        columns = [(f"{letter.get(kind, kind[0])}{n}{at}", kind) for n, kind in enumerate(kinds)]
        con.execute(f"create table t{at} ({', '.join(f'{name} {SQL_TYPE[kind]}' for name, kind in columns)})")
        for _ in range([0, 3, 8, 15, 30, 12][at]):
            row = []
            for _, kind in columns:
                if chance.random() < 0.2:
                    row.append(None)
                elif kind in ("int", "big"):
                    row.append(chance.randint(0, 6))
                elif kind == "str":
                    row.append(chance.choice(WORDS))
                elif kind == "dec":
                    row.append(chance.randint(0, 500) / 100)
                elif kind == "date":
                    row.append(f"2024-0{chance.randint(1, 4)}-1{chance.randint(0, 3)}")
                elif kind == "ts":
                    row.append(f"2024-0{chance.randint(1, 4)}-1{chance.randint(0, 3)} 0{chance.randint(0, 3)}:00:{chance.randint(10, 12)}")
                elif kind == "bool":
                    row.append(chance.random() < 0.5)
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
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value)


def same(a, b):
    if a == b:
        return True
    if a.endswith("Z"):
        return a[:-1].removesuffix(".000000") == b
    try:
        return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(float(a)) and math.isnan(float(b)))
    except ValueError:
        return False


def key(row):
    def cell(value):
        if value.endswith("Z"):
            value = value[:-1].removesuffix(".000000")
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

    def difference(self, root, ordered):
        """None where both agree or DuckDB refuses; otherwise what is the matter."""
        try:
            theirs = [[text(value) for value in row] for row in self.con.execute(root.sql(DUCKDB)).fetchall()]
        except Exception as error:
            self.refused = str(error)
            return None
        self.refused = None
        query, answer = f"{self.folder}/query.sql", f"{self.folder}/answer.csv"
        with open(query, "w") as f:
            f.write(root.sql(SPARK))
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
        if not ordered:
            ours, theirs = sorted(ours, key=key), sorted(theirs, key=key)
        for a, b in zip(ours, theirs):
            if len(a) != len(b) or not all(map(same, a, b)):
                return f"skep {a}, DuckDB {b}"
        return None

    def smaller(self, root, found, ordered):
        """The query with every piece replaced by a simpler one, as long as the two differ in the same way."""
        wanted, tries, progress = sort_of(found), 0, True
        while progress and tries < 600 and "took more" not in found:
            progress = False
            for parent, at in list(root.nodes()):
                node = parent.parts[at]
                if not isinstance(node, Node):
                    continue
                for simple in node.simpler:
                    parent.parts[at] = simple if isinstance(simple, Node) else Node(simple)
                    tries += 1
                    now = self.difference(root, ordered)
                    if now and sort_of(now) == wanted:
                        found, progress = now, True
                        break
                    parent.parts[at] = node
                if progress or tries >= 600:
                    break
        return found


def sort_of(found):
    """What two differences have in common that have the same cause: the text of an error without its names."""
    return re.sub(r"'[^']*'|[0-9.]+", "", found) if found.startswith("skep:") else "rows"


def work(args, at, results):
    """A worker: every N-th seed, each answered with what came of it."""
    folder = os.path.join(args.keep, str(at))
    os.makedirs(folder, exist_ok=True)
    bench, met = Bench(args, folder), set()
    for seed in range(args.seed + at, args.seed + args.queries, args.workers):
        maker = Maker(seed, bench.tables, args.depth)
        root = Node(maker.statement())
        shown = f"-- {seed}\n{root.sql()};" if args.show else None
        found = bench.difference(root, maker.ordered)
        report = None
        if found and any(known in found for known in args.pass_over):
            bench.refused = "passed over: " + next(known for known in args.pass_over if known in found)
        if found and not bench.refused:
            sort = sort_of(found)
            report = f"-- seed {seed}: {found}"
            if sort == "rows" or sort not in met:
                met.add(sort)
                found = bench.smaller(root, found, maker.ordered)
                report += f"\n   {found}\n{root.sql()};\n"
                if root.sql() != root.sql(DUCKDB):
                    report += f"-- DuckDB: {root.sql(DUCKDB)};\n"
        results.put((shown, bench.refused, report))
    bench.skep.close()
    results.put(None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite")
    parser.add_argument("--skep")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tables-seed", type=int, default=7)
    parser.add_argument("--depth", type=int, help="levels of subqueries; by default one to three, as the seed says")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--stop-after", type=int, default=20)
    parser.add_argument("--pass-over", action="append", default=[])
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--keep", help="a directory for the tables")
    parser.add_argument("--show", action="store_true", help="print every query")
    args = parser.parse_args()
    if not args.suite and not args.skep:
        parser.error("--suite or --skep is needed")
    kept = args.keep
    args.keep = kept or tempfile.mkdtemp(prefix="differential")
    results, start = multiprocessing.Queue(), time.time()
    workers = [multiprocessing.Process(target=work, args=(args, at, results), daemon=True) for at in range(args.workers)]
    for worker in workers:
        worker.start()
    compared, refused, differing, ended = 0, {}, 0, 0
    while ended < len(workers) and differing < args.stop_after:
        result = results.get()
        if result is None:
            ended += 1
            continue
        shown, refusal, report = result
        if shown:
            print(shown, flush=True)
        if refusal:
            reason = re.sub(r"\d+", "n", refusal.split("\n")[0])[:100]
            refused[reason] = refused.get(reason, 0) + 1
            continue
        compared += 1
        if report:
            differing += 1
            print(report, flush=True)
    for worker in workers:
        worker.terminate()
    if not kept:
        shutil.rmtree(args.keep, ignore_errors=True)
    rate = compared / (time.time() - start)
    print(f"{compared} queries compared, {differing} differ; left out or refused by DuckDB {sum(refused.values())}; {rate:.0f} a second")
    for reason, count in sorted(refused.items(), key=lambda item: -item[1])[:8]:
        print(f"   {count:5} {reason}")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
