"""Runs the scripts of tests/slt with a real Spark and compares: how many statements answer alike, and which do not.

Usage: $SPARK_PYTHON testdata/corpus.py [--list] [WORD ...]      (a Python that has pyspark 4.3)

WORD: only scripts with one of these in their path. --list prints every statement that differs or that Spark
refuses. Scripts of `tests/slt/functions` and `tests/slt/spark` are made from Spark's answers, and left out unless
asked for by a WORD. Statements about this engine alone (settings, EXPLAIN, files that are written, hints) are
counted apart, and so is what Spark refuses: forms that it lacks, or that are Hive's.
"""

import pathlib
import re
import sys

import functions

ROOT = pathlib.Path(__file__).resolve().parent.parent
OWN = re.compile(
    r"^\s*(SET|RESET|EXPLAIN|ANALYZE|COPY|INSERT|CREATE\s+(OR\s+REPLACE\s+)?(EXTERNAL\s+)?TABLE|CREATE\s+DATABASE|DROP|ALTER|LOAD|MSCK|TRUNCATE"
    r"|SHOW|DESCRIBE|DESC|USE|PREPARE|EXECUTE|DEALLOCATE|FROM\s+\S+\s+INSERT)\b", re.I)


def records(path):
    """The statements of a script: kind, sort mode, text, expected lines."""
    blocks, valuewise = re.split(r"\n\s*\n", path.read_text()), False
    for block in blocks:
        lines = [line for line in block.split("\n") if not line.startswith("#")]
        while lines and not lines[0].strip():
            lines.pop(0)
        if not lines:
            continue
        head = lines[0].split()
        if head[0] == "control":
            valuewise = head[1:] == ["resultmode", "valuewise"]
        elif head[0] == "statement":
            yield head[1], None, "\n".join(lines[1:]).split("\n----")[0], None
        elif head[0] == "query":
            if head[1] == "error":
                yield "error", None, "\n".join(lines[1:]).split("\n----")[0], None
                continue
            at = lines.index("----") if "----" in lines else len(lines)
            sort = "valuewise" if valuewise else head[2] if len(head) > 2 else ""
            yield "query", sort, "\n".join(lines[1:at]), [" ".join(line.split()) for line in lines[at + 1:]]


def answer(spark, statement):
    frame = spark.sql(statement.rstrip().rstrip(";"))
    types = [field.dataType for field in frame.schema.fields]
    rows = [[" ".join(functions.show(value, type_).split()) or "(empty)" for value, type_ in zip(row, types)] for row in frame.collect()]
    return rows


def same(ours, theirs, sort):
    if sort == "valuewise":
        return ours == [value for row in theirs for value in row]
    theirs = [" ".join(row) for row in theirs]
    return sorted(ours) == sorted(theirs) if sort else ours == theirs


def main():
    words = [word for word in sys.argv[1:] if word != "--list"]
    spark = functions.session()
    counts, listed = {"equal": 0, "differ": 0, "refused by Spark": 0, "of this engine alone": 0}, []
    for path in sorted((ROOT / "tests/slt").rglob("*.slt")):
        name = str(path.relative_to(ROOT / "tests/slt"))
        if not any(word in name for word in words) and (words or name.split("/")[0] in ("functions", "spark")):
            continue
        session = spark.newSession()
        session.conf.set("spark.sql.session.timeZone", "UTC")
        for file in sorted((ROOT / "testdata/tpch").glob("*.parquet")):
            session.read.parquet(str(file)).createOrReplaceTempView(file.stem)
        for kind, sort, statement, expected in records(path):
            if OWN.match(statement) or "/*+" in statement or "skep." in statement:
                counts["of this engine alone"] += 1
                continue
            try:
                found = answer(session, statement)
            except Exception as error:
                outcome = "equal" if kind == "error" else "refused by Spark"
                detail = functions.first_line(error)
            else:
                outcome = "equal" if kind == "ok" or kind == "query" and same(expected, found, sort) else "differ"
                detail = f"{found[:3]} for {'an error' if kind == 'error' else (expected or [])[:3]}"
            counts[outcome] += 1
            if outcome != "equal":
                listed.append(f"{outcome}: {name}: {' '.join(statement.split())}\n   {detail}")
    if "--list" in sys.argv:
        print("\n".join(sorted(listed)))
    print(", ".join(f"{count} {what}" for what, count in counts.items()))


main()
