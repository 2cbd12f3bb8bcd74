"""Scans of lineitem as CSV and as JSON lines: skep against DuckDB, Polars and pyarrow, each run in a
process of its own, in turns. Wall and CPU seconds, peak memory; best of --runs by CPU seconds.

    python benches/compare/text.py DATA_DIR OUT_DIR [--skep target/release/skep] [--runs 3] [--only csv,q1]

Makes OUT_DIR/lineitem.csv (with a header) and OUT_DIR/lineitem.json from DATA_DIR/lineitem.parquet
with DuckDB, once. Types are those that each engine infers, except in the rows marked "typed", where
columns are declared. What engines answer is compared.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

COLUMNS = [
    ("l_orderkey", "BIGINT"), ("l_partkey", "BIGINT"), ("l_suppkey", "BIGINT"), ("l_linenumber", "INT"),
    ("l_quantity", "DECIMAL(15,2)"), ("l_extendedprice", "DECIMAL(15,2)"), ("l_discount", "DECIMAL(15,2)"),
    ("l_tax", "DECIMAL(15,2)"), ("l_returnflag", "STRING"), ("l_linestatus", "STRING"), ("l_shipdate", "DATE"),
    ("l_commitdate", "DATE"), ("l_receiptdate", "DATE"), ("l_shipinstruct", "STRING"), ("l_shipmode", "STRING"),
    ("l_comment", "STRING"),
]
ALL = ", ".join(f"count({name})" for name, _ in COLUMNS) + ", max(l_comment), max(l_shipdate)"
QUERIES = {
    "count": "SELECT count(*) FROM {t}",
    "one": "SELECT sum(l_orderkey) FROM {t}",
    "q6": "SELECT sum(l_extendedprice * l_discount) FROM {t} WHERE l_shipdate >= DATE '1994-01-01' AND "
          "l_shipdate < DATE '1995-01-01' AND l_quantity < 24",
    "q1": "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), sum(l_extendedprice * (1 - l_discount)), "
          "avg(l_quantity), count(*) FROM {t} WHERE l_shipdate <= DATE '1998-09-02' GROUP BY l_returnflag, l_linestatus "
          "ORDER BY l_returnflag, l_linestatus",
    "all": f"SELECT {ALL} FROM {{t}}",
}
POLARS = """
import polars as pl, sys
t = {scan}
d = pl.date
if {query!r} == 'count': r = t.select(pl.len())
elif {query!r} == 'one': r = t.select(pl.col('l_orderkey').sum())
elif {query!r} == 'q6':
    r = t.filter((pl.col('l_shipdate') >= d(1994, 1, 1)) & (pl.col('l_shipdate') < d(1995, 1, 1)) & (pl.col('l_quantity') < 24)) \\
        .select((pl.col('l_extendedprice') * pl.col('l_discount')).sum())
elif {query!r} == 'q1':
    r = t.filter(pl.col('l_shipdate') <= d(1998, 9, 2)).group_by('l_returnflag', 'l_linestatus').agg(
        pl.col('l_quantity').sum().alias('a'), pl.col('l_extendedprice').sum().alias('b'),
        (pl.col('l_extendedprice') * (1 - pl.col('l_discount'))).sum().alias('c'),
        pl.col('l_quantity').mean().alias('d'), pl.len().alias('e')).sort('l_returnflag', 'l_linestatus')
else:
    r = t.select([pl.col(c).count() for c in {names!r}] + [pl.col('l_comment').max().alias('x'), pl.col('l_shipdate').max().alias('y')])
