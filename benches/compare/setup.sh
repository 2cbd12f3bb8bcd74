#!/usr/bin/env bash
# Makes the Python environments of the comparison under DIR. Usage: setup.sh DIR
#   peers: the engines compared with, at the versions that figures are quoted for, and tpchgen-cli
#   gen:   DuckDB 1.5.5 with its tpch extension, which has TPC-H's query texts
set -euo pipefail
dir=${1:?usage: setup.sh DIR}
mkdir -p "$dir"
[ -x "$dir/peers/bin/tpchgen-cli" ] || {
  python3 -m venv "$dir/peers"
  "$dir/peers/bin/pip" install -q duckdb==2.0.0 polars==2.1.0 datafusion==55.0.0 chdb==4.4.0 pyarrow==26.0.1 tpchgen-cli==4.0.0
}
[ -x "$dir/gen/bin/python" ] || {
  python3 -m venv "$dir/gen"
  "$dir/gen/bin/pip" install -q duckdb==1.5.5 duckdb-extensions==1.5.5 duckdb-extension-tpch==1.5.5
}
echo "environments ready under $dir"
