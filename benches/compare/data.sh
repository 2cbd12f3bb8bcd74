#!/usr/bin/env bash
# Makes TPC-H as Parquet and its query texts. Usage: data.sh DIR SCALE   (tables in DIR/tpchSCALE, texts in DIR/queries/tpchSCALE)
set -euo pipefail
dir=${1:?usage: data.sh DIR SCALE} scale=${2:?usage: data.sh DIR SCALE}
"$(dirname "$0")/setup.sh" "$dir" >/dev/null
[ -e "$dir/tpch$scale/lineitem.parquet" ] || "$dir/peers/bin/tpchgen-cli" parquet -s "$scale" --output-dir "$dir/tpch$scale" -q
"$dir/gen/bin/python" - "$dir/queries/tpch$scale" "$scale" <<'PY'
import os, sys
import duckdb
from duckdb_extensions import import_extension
out, scale = sys.argv[1:]
import_extension("tpch")
con = duckdb.connect()
con.load_extension("tpch")
os.makedirs(out, exist_ok=True)
for number, text in con.sql("select query_nr, query from tpch_queries()").fetchall():
    if number == 11:  # the specification's fraction is 0.0001 / scale factor
        text = text.replace("0.0001000000", f"{0.0001 / float(scale):.10f}")
    with open(f"{out}/q{number:02d}.sql", "w") as f:
        f.write(text)
PY
echo "$dir/tpch$scale"
