"""Writing lineitem to Parquet: skep's COPY against DuckDB's and Polars' sink, each in a process of its
own, in turns. Wall and CPU seconds, peak memory, bytes written.

    python benches/compare/write.py DATA_DIR OUT_DIR [--skep target/release/skep] [--runs 3]

Reads DATA_DIR/lineitem.parquet; OUT_DIR is emptied after each run. The last rows are skep alone:
32 sorted buckets within 2 GiB, and one directory for each of many values within 512 MiB.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time

DUCKDB = "import duckdb; duckdb.sql(\"COPY (SELECT * FROM '{src}') TO '{out}/d.parquet' (FORMAT parquet, COMPRESSION {codec})\")"
POLARS = "import polars as pl; pl.scan_parquet('{src}').sink_parquet('{out}/p.parquet', compression='{codec}'{level})"


def run(command, out):
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    start = time.time()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.time() - start
    if status != 0:
        sys.exit(f"failed: {command}")
    size = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(out) for name in names)
    files = sum(len(names) for _, _, names in os.walk(out))
    shutil.rmtree(out, ignore_errors=True)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, size / 2**20, files


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--skep", default="target/release/skep")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    source, out = os.path.join(args.data, "lineitem.parquet"), os.path.join(args.out, "written")

    def skep(options, *more):
        sql = f"COPY (SELECT * FROM '{source}') TO '{out}/s' ({options})"
        return [args.skep, *more, "-e", sql]

    cases = []
    for codec, level in [("snappy", ""), ("zstd", ", compression_level=3")]:
        python = lambda text: [sys.executable, "-c", text.format(src=source, out=out, codec=codec, level=level)]
        cases += [(f"skep {codec}", skep(f"COMPRESSION {codec}")), (f"DuckDB {codec}", python(DUCKDB)),
                  (f"Polars {codec}", python(POLARS))]
    buckets = "COMPRESSION zstd, CLUSTER BY (l_orderkey) INTO 32 BUCKETS, SORT BY (l_orderkey)"
    cases.append(("skep zstd, 32 sorted buckets, 2 GiB", skep(buckets, "--memory-limit", "2GiB")))
    cases.append(("skep partitions of l_suppkey, 512 MiB", skep("PARTITION BY (l_suppkey)", "--memory-limit", "512MiB")))
    best = {}
    for _ in range(args.runs):
        for name, command in cases:
            found = run(command, out)
            best[name] = min(best.get(name, found), found, key=lambda one: one[1])
    print(f"{'':40} wall s  CPU s  MiB peak  MiB written  files")
    for name, (wall, cpu, memory, size, files) in best.items():
        print(f"{name:40} {wall:6.1f} {cpu:6.1f} {memory:9.0f} {size:12.0f} {files:6}")


main()
