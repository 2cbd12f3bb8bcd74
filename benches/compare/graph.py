#!/usr/bin/env python3
"""Walks over a graph of a million edges by recursive queries: skep against DuckDB.

Usage: graph.py --skep PATH [--edges 1000000] [--threads 2] [--memory-limit 256MiB] [--runs 2] [--engines skep,duckdb]

Run it with a Python that has duckdb. Two graphs are made as Parquet: `random`, whose edges join nodes at random, so
that nearly all are one component, and `small`, of components of ten nodes. `reach` asks which nodes a node is
connected with, `components` gives every node the least node of its component. Printed are wall seconds (best
run), peak resident MiB of skep's process and the answers, which must be equal.
"""
import argparse, os, shutil, subprocess, sys, tempfile, time

EDGES = "e2(x, y) AS (SELECT a, b FROM e UNION ALL SELECT b, a FROM e)"
QUERIES = [
    ("reach", "random", f"WITH RECURSIVE {EDGES}, r(n) AS (SELECT CAST(1 AS INT) UNION SELECT y FROM r JOIN e2 ON x = r.n) SELECT count(*) FROM r"),
    ("components", "small", f"WITH RECURSIVE {EDGES}, r(n, c) AS (SELECT x, x FROM e2 UNION SELECT y, c FROM r JOIN e2 ON x = r.n WHERE c < y)"
     " SELECT count(*), count(DISTINCT c), sum(c) FROM (SELECT n, min(c) AS c FROM r GROUP BY n) AS l"),
]


def make(con, folder, edges):
    con.execute("select setseed(0.5)")
    nodes = edges * 2 // 5
    con.execute(f"copy (select (random() * {nodes})::int as a, (random() * {nodes})::int as b from range({edges})) to '{folder}/random.parquet'")
    con.execute(f"copy (select (g * 10 + floor(random() * 10))::int as a, (g * 10 + floor(random() * 10))::int as b from range({edges // 10}) r(g), range(10))"
                f" to '{folder}/small.parquet'")


def skep(args, path, sql):
    """Seconds, peak MiB, the answer's one row."""
    command = [args.skep, "--threads", str(args.threads), "--memory-limit", args.memory_limit, "--format", "csv", "-t", f"e={path}", sql]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(process.stderr.read())
    return time.perf_counter() - start, usage.ru_maxrss // 1024, out.split("\n")[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skep", required=True)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", default="256MiB")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--engines", default="skep,duckdb")
    args = parser.parse_args()
    import duckdb
    folder = tempfile.mkdtemp(prefix="graph")
    con = duckdb.connect()
    con.execute(f"set threads={args.threads}")
    make(con, folder, args.edges)
    for name, graph, sql in QUERIES:
        path, times, answers, peak = f"{folder}/{graph}.parquet", {}, {}, 0
        for _ in range(args.runs):
            for engine in args.engines.split(","):
                if engine == "skep":
                    seconds, mib, answer = skep(args, path, sql)
                    peak = max(peak, mib)
                else:
                    con.execute(f"create or replace view e as select * from '{path}'")
                    start = time.perf_counter()
                    answer = ",".join(map(str, con.execute(sql).fetchone()))
                    seconds = time.perf_counter() - start
                times[engine] = min(seconds, times.get(engine, seconds))
                answers[engine] = answer
        shown = ", ".join(f"{engine} {seconds:.2f} s" for engine, seconds in times.items())
        print(f"{name:10} {graph:7} {shown}, skep's peak {peak} MiB, {'equal' if len(set(answers.values())) == 1 else 'DIFFERENT'}: {answers}", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
