#!/usr/bin/env python3
"""Another engine behind the line protocol of run.py: peer.py ENGINE DATA_DIR.

Reads `QUERY_FILE` or `QUERY_FILE<tab>ANSWER_FILE` lines, runs the query once, answers with one
line of JSON: wall_s, cpu_s, rows, peak_mib, or error. THREADS says how many threads to use.
An answer file is CSV with NULL as NULL; with `-` for its name rows are let go as they come, where the
engine has a way to (DuckDB, Polars). Tables are the Parquet files of DATA_DIR, and the directories of
them (DuckDB, Polars), Hive's directories included. DUCKDB_NULL_ORDER is DuckDB's default_null_order.
"""
import csv, glob, json, os, resource, sys, time

name, data = sys.argv[1], os.path.abspath(sys.argv[2])
threads = int(os.environ.get("THREADS", "2"))
files = {os.path.basename(p)[:-8]: p for p in sorted(glob.glob(f"{data}/*.parquet"))}
folders = {os.path.basename(p[:-1]): p + "**/*.parquet" for p in sorted(glob.glob(f"{data}/*/"))}


def duckdb_runner():
    import duckdb

    con = duckdb.connect()
    con.execute(f"set threads={threads}")
    if order := os.environ.get("DUCKDB_NULL_ORDER"):
        con.execute(f"set default_null_order='{order}'")
    for table, path in files.items():
        con.execute(f"create view {table} as select * from read_parquet('{path}')")
    for table, path in folders.items():
        hive = "=" in os.path.relpath(glob.glob(path, recursive=True)[0], data)
        con.execute(f"create view {table} as select * from read_parquet('{path}', hive_partitioning={hive})")

    def run(sql, discard):
        if not discard:
            return con.sql(sql).to_arrow_table()
        return sum(batch.num_rows for batch in con.sql(sql).to_arrow_reader(8192))

    return run


def datafusion_runner():
    import datafusion
    import pyarrow as pa

    con = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(threads))
    for table, path in files.items():
        con.register_parquet(table, path)

    def run(sql, discard):
        for statement in (s for s in sql.split(";") if s.strip()):
            frame = con.sql(statement)
            batches = frame.collect()
        return pa.Table.from_batches(batches, schema=None if batches else frame.schema())

    return run


def polars_runner():
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars

    con = polars.SQLContext()
    for table, path in files.items():
        con.register(table, polars.scan_parquet(path))
    for table, path in folders.items():
        hive = "=" in os.path.relpath(glob.glob(path, recursive=True)[0], data)
        con.register(table, polars.scan_parquet(path, hive_partitioning=hive))

    def run(sql, discard):
        frame = con.execute(sql.strip().rstrip(";"))
        if not discard:
            return frame.collect(engine="streaming").to_arrow()
        return sum(batch.height for batch in frame.collect_batches(engine="streaming"))

    return run


def chdb_runner():
    from chdb import session
    import pyarrow as pa

    con = session.Session()
    con.query("create database if not exists d engine=Atomic")
    for table, path in files.items():
        con.query(f"create view d.{table} as select * from file('{path}', Parquet)")
    con.query("use d")
    settings = f" settings max_threads={threads}, join_use_nulls=1, schema_inference_make_columns_nullable=0"

    def run(sql, discard):
        answer = con.query(sql.strip().rstrip(";") + settings, "ArrowStream").bytes()
        return pa.ipc.open_stream(answer).read_all()

    return run


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# The peers may print; answers go to the descriptor that was standard output.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
run = {"duckdb": duckdb_runner, "datafusion": datafusion_runner, "polars": polars_runner, "chdb": chdb_runner}[name]()
for line in sys.stdin:
    query, _, answer = line.rstrip("\n").partition("\t")
    try:
        sql = open(query).read()
        cpu0, wall0 = cpu(), time.perf_counter()
        table = run(sql, answer == "-")
        wall, used = time.perf_counter() - wall0, cpu() - cpu0
        rows = table if isinstance(table, int) else table.num_rows
        reply = {"wall_s": round(wall, 4), "cpu_s": round(used, 4), "rows": rows,
                 "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
        if answer not in ("", "-"):
            with open(answer, "w", newline="") as f:
                writer = csv.writer(f)
                writer.writerow(table.column_names)
                writer.writerows(["NULL" if v is None else v for v in row] for row in zip(*(c.to_pylist() for c in table.columns)))
    except BaseException as error:  # a peer's panic included
        reply = {"error": str(error).replace("\n", " ")[:200]}
    print(json.dumps(reply), file=answers, flush=True)
