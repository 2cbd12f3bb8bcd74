"""Makes tests/slt/spark/*.slt from testdata/statements/*.sql with a real Spark's answers.

Usage: $SPARK_PYTHON testdata/statements.py [FILE ...]      (a Python that has pyspark 4.3)

Statements end with `;` at the end of a line. One that should fail stands behind `-- error`, one behind `-- later`
is left out: the answer here is another one, or was when it was last compared. Lines that
start with `--` are comments. Rows are compared in any order unless the statement has an ORDER BY or SORT BY.
Values are written as the shell of this project prints them.
"""

import pathlib
import re
import sys

import functions

ROOT = pathlib.Path(__file__).resolve().parent.parent


def answer(spark, statement):
    frame = spark.sql(statement)
    fields = [field.dataType for field in frame.schema.fields]
    rows = []
    for row in frame.collect():
        values = (" ".join(functions.show(value, type_).split()) for value, type_ in zip(row, fields))
        rows.append([value or "(empty)" for value in values])
    return fields, rows


def convert(spark, path):
    out = [f"# From testdata/statements/{path.name} by testdata/statements.py, with Spark 4.3's answers", ""]
    lines, fails, later = [], False, False
    for line in path.read_text().splitlines():
        if line.startswith("-- later"):
            later = True
        elif line.startswith("-- error"):
            fails = True
        elif line.startswith("--"):
            out += ["#" + line[2:], ""]
        elif line.strip():
            lines.append(line.rstrip())
        if not lines or not lines[-1].endswith(";"):
            continue
        statement = "\n".join(lines)[:-1]
        lines = []
        if later:
            later = False
            continue
        try:
            fields, rows = answer(spark, statement)
        except Exception as error:
            if not fails:
                print(f"{path.name}: {functions.first_line(error)}\n  {statement}", flush=True)
            else:
                out += ["statement error", statement, ""]
            fails = False
            continue
        if fails:
            print(f"{path.name}: no error but {rows}\n  {statement}")
        elif not fields:
            out += ["statement ok", statement, ""]
        else:
            sort = "" if re.search(r"\b(ORDER|SORT)\s+BY\b(?!.*\))", statement, re.S) or len(rows) < 2 else " rowsort"
            out += ["query " + "T" * len(fields) + sort, statement, "----", *map(" ".join, sorted(rows) if sort else rows), ""]
        fails = False
    (ROOT / "tests/slt/spark" / f"{path.stem}.slt").write_text("\n".join(out))


def main():
    spark = functions.session()
    (ROOT / "tests/slt/spark").mkdir(exist_ok=True)
    for path in sorted((ROOT / "testdata/statements").glob("*.sql")):
        if len(sys.argv) == 1 or path.stem in sys.argv[1:]:
            # Views of one file are not those of another.
            convert(spark.newSession(), path)


main()
