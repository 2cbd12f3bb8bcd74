#!/usr/bin/env python3
"""Writes parts of testdata/: make.py queries|answers|hive|odd|layout. Called by make.sh, which makes the environments.

queries  TPC-H's 22 texts, Q11's fraction for scale 0.01
answers  DuckDB's answers to them as CSV; NULL is written as NULL, floats in full
hive     partitioned tables as Hive leaves them: escapes, a NULL partition, files to be ignored
odd      small files that are unusual in one way each
layout   the same keys laid out in several ways; the folders spark_* there are written by Spark itself (spark.sql)
"""
import csv, datetime, decimal, glob, math, os, shutil, sys

HERE = os.path.dirname(os.path.abspath(__file__))
SCALE = 0.01


def queries():
    import duckdb
    from duckdb_extensions import import_extension

    import_extension("tpch")
    con = duckdb.connect()
    con.load_extension("tpch")
    out = fresh(f"{HERE}/tpch/queries")
    for number, text in con.sql("select query_nr, query from tpch_queries()").fetchall():
        if number == 11:  # the specification's fraction is 0.0001 / scale factor
            text = text.replace("0.0001000000", f"{0.0001 / SCALE:.10f}")
        with open(f"{out}/q{number:02d}.sql", "w") as f:
            f.write(text)


def answers():
    import duckdb

    con = duckdb.connect()
    for path in sorted(glob.glob(f"{HERE}/tpch/*.parquet")):
        con.execute(f"create view {os.path.basename(path)[:-8]} as select * from read_parquet('{path}')")
    out = fresh(f"{HERE}/tpch/answers")
    for path in sorted(glob.glob(f"{HERE}/tpch/queries/*.sql")):
        answer = con.execute(open(path).read())
        with open(f"{out}/{os.path.basename(path)[:-4]}.csv", "w", newline="") as f:
            writer = csv.writer(f, lineterminator="\n")
            writer.writerow([column[0] for column in answer.description])
            writer.writerows([["NULL" if v is None else v for v in row] for row in answer.fetchall()])


def hive():
    import pyarrow as pa

    root = fresh(f"{HERE}/hive/sales")
    number = 0
    for year in (2023, 2024):
        for month in ("01", "02", "12", None):
            rows = range(number, number + 4)
            number += 4
            folder = f"{root}/year={year}/month={month or '__HIVE_DEFAULT_PARTITION__'}"
            table = pa.table(
                {
                    "id": pa.array(rows, pa.int64()),
                    "item": pa.array([("hat", "coat", "scarf", None)[i % 4] for i in rows], pa.string()),
                    "amount": pa.array([decimal.Decimal(i * 125).scaleb(-2) for i in rows], pa.decimal128(10, 2)),
                }
            )
            write(table, f"{folder}/part-00000.parquet")
    open(f"{root}/_SUCCESS", "w").close()
    with open(f"{root}/year=2024/month=01/.hidden.parquet", "wb") as f:
        f.write(b"a reader that opens this fails")
    root = fresh(f"{HERE}/hive/events")
    for number, kind in enumerate(["click", "a%2Fb", "50%25 off", "__HIVE_DEFAULT_PARTITION__"]):
        table = pa.table({"id": pa.array([number * 2, number * 2 + 1], pa.int32())})
        write(table, f"{root}/kind={kind}/part-00000.parquet")