for row in r.collect(engine='streaming').rows(): print(','.join(map(str, row)))
"""
PYARROW = """
import pyarrow.csv, pyarrow.json, pyarrow.compute as pc
t = pyarrow.{module}.read_{module}({path!r})
print(','.join([str(pc.count(t[c])) for c in {names!r}] + [str(pc.max(t['l_comment'])), str(pc.max(t['l_shipdate']))]))
"""


def run(command):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.time()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.time() - start
        out.seek(0), err.seek(0)
        if status != 0:
            sys.exit(f"failed: {command}\n{err.read().decode()[-2000:]}")
        return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, out.read().decode()


def numbers(text):
    """The answer's cells, numbers to six digits."""
    found = []
    for cell in text.replace("\n", ",").split(","):
        try:
            found.append(f"{float(cell):.6g}")
        except ValueError:
            found.append(cell.strip('"'))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--skep", default="target/release/skep")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    files = {kind: os.path.join(os.path.abspath(args.out), f"lineitem.{kind}") for kind in ("csv", "json")}
    for kind, path in files.items():
        if not os.path.exists(path):
            options = "HEADER true" if kind == "csv" else "FORMAT json"
            sql = f"COPY (FROM '{args.data}/lineitem.parquet') TO '{path}' ({options})"
            subprocess.run([sys.executable, "-c", f"import duckdb; duckdb.sql({sql!r})"], check=True)
    only = set(filter(None, args.only.split(",")))
    names = [name for name, _ in COLUMNS]
    declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS)
    warehouse = tempfile.mkdtemp(prefix="skep-text-")
    skep = [args.skep, "--format", "csv", "--no-header", "--warehouse", warehouse]
    for kind, path in files.items():
        folder = os.path.join(warehouse, "files", kind)
        os.makedirs(folder)
        os.symlink(path, os.path.join(folder, os.path.basename(path)))
        header = "OPTIONS (header true)" if kind == "csv" else ""
        run([*skep, "-e", f"CREATE TABLE typed_{kind} ({declared}) USING {kind} {header} LOCATION '{folder}'"])
    print(f"{'':14}{'engine':10}{'CPU s':>8}{'wall s':>8}{'MiB':>7}  ratio of CPU to the best rival's")
    results = []
    for kind, path in files.items():
        for query, sql in QUERIES.items():
            if only and not {kind, query} & only:
                continue
            types = {name: data_type.replace("STRING", "VARCHAR") for name, data_type in COLUMNS}
            read = f"read_csv('{path}')" if kind == "csv" else f"read_json('{path}')"
            typed = f"read_{kind}('{path}', columns={types!r})"
            duck = lambda table: [sys.executable, "-c", "import duckdb\nduckdb.sql('SET enable_progress_bar = false')\nfor row in duckdb.sql({!r}).fetchall(): "
                                  "print(','.join(map(str, row)))".format(sql.format(t=table))]
            scan = f"pl.scan_csv({path!r}, try_parse_dates=True)" if kind == "csv" else \
                f"pl.scan_ndjson({path!r}).with_columns(pl.col('l_shipdate').str.to_date())"
            commands = {
                "skep": [*skep, "-e", sql.format(t=f"'{path}'")],
                "skep typed": [*skep, "-e", sql.format(t=f"typed_{kind}")],
                "DuckDB": duck(read),
                "DuckDB typ": duck(typed),
                "Polars": [sys.executable, "-c", POLARS.format(scan=scan, query=query, names=names)],
            }
            if query == "all":
                commands["pyarrow"] = [sys.executable, "-c", PYARROW.format(module=kind, path=path, names=names)]
            best, answers = {}, {}
            for _ in range(args.runs):
                for engine, command in commands.items():
                    found = run(command)
                    answers[engine] = numbers(found[3])
                    best[engine] = min(best.get(engine, found[:3]), found[:3])
            rival = min(cpu for engine, (cpu, _, _) in best.items() if not engine.startswith("skep"))
            for engine, (cpu, wall, memory) in best.items():
                same = "" if answers[engine] == answers["DuckDB"] else "  ANOTHER ANSWER"
                ratio = f"{cpu / rival:.2f}" if engine.startswith("skep") else ""
                print(f"{kind + ' ' + query:14}{engine:10}{cpu:8.2f}{wall:8.2f}{memory:7.0f}  {ratio}{same}", flush=True)
                results.append([kind, query, engine, cpu, wall, memory])
    if args.json:
        with open(args.json, "w") as out:
            json.dump(results, out)


main()
