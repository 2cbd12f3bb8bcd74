#!/usr/bin/env bash
# Makes everything under testdata/ again, byte for byte where the writers allow it.
# Usage: testdata/make.sh [ENV_DIR]   (ENV_DIR keeps the Python environments; default target/testdata-env)
set -euo pipefail
cd "$(dirname "$0")/.."
env=${1:-target/testdata-env}
mkdir -p "$env"
[ -x "$env/peers/bin/tpchgen-cli" ] || {
  python3 -m venv "$env/peers"
  "$env/peers/bin/pip" install -q duckdb==2.0.0 pyarrow==26.0.1 tpchgen-cli==4.0.0
}
# The TPC-H query texts come with DuckDB's tpch extension, which PyPI has for 1.5.5.
[ -x "$env/gen/bin/python" ] || {
  python3 -m venv "$env/gen"
  "$env/gen/bin/pip" install -q duckdb==1.5.5 duckdb-extensions==1.5.5 duckdb-extension-tpch==1.5.5
}
"$env/peers/bin/tpchgen-cli" parquet -s 0.01 --output-dir testdata/tpch -q
"$env/gen/bin/python" testdata/make.py queries
"$env/peers/bin/python" testdata/make.py answers
"$env/peers/bin/python" testdata/make.py hive
"$env/peers/bin/python" testdata/make.py odd
# The folders testdata/layout/spark_* are what Spark 4.3 leaves of testdata/spark.sql in its warehouse.
"$env/peers/bin/python" testdata/make.py layout
du -sh testdata