def layout():
    import pyarrow as pa, pyarrow.parquet as pq, random

    root = f"{HERE}/layout"
    os.makedirs(root, exist_ok=True)
    random.seed(7)
    ascending = [pq.SortingColumn(0)]

    def table(keys):
        return pa.table({"k": pa.array(keys, pa.int64()), "v": pa.array([f"v{k % 13}" if k is not None else None for k in keys])})

    keys = [i // 2 for i in range(2000)]
    # In key order, and said to be.
    pq.write_table(table(keys), f"{root}/sorted.parquet", row_group_size=100, sorting_columns=ascending)
    # The same keys, in row groups that do not line up with those of the file above.
    pq.write_table(table([i * 3 for i in range(400)]), f"{root}/straddling.parquet", row_group_size=37)
    # Row groups do not overlap but are shuffled inside.
    disjoint = []
    for start in range(0, 2000, 100):
        group = keys[start : start + 100]
        random.shuffle(group)
        disjoint += group
    pq.write_table(table(disjoint), f"{root}/disjoint.parquet", row_group_size=100)
    # The same file, which says that it is sorted.
    pq.write_table(table(disjoint), f"{root}/false_order.parquet", row_group_size=100, sorting_columns=ascending)
    shuffled = keys[:]
    random.shuffle(shuffled)
    pq.write_table(table(shuffled), f"{root}/heap.parquet", row_group_size=100)
    # In key order with NULLs in some row groups.
    some = [None if i % 150 == 7 else i // 2 for i in range(2000)]
    pq.write_table(table(some), f"{root}/nulls.parquet", row_group_size=100)
    # Spark's buckets with the numbers of two files exchanged.
    false = fresh(f"{root}/false_buckets")
    for path in sorted(glob.glob(f"{root}/spark_orders/*.parquet")):
        name = os.path.basename(path)
        other = name.replace("_00001.", "_00002.") if "_00001." in name else name.replace("_00002.", "_00001.")
        shutil.copy(path, f"{false}/{other}")
    # Two Hive-partitioned tables on the same column.
    for name, count in (("by_day", 5), ("by_day_too", 7)):
        folder = fresh(f"{root}/{name}")
        for day in range(count):
            rows = range(day * 10, day * 10 + 4)
            part = pa.table({"n": pa.array(rows, pa.int32())})
            os.makedirs(f"{folder}/day=2024-01-{day + 1:02}")
            pq.write_table(part, f"{folder}/day=2024-01-{day + 1:02}/part-0.parquet")


def odd():
    import pyarrow as pa

    out = fresh(f"{HERE}/odd")
    write(pa.table({"id": pa.array([], pa.int64()), "name": pa.array([], pa.string())}), f"{out}/empty.parquet")
    nothing = [None] * 5
    write(
        pa.table({"a": pa.array(nothing, pa.int32()), "b": pa.array(nothing, pa.string()), "c": pa.array(nothing, pa.float64())}),
        f"{out}/nulls.parquet",
    )
    nested = pa.table(
        {
            "id": pa.array([1, 2, 3, 4], pa.int32()),
            "tags": pa.array([["a", "b"], [], None, ["c", None]], pa.list_(pa.string())),
            "point": pa.array(
                [{"x": 1, "y": 1.5}, {"x": 2, "y": None}, None, {"x": 4, "y": -0.5}],
                pa.struct([("x", pa.int64()), ("y", pa.float64())]),
            ),
            "attrs": pa.array([[("k", 1)], [], None, [("k", 2), ("l", None)]], pa.map_(pa.string(), pa.int32())),
        }
    )
    write(nested, f"{out}/nested.parquet")
    moments = [datetime.datetime(2024, 2, 29, 12, 34, 56, 789012), datetime.datetime(1969, 12, 31, 23, 59, 59), None]
    write(pa.table({"id": pa.array([1, 2, 3], pa.int32()), "at": pa.array(moments, pa.timestamp("us"))}),
          f"{out}/int96.parquet", use_deprecated_int96_timestamps=True)
    rows = range(1000)
    write(
        pa.table({"id": pa.array(rows, pa.int64()), "word": pa.array([f"word{i % 7}" for i in rows], pa.string()),
                  "v": pa.array([None if i % 10 == 3 else i / 4 for i in rows], pa.float64())}),
        f"{out}/row_groups.parquet", row_group_size=10,
    )
    write(pa.table({"ID": pa.array([1, 2], pa.int32()), "Name": pa.array(["Ann", "Bob"]), "CamelCase": pa.array([True, None])}),
          f"{out}/upper.parquet")
    D = decimal.Decimal
    write(
        pa.table(
            {
                "id": pa.array([1, 2, 3, 4], pa.int32()),
                "flag": pa.array([True, False, None, True], pa.bool_()),
                "tiny": pa.array([-128, 127, None, 0], pa.int8()),
                "small": pa.array([-32768, 32767, None, 0], pa.int16()),
                "whole": pa.array([-(2**31), 2**31 - 1, None, 0], pa.int32()),
                "big": pa.array([-(2**63), 2**63 - 1, None, 0], pa.int64()),
                "real": pa.array([1.5, math.inf, None, -0.0], pa.float32()),
                "double": pa.array([0.1, math.nan, None, -0.0], pa.float64()),
                "dec9": pa.array([D("1.25"), D("-9999999.99"), None, D("0.00")], pa.decimal128(9, 2)),
                "dec18": pa.array([D("12345678901234.5678"), D("-0.0001"), None, D("0")], pa.decimal128(18, 4)),
                "dec38": pa.array([D("1234567890123456789012345678.0123456789"), D("-0.5"), None, D("0")], pa.decimal128(38, 10)),
                "day": pa.array([datetime.date(1970, 1, 1), datetime.date(1600, 2, 29), None, datetime.date(2038, 1, 19)], pa.date32()),
                "moment": pa.array(moments[:2] + [None, datetime.datetime(2000, 1, 1)], pa.timestamp("us")),
                "instant": pa.array(moments[:2] + [None, datetime.datetime(2000, 1, 1)], pa.timestamp("us", tz="UTC")),
                "text": pa.array(["plain", 'comma, "quote"\nline', None, "żółć 🐝"], pa.string()),
                "bytes": pa.array([b"\x00\xff", b"", None, b"abc"], pa.binary()),
            }
        ),
        f"{out}/types.parquet",
    )
    write(pa.table({"id": pa.array([1, 2], pa.int64()), "name": pa.array(["old", "older"])}), f"{out}/evolved/1.parquet")
    write(pa.table({"extra": pa.array([2.5], pa.float64()), "name": pa.array(["new"]), "id": pa.array([3], pa.int64())}),
          f"{out}/evolved/2.parquet")
    write(pa.table({"id": pa.array([1], pa.int64()), "v": pa.array([1], pa.int32())}), f"{out}/conflict/1.parquet")
    write(pa.table({"id": pa.array([2], pa.int64()), "v": pa.array(["one"], pa.string())}), f"{out}/conflict/2.parquet")
    whole = open(f"{out}/row_groups.parquet", "rb").read()
    with open(f"{out}/truncated.parquet", "wb") as f:
        f.write(whole[: len(whole) // 2])
    with open(f"{out}/not_parquet.parquet", "w") as f:
        f.write("id,name\n1,this is a CSV file under a wrong name\n")


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def write(table, path, **options):
    import pyarrow.parquet as pq

    os.makedirs(os.path.dirname(path), exist_ok=True)
    pq.write_table(table, path, **options)


if __name__ == "__main__":
    {"queries": queries, "answers": answers, "hive": hive, "odd": odd, "layout": layout}[sys.argv[1]]()
