-- Bucketed tables for tests, run with spark-sql of Spark 4.3.
CREATE TABLE spark_orders USING parquet CLUSTERED BY (k) SORTED BY (k) INTO 4 BUCKETS AS
SELECT /*+ REPARTITION(1) */ id * 3 AS k, concat('o', id) AS name FROM range(0, 400);
CREATE TABLE spark_lines USING parquet CLUSTERED BY (k) SORTED BY (k) INTO 8 BUCKETS AS
SELECT /*+ REPARTITION(1) */ id % 1100 AS k, CAST(id AS int) AS n FROM range(0, 2500);
CREATE TABLE spark_names USING parquet CLUSTERED BY (name) INTO 4 BUCKETS AS
SELECT /*+ REPARTITION(1) */ concat('o', id % 500) AS name, id AS id FROM range(0, 900);
