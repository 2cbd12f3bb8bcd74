"""Round trips between skep and Spark: each reads what the other has written.

    pip install pyspark==4.3.0
    python tests/spark/roundtrip.py [--skep target/debug/skep] [--keep DIR]

Prints one line a check, and what differs; exits with 1 when anything that README.md does not list
differs. Needs Java 17 or later.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

from pyspark.sql import SparkSession

ODD = ["plain", "", "a/b", "a=b", "50%", "%2F", "it's", 'say "x"', "a:b?c*d", "[x]{y}^z", "back\\slash", "sp ace", "é漢字",
       "line\nbreak", "tab\there", "..", ".", "#hash", "__HIVE_DEFAULT_PARTITION__x", "~", "ends "]
failures = []


class Skep:
    def __init__(self, binary, warehouse):
        self.command = [binary, "--warehouse", warehouse]

    def run(self, sql, *options):
        done = subprocess.run([*self.command, *options, "-e", sql], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"skep: {sql}\n{done.stderr}")
        return done.stdout

    def rows(self, sql):
        return [list(json.loads(line).values()) for line in self.run(sql, "--format", "ndjson").splitlines()]


def check(name, good, told=""):
    print(("ok    " if good else "WRONG ") + name + ("" if good else f": {told}"), flush=True)
    if not good:
        failures.append(name)


def same(name, a, b, columns):
    """Equal as bags of rows; maps as sorted entries, since Spark does not compare maps."""
    plain = []
    for field in a.schema.fields:
        if field.name in columns:
            is_map = field.dataType.typeName() == "map"
            plain.append(f"array_sort(map_entries(`{field.name}`)) AS `{field.name}`" if is_map else f"`{field.name}`")
    a, b = a.selectExpr(*plain), b.selectExpr(*plain)
    types = [(x.name, x.dataType.simpleString(), y.dataType.simpleString())
             for x, y in zip(a.schema.fields, b.schema.fields) if x.dataType.simpleString() != y.dataType.simpleString()]
    check(f"{name}: types", not types, types)
    missing, more = a.exceptAll(b), b.exceptAll(a)
    told = f"{missing.take(3)} against {more.take(3)}"
    check(f"{name}: {a.count()} rows", missing.isEmpty() and more.isEmpty(), told)


TYPES = """
SELECT CAST(id AS INT) AS id,
  id % 3 = 0 AS b, CAST(id % 128 - 64 AS TINYINT) AS i8, CAST(id * 97 - 5000 AS SMALLINT) AS i16, CAST(hash(id) AS INT) AS i32,
  xxhash64(id) AS i64, CAST(id / 7 AS FLOAT) AS f32, CASE id WHEN 5 THEN double('NaN') WHEN 6 THEN double('-Infinity')
  WHEN 7 THEN -0.0D ELSE id / 3.0D END AS f64,
  CAST(id * 1.01 AS DECIMAL(5,2)) AS d5, CAST(id * -1234567.891 AS DECIMAL(18,3)) AS d18,
  CAST(id * 12345678901234567890.12345 AS DECIMAL(38,5)) AS d38,
  date_add(DATE '1582-10-15', CAST(id * 1700 AS INT)) AS day,
  timestamp_micros(id * 86399999999L - 5000000000000L) AS ts,
  CAST(timestamp_micros(id * 86399999999L) AS TIMESTAMP_NTZ) AS ntz,
  CASE WHEN id % 7 = 0 THEN NULL ELSE element_at(array({odd}), CAST(id % {n} AS INT) + 1) END AS s,
  CAST(concat('x', id) AS BINARY) AS bin,
  CASE WHEN id % 5 = 0 THEN NULL WHEN id % 5 = 1 THEN array() ELSE array(id, NULL, -id) END AS xs,
  CASE WHEN id % 6 = 0 THEN NULL ELSE named_struct('a', CAST(id AS INT), 'b', concat('s', id), 'c', array(named_struct('z', id))) END AS st,
  CASE WHEN id % 4 = 0 THEN NULL ELSE map(concat('k', id), id, 'other', NULL) END AS m,
  element_at(array({odd}), CAST(id % {n} AS INT) + 1) AS p, CAST(id % 3 AS INT) AS q
