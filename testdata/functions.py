"""Makes tests/slt/functions/*.slt from testdata/functions/*.sql with a real Spark's answers.

Usage: $SPARK_PYTHON testdata/functions.py [GROUP ...]      (a Python that has pyspark 4.3)

A line of a .sql file is a list of expressions, which become one SELECT, or `error: expression`, which
must fail, or `any: expression`, which does what it does in Spark. Lines that start with `later: ` are left out: the answer
here is another one, or was when it was last compared. Lines that start with `--` are comments. Values are written as the shell of this project prints them.
"""

import datetime
import decimal
import math
import pathlib
import sys

from pyspark.sql import SparkSession
from pyspark.sql import types as T

ROOT = pathlib.Path(__file__).resolve().parent.parent


def split(line):
    """The expressions of a list: commas outside of brackets and quotes part them."""
    parts, depth, quote, start, at = [], 0, None, 0, 0
    while at < len(line):
        c = line[at]
        if quote:
            if c == "\\":
                at += 1
            elif c == quote:
                quote = None
        elif c in "'\"`":
            quote = c
        elif c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(line[start:at].strip())
            start = at + 1
        at += 1
    return parts + [line[start:].strip()]


def double(value, text):
    """As Java prints a double of these shortest digits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if math.copysign(1, value) < 0 else ""
    if value == 0:
        return sign + "0.0"
    digits = decimal.Decimal(text).normalize().as_tuple()
    text = "".join(map(str, digits.digits))
    point = len(text) + digits.exponent
    if -3 < point <= 7:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{text}"
        text = text.ljust(point, "0")
        return f"{sign}{text[:point]}.{text[point:] or '0'}"
    return f"{sign}{text[0]}.{text[1:] or '0'}E{point - 1}"


def quoted(text):
    out = ['"']
    for c in text:
        out.append({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(c) or (c if c >= " " else f"\\u{ord(c):04x}"))
    return "".join(out) + '"'


def moment(value):
    text = value.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
    return text + (f".{value.microsecond:06d}".rstrip("0") if value.microsecond else "")


def show(value, type_, inside=False):
    text = lambda text: quoted(text) if inside else text
    if value is None:
        return "null" if inside else "NULL"
    if isinstance(type_, T.BooleanType):
        return "true" if value else "false"
    if isinstance(type_, T.StringType):
        return text(value)
    if isinstance(type_, T.BinaryType):
        return text(value.hex().upper())
    if isinstance(type_, (T.FloatType, T.DoubleType)) and not math.isfinite(value):
        return text(double(value, "0"))
    if isinstance(type_, T.FloatType):
        import struct

        for digits in range(1, 10):
            short = f"{value:.{digits}g}"
            if struct.pack("f", float(short)) == struct.pack("f", value):
                break
        return double(value, short)
    if isinstance(type_, T.DoubleType):
        return double(value, repr(value))
    if isinstance(type_, T.IntegralType):
        return str(value)
    if isinstance(type_, T.DecimalType):
        return f"{value:f}"
    if isinstance(type_, T.DateType):
        return text(value.isoformat())
    if isinstance(type_, (T.TimestampType, T.TimestampNTZType)):
        return text(moment(value))
    if isinstance(type_, T.DayTimeIntervalType):
        micros = value // datetime.timedelta(microseconds=1)
        sign, micros = ("-", -micros) if micros < 0 else ("", micros)
        seconds, fraction = divmod(micros, 1_000_000)
        shown = f"{sign}{seconds // 86400} {seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return text(f"INTERVAL '{shown}{f'.{fraction:06d}'.rstrip('0') if fraction else ''}' DAY TO SECOND")
    if isinstance(value, datetime.time):
        return text(value.strftime("%H:%M:%S") + (f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""))
    if isinstance(type_, T.ArrayType):
        return "[" + ",".join(show(item, type_.elementType, True) for item in value) + "]"
    if isinstance(type_, T.MapType):
        key = lambda key: quoted(show(key, type_.keyType))
        return "{" + ",".join(f"{key(k)}:{show(v, type_.valueType, True)}" for k, v in value.items()) + "}"
    if isinstance(type_, T.StructType):
        return "{" + ",".join(f"{quoted(f.name)}:{show(v, f.dataType, True)}" for f, v in zip(type_.fields, value)) + "}"
    return text(str(value))


def answer(spark, expressions):
    aliased = ", ".join(f"{expression} AS c{at}" for at, expression in enumerate(expressions))
    frame = spark.sql("SELECT " + aliased)
    # Year-month intervals have no form in Python.
    fields = [f.dataType for f in frame.schema.fields]
    as_text = [f"CAST({f.name} AS STRING) AS {f.name}" if "INTERVAL" in f.dataType.typeName().upper() and not isinstance(f.dataType, T.DayTimeIntervalType) else f.name for f in frame.schema.fields]
    frame = frame.selectExpr(*as_text)
    fields = [f.dataType for f in frame.schema.fields]
    row = frame.collect()[0]
    return [show(value, type_) for value, type_ in zip(row, fields)]


def first_line(error):
    return str(error).strip().split("\n")[0][:160]


def group(spark, path):
    out = [f"# From testdata/functions/{path.name} by testdata/functions.py, with Spark 4.3's answers", ""]
    out += ["control resultmode valuewise", ""]
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith(("--", "later: ")):
            continue
        if line.startswith("error: "):
            expression = line[len("error: "):]
            try:
                print(f"{path.name}: no error but {answer(spark, [expression])}: {expression}")
            except Exception:
                out += ["statement error", f"SELECT {expression}", ""]
            continue
        if line.startswith("any: "):
            line = line[len("any: "):]
            try:
                answer(spark, [line])
            except Exception:
                out += ["statement error", f"SELECT {line}", ""]
                continue
        expressions = split(line)
        try:
            values = answer(spark, expressions)
        except Exception:
            kept, values = [], []
            for expression in expressions:
                try:
                    values += answer(spark, [expression])
                    kept.append(expression)
                except Exception as error:
                    print(f"{path.name}: {expression}: {first_line(error)}")
            expressions = kept
        if not expressions:
            continue
        lines = [" ".join(value.split()) if value.strip() else "(empty)" for value in values]
        out += ["query " + "T" * len(lines), "SELECT " + ",\n       ".join(expressions), "----", *lines, ""]
    (ROOT / "tests/slt/functions" / f"{path.stem}.slt").write_text("\n".join(out))


def session():
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.timeType.enabled", "true")
    # Queries of a few rows start sooner.
    builder = builder.config("spark.sql.shuffle.partitions", "1").config("spark.sql.codegen.wholeStage", "false")
    builder = builder.config("spark.sql.codegen.factoryMode", "NO_CODEGEN").config("spark.ui.showConsoleProgress", "false")
    spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def main():
    spark = session()
    (ROOT / "tests/slt/functions").mkdir(exist_ok=True)
    for path in sorted((ROOT / "testdata/functions").glob("*.sql")):
        if len(sys.argv) == 1 or path.stem in sys.argv[1:]:
            group(spark, path)


if __name__ == "__main__":
    main()