FROM range(200)
"""


def quoted(text):
    escapes = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t"}
    return "'" + "".join(escapes.get(c, c) for c in text) + "'"


def spark_writes(spark, skep, root):
    types = spark.sql(TYPES.format(odd=", ".join(map(quoted, ODD)), n=len(ODD)))
    names = types.columns
    types.write.parquet(f"{root}/types")
    types.write.partitionBy("q", "p").parquet(f"{root}/parts")
    types.write.bucketBy(8, "i32").sortBy("i32").option("path", f"{root}/buckets").saveAsTable("s_buckets")
    types.write.bucketBy(4, "s", "d18").option("path", f"{root}/pairs").partitionBy("q").saveAsTable("s_pairs")
    for name in ["types", "parts", "buckets", "pairs"]:
        skep.run(f"COPY (SELECT * FROM '{root}/{name}') TO '{root}/back_{name}'")
        theirs = types
        if name == "parts":
            # The directories name NULL what was the empty string.
            theirs = types.selectExpr(*[n for n in names if n != "p"], "nullif(p, '') AS p")
        same(f"skep reads Spark's {name}", theirs, spark.read.parquet(f"{root}/back_{name}").select(names), names)
    layout = skep.run(f"SHOW LAYOUT '{root}/buckets'")
    check("skep finds Spark's buckets", "8 buckets by Spark's hash" in layout, layout)
    return types


KEYS = [("i32", "INT"), ("i64", "BIGINT"), ("s", "STRING"), ("d18", "DECIMAL(18,3)"), ("d38", "DECIMAL(38,5)"), ("day", "DATE"),
        ("ts", "TIMESTAMP"), ("b", "BOOLEAN"), ("i16", "SMALLINT"), ("f64", "DOUBLE"), ("bin", "BINARY"), ("i8", "TINYINT")]


def has_exchange(plan):
    return "Exchange" in plan


def plan_of(rows):
    return rows._jdf.queryExecution().executedPlan().toString()


def columns_of(rows):
    return ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in rows.schema.fields)


# Text formats: what both write under the same options. The empty string is NULL in CSV; Spark writes
# milliseconds only and, unless told not to, values without the blanks around them.
TEXT = {
    "csv": ({"header": "true", "multiLine": "true", "lineSep": "\n"}, ["xs", "st", "m", "bin"],
            {"ignoreLeadingWhiteSpace": "false", "ignoreTrailingWhiteSpace": "false"}),
    "json": ({}, [], {}),
}


def text_formats(spark, skep, root, types, warehouse):
    for kind, (options, without, writing) in TEXT.items():
        names = [name for name in types.columns if name not in without]
        blank = (lambda name: f"nullif({name}, '') AS {name}" if name in "sp" else f"`{name}`") if kind == "csv" else \
            (lambda name: f"`{name}`")
        plain = types.selectExpr(*map(blank, names))
        millis = plain.selectExpr(*[f"date_trunc('MILLISECOND', {n}) AS {n}" if n == "ts" else
                                    f"CAST(date_trunc('MILLISECOND', {n}) AS TIMESTAMP_NTZ) AS {n}" if n == "ntz" else f"`{n}`"
                                    for n in names])
        millis.write.options(**options, **writing).format(kind).save(f"{root}/s_{kind}")
        said = ", ".join(f"'{name}' {quoted(value)}" for name, value in {**options, "path": f"{root}/s_{kind}"}.items())
        skep.run(f"CREATE TABLE s_{kind} ({columns_of(plain)}) USING {kind} OPTIONS ({said})")
        skep.run(f"COPY (SELECT * FROM s_{kind}) TO '{root}/back_{kind}'")
        same(f"skep reads Spark's {kind}", millis, spark.read.parquet(f"{root}/back_{kind}"), names)
        said = ", ".join(f"'{name}' {quoted(value)}" for name, value in options.items())
        said = f"OPTIONS ({said})" if said else ""
        skep.run(f"CREATE TABLE k_{kind} ({columns_of(plain)}) USING {kind} {said}")
        skep.run(f"INSERT INTO k_{kind} SELECT {', '.join(names)} FROM '{root}/types'")
        read = spark.read.schema(plain.schema).options(**options).format(kind).load(f"{warehouse}/k_{kind}")
        same(f"Spark reads skep's {kind}", plain, read, names)
    types.write.orc(f"{root}/s_orc")
    skep.run(f"COPY (SELECT * FROM orc.`{root}/s_orc`) TO '{root}/back_orc'")
    same("skep reads Spark's orc", types, spark.read.parquet(f"{root}/back_orc"), types.columns)


def skep_writes(spark, skep, root, types, warehouse):
    skep.run(f"CREATE TABLE plain AS SELECT * FROM '{root}/types'")
    same("Spark reads skep's table", types, spark.read.parquet(f"{warehouse}/plain"), types.columns)
    for codec in ["none", "snappy", "gzip", "zstd", "lz4_raw"]:
        skep.run(f"COPY (SELECT * FROM '{root}/types') TO '{root}/codec_{codec}' (COMPRESSION {codec}, ROW_GROUP_SIZE 50)")
        same(f"Spark reads skep's {codec}", types, spark.read.parquet(f"{root}/codec_{codec}"), types.columns)
    skep.run(f"CREATE TABLE parts PARTITIONED BY (q, p) AS SELECT * FROM '{root}/types'")
    columns = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in types.schema.fields if f.name not in "pq")
    spark.sql(f"CREATE TABLE k_parts ({columns}, q INT, p STRING) USING parquet PARTITIONED BY (q, p) LOCATION '{warehouse}/parts'")
    spark.sql("MSCK REPAIR TABLE k_parts")
    theirs = types.selectExpr(*[n for n in types.columns if n != "p"], "nullif(p, '') AS p")
    same("Spark reads skep's partitions", theirs, spark.table("k_parts"), types.columns)
    mine = sorted(row[0] for row in skep.rows("SHOW PARTITIONS parts"))
    yours = sorted(row[0] for row in spark.sql("SHOW PARTITIONS k_parts").collect())
    check("SHOW PARTITIONS are the same", mine == yours, (set(mine) ^ set(yours)))
    for key, _ in KEYS:
        for side, count in [("a", 8), ("b", 8)]:
            name = f"{side}_{key}"
            skep.run(f"CREATE TABLE {name} CLUSTERED BY ({key}) SORTED BY ({key}) INTO {count} BUCKETS AS SELECT id, {key} FROM '{root}/types'")
            column = types.schema[key].dataType.simpleString()
            spark.sql(f"CREATE TABLE k_{name} (id INT, {key} {column}) USING parquet CLUSTERED BY ({key}) SORTED BY ({key}) "
                      f"INTO {count} BUCKETS LOCATION '{warehouse}/{name}'")
        join = spark.sql(f"SELECT a.id, b.id AS other FROM k_a_{key} a JOIN k_b_{key} b ON a.{key} = b.{key}")
        plan = plan_of(join)
        if key == "f64":
            # Spark compares doubles through an expression that no buckets are by, its own neither.
            types.select("id", key).write.bucketBy(8, key).sortBy(key).option("path", f"{root}/own_f64").saveAsTable("own_f64")
            own = plan_of(spark.sql(f"SELECT a.id FROM own_f64 a JOIN own_f64 b ON a.{key} = b.{key}"))
            check("Spark joins buckets by doubles alike, skep's and its own", has_exchange(plan) == has_exchange(own), own)
        else:
            check(f"Spark joins skep's buckets by {key} without an Exchange", not has_exchange(plan), plan)
        expected = types.selectExpr("id", f"{key} AS k").alias("a").join(types.selectExpr("id AS other", f"{key} AS l"), on=None) \
            .where("k = l").select("id", "other")
        same(f"joined by {key}", expected, join, ["id", "other"])
        # What Spark prunes by a bucket it would miss in a file of the wrong one.
        pruned = spark.sql(f"SELECT k.id FROM k_a_{key} k WHERE {key} = (SELECT max({key}) FROM k_a_{key} WHERE id = 12)")
        literal = skep.rows(f"SELECT count(*) FROM a_{key} WHERE {key} IN (SELECT {key} FROM a_{key} WHERE id = 12)")[0][0]
        check(f"one bucket by {key}", pruned.count() == literal, (pruned.count(), literal))
    for version in (1, 2):
        skep.run(f"CREATE TABLE hive{version} CLUSTERED BY (i32) INTO 4 BUCKETS TBLPROPERTIES ('bucketing_version' = '{version}') "
                 f"AS SELECT * FROM '{root}/types'")
        same(f"Spark reads skep's Hive buckets, version {version}", types, spark.read.parquet(f"{warehouse}/hive{version}"), types.columns)
    skep.run(f"CREATE TABLE both PARTITIONED BY (q) CLUSTERED BY (i64) SORTED BY (i64 DESC) INTO 3 BUCKETS AS SELECT id, i64, q FROM '{root}/types'")
    spark.sql(f"CREATE TABLE k_both (id INT, i64 BIGINT, q INT) USING parquet PARTITIONED BY (q) CLUSTERED BY (i64) INTO 3 BUCKETS LOCATION '{warehouse}/both'")
    spark.sql("MSCK REPAIR TABLE k_both")
    same("Spark reads skep's partitions of buckets", types, spark.table("k_both"), ["id", "i64", "q"])


# Statements run in both; what differs and may, with the reason, by a part of the line.
SHOWN = [
    "CREATE DATABASE d1 COMMENT 'a database'",
    "SHOW DATABASES",
    "USE d1",
    "CREATE TABLE t (Id INT COMMENT 'the key', name STRING, amount DECIMAL(10,2), tags ARRAY<STRING>, day DATE) USING parquet "
    "PARTITIONED BY (day) CLUSTERED BY (Id) SORTED BY (name) INTO 4 BUCKETS COMMENT 'a table' TBLPROPERTIES ('k' = 'v')",
    "INSERT INTO t VALUES (1, 'x', 1.5, array('a'), DATE '2024-01-01'), (2, NULL, NULL, NULL, NULL)",
    "CREATE VIEW v AS SELECT id, name FROM t",
    "SHOW TABLES", "SHOW VIEWS", "SHOW COLUMNS IN t", "SHOW PARTITIONS t", "SHOW TBLPROPERTIES t ('k')", "DESCRIBE t", "DESCRIBE v",
    "SHOW CREATE TABLE t", "DESCRIBE EXTENDED t", "DESCRIBE DATABASE d1",
    "ALTER TABLE t ADD COLUMNS (more INT)", "DESCRIBE t",
    "ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS id", "DESCRIBE EXTENDED t Id", "DESCRIBE EXTENDED t name",
]
MAY_DIFFER = {
    "Created Time": "a time", "Created By": "who made it", "Last Access": "skep does not write down reads",
    "Location": "each has a warehouse of its own", "Owner": "skep has no users", "Partition Provider": "skep's are the directories",
    "Table Properties": "Spark adds its own", "Statistics": "sizes of files of different writers", "Collation": "skep has none",
    "transient_lastDdlTime": "Hive's, a time", "TBLPROPERTIES": "Spark adds its own", "Database": "",
}


def shown(spark, skep):
    mine_sql = []
    for sql in SHOWN:
        mine_sql.append(sql)
        plain = lambda value: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        theirs = [[plain(value).replace(" COLLATE UTF8_BINARY", "") for value in row] for row in spark.sql(sql).collect()]
        if sql.split()[0] in ("CREATE", "USE", "INSERT", "ALTER", "ANALYZE"):
            if sql.split()[0] != "USE":
                skep.run((f"USE d1; " if "DATABASE" not in sql else "") + sql)
            continue
        if sql == "DESCRIBE v":
            # Spark takes the comments of the columns that a view shows over.
            theirs = [row[:2] + [""] for row in theirs]
        mine = [["" if value is None else str(value) for value in row]
                for row in skep.rows(sql if "DATABASES" in sql else f"USE d1; {sql}")]
        lines = lambda rows: [line for row in rows for line in "\t".join(row).split("\n") if line.strip()]
        excused = lambda line: any(part in line for part in MAY_DIFFER)
        a = [line for line in lines(theirs) if not excused(line)]
        b = [line for line in lines(mine) if not excused(line)]
        told = "\n    Spark: " + "\n           ".join(a) + "\n    skep:  " + "\n           ".join(b)
        check(sql, a == b, told)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skep", default="target/debug/skep")
    parser.add_argument("--keep", help="directory to leave the files in")
    args = parser.parse_args()
    root = args.keep or tempfile.mkdtemp(prefix="skep-spark-")
    os.makedirs(root, exist_ok=True)
    builder = SparkSession.builder.master("local[2]").appName("round trips")
    for key, value in {
        "spark.sql.warehouse.dir": f"{root}/spark-warehouse", "spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false",
        "spark.sql.autoBroadcastJoinThreshold": "-1", "spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "4",
        "spark.sql.sources.bucketing.autoBucketedScan.enabled": "false", "spark.log.level": "ERROR",
        "spark.sql.caseSensitive": "false", "spark.driver.host": "localhost",
    }.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    warehouse = f"{root}/skep-warehouse"
    skep = Skep(os.path.abspath(args.skep), warehouse)
    types = spark_writes(spark, skep, root)
    skep_writes(spark, skep, root, types, warehouse)
    text_formats(spark, skep, root, types, warehouse)
    shown(spark, skep)
    spark.stop()
    if not args.keep:
        shutil.rmtree(root, ignore_errors=True)
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
