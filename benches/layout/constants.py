#!/usr/bin/env python3
"""Measures the constants of the cost models: constants.py FOLDER [--suite PATH] [--runs 5] [--only merge,spill]

Each constant is a difference of two queries' CPU time on one thread, divided by the rows (bytes, parts)
that make the difference; the least of `--runs` rounds counts, as nothing but a disturbance makes a run slower.
What the scans cost is measured by themselves and taken off. FOLDER takes about 700 MB, which are removed again. Constants live in src/join/cost.rs,
src/join/parts/mod.rs and src/aggregate/choose.rs. Needs numpy and pyarrow.
"""
import argparse, importlib.util, math, os, re, shutil, sys, tempfile
import numpy as np
import pyarrow as pa

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


compare, data = module("compare", f"{ROOT}/benches/compare/run.py"), module("data", f"{HERE}/data.py")

PROBE, SIZES = 8_000_000, {"l2": 20_000, "l3": 500_000, "memory": 5_000_000}
SCATTER = np.uint64(0x9E3779B97F4A7C15)
GROUPS, PARTS, PART_ROWS = {"few": 1_000, "many": 4_000_000}, 400, 20


def scattered(keys):
    """Keys without a pattern, so that tables are hash tables and not arrays."""
    return (keys.astype(np.uint64) * SCATTER).astype(np.int64)


def table(folder, name, **columns):
    data.write(f"{folder}/{name}/part-0.parquet", pa.table(columns), sorted_by_k=name.startswith("sorted"))


def make(folder):
    random = np.random.default_rng(1)
    value = lambda rows: random.integers(0, 10_000, rows)
    for size, rows in SIZES.items():
        dense = random.permutation(rows).astype(np.int64)
        table(folder, f"build_{size}", k=scattered(dense), d=dense, x=value(rows))
        for share, count in (("", PROBE), ("_half", PROBE // 2)):
            keys = random.integers(0, rows, count)
            table(folder, f"probe_{size}{share}", k=scattered(keys), d=keys, v=value(count))
    for name, rows in (("sorted_facts", PROBE), ("sorted_dims", PROBE // 4)):
        table(folder, name, k=np.sort(random.integers(0, PROBE // 4, rows)), v=value(rows))
    for name, count in GROUPS.items():
        table(folder, f"group_{name}", k=random.integers(0, count, PROBE), v=value(PROBE))
    table(folder, "sorted_groups", k=np.sort(random.integers(0, PROBE // 2, PROBE)), v=value(PROBE))
    for name, rows in (("pairs_a", 20_000), ("pairs_b", 10_000)):
        table(folder, name, k=random.integers(0, 1 << 40, rows), v=value(rows))
    keys = random.permutation(PROBE // 4).astype(np.int64)
    for name in ("buckets_a", "buckets_b"):
        data.lay_out(f"{folder}/{name}", "buckets", keys, value(len(keys)))
    for name in ("parts_a", "parts_b"):
        for part in range(PARTS):
            rows = pa.table({"k": np.arange(PART_ROWS), "v": value(PART_ROWS)})
            data.write(f"{folder}/{name}/p={part}/part-0.parquet", rows)


class Bench:
    def __init__(self, args, folder):
        command = [args.suite, "--serve", "--data", folder, "--threads", "1"]
        self.start = lambda: compare.Engine("skep", command, 1, 300)
        self.runs, self.engine, self.known = args.runs, self.start(), {}

    def explain(self, sql, engine, **settings):
        with tempfile.NamedTemporaryFile("r", suffix=".csv") as answer:
            self.ask(f"EXPLAIN ANALYZE {sql}", engine, answer.name, **settings)
            return answer.read()

    def ask(self, sql, engine=None, answer=None, **settings):
        names = {"join": "skep.join.strategy", "group": "skep.aggregate.strategy", "memory": "skep.memory.limit"}
        text = "".join(f"SET {names[name]} = {value}; " for name, value in {"join": "auto", **settings}.items())
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as f:
            f.write("SET skep.optimizer.multiplicity = never; SET skep.optimizer.join_order = false; " + text + sql)
            f.flush()
            reply = (engine or self.engine).ask(f.name + (f"\t{answer}" if answer else ""))
        return reply["cpu_s"] if "cpu_s" in reply else sys.exit(f"{sql}: {reply}")

    def cpu(self, sql, **settings):
        key = (sql, *sorted(settings.items()))
        if key not in self.known:
            runs = [self.ask(sql, **settings) for _ in range(self.runs + 1)]
            self.known[key] = min(runs[1:])
        return self.known[key]

    def scan(self, name, columns="kv"):
        return self.cpu("SELECT " + ", ".join(f"max({column})" for column in columns) + f" FROM {name}")

    def fresh(self, sql, **settings):
        """In an engine that knows nothing of the files' rows; footers and pages are in memory."""
        runs = []
        for _ in range(self.runs):
            engine = self.start()
            self.ask("SELECT count(*) FROM buckets_a a, pairs_a b WHERE a.k = -1", engine)
            runs.append(self.ask(sql, engine, **settings))
            engine.close()
        return min(runs)


def hash_join(bench, say):
    for kind, key in (("scattered", "k"), ("dense", "d")):
        for size, rows in SIZES.items():
            sql = lambda share: f"SELECT max(v), max(x) FROM probe_{size}{share} p JOIN build_{size} b ON p.{key} = b.{key}"
            whole, half = (bench.cpu(sql(share), join="broadcast_hash") for share in ("", "_half"))
            scan, scan_half = (bench.scan(f"probe_{size}{share}", key + "v") for share in ("", "_half"))
            lookup = (whole - half - scan + scan_half) / (PROBE / 2)
            # Built beside a probe side of next to nothing.
            built = f"SELECT /*+ BROADCAST(b) */ max(v), max(x) FROM parts_a p JOIN build_{size} b ON p.k = b.{key} WHERE p.p = 1"
            insert = (bench.cpu(built) - bench.scan(f"build_{size}", key + "x")) / rows
            say(f"hash, {kind} keys, table in {size}", f"insert {insert * 1e9:6.1f}, lookup {lookup * 1e9:6.1f} ns a row")
            for strategy in ("partitioned_hash", "skew_aware"):
                more = (bench.cpu(sql("_half"), join=strategy) - half) / rows
                say(f"  {strategy} beyond broadcast_hash", f"{more * 1e9:6.1f} ns a build row")


def merge(bench, say):
    rows = PROBE + PROBE // 4
    sql = "SELECT max(a.v), max(b.v) FROM sorted_facts a JOIN sorted_dims b ON a.k = b.k"
    scans = bench.scan("sorted_facts") + bench.scan("sorted_dims")
    say("merge of sorted parts", f"{(bench.cpu(sql, join='sort_merge') - scans) / rows * 1e9:6.1f} ns a row")
    say("hash join of the same parts", f"{(bench.cpu(sql, join='partitioned_hash') - scans) / rows * 1e9:6.1f} ns a row")
    say("scan of two columns", f"{scans / (16 * rows) * 1e9:6.2f} ns a byte")
    for size in ("l3", "memory"):
        sides = (PROBE // 2, SIZES[size])
        sql = f"SELECT max(v), max(x) FROM probe_{size}_half p JOIN build_{size} b ON p.k = b.k"
        took = bench.cpu(sql, join="sort_merge") - bench.scan(f"probe_{size}_half") - bench.scan(f"build_{size}", "kx")
        steps = sum(rows * math.log2(rows) for rows in sides)
        say(f"sort and merge, {size}", f"{took / sum(sides) * 1e9:6.1f} ns a row, {took / steps * 1e9:6.2f} ns a row and level")


def spill(bench, say):
    sql = "SELECT max(v), max(x) FROM probe_memory p JOIN build_memory b ON p.k = b.k"
    inside = bench.cpu(sql, join="partitioned_hash")
    size = 16 * (PROBE + SIZES["memory"])
    for limit in (48, 24):
        over = 1 - min(1, limit * 2**20 / (SIZES["memory"] * 40))
        took = bench.cpu(sql, join="partitioned_hash", memory=f"'{limit}MiB'") - inside
        say(f"spill, {limit} MiB", f"{took / (size * over) * 1e9:6.2f} ns a byte of the share that does not fit")


def parts(bench, say):
    sql = "SELECT max(a.v), max(b.v) FROM parts_a a JOIN parts_b b ON a.p = b.p AND a.k = b.k"
    whole = bench.cpu(sql, join="broadcast_hash")
    say("part of a join", f"{(bench.cpu(sql, join='partitioned_hash') - whole) / PARTS * 1e6:6.1f} µs a part")
    sql = "SELECT max(n) FROM (SELECT p, k, count(*) AS n FROM parts_a GROUP BY p, k) t"
    whole = bench.cpu(sql, group="hash")
    say("part of a grouping", f"{(bench.cpu(sql, group='partition_wise') - whole) / PARTS * 1e6:6.1f} µs a part")
    rows = PROBE // 2
    sql = "SELECT max(a.x), max(b.x) FROM buckets_a a {} JOIN buckets_b b ON a.k = b.k"
    # A new process is slower in everything: what a broadcast join loses by it does not count.
    for kind, what in (("FULL", "check of buckets ahead"), ("", "check of buckets while reading")):
        first = bench.fresh(sql.format(kind), join="partitioned_hash") - bench.fresh(sql.format(kind), join="broadcast_hash")
        bench.cpu(sql.format("FULL"), join="partitioned_hash")
        again, whole = (bench.cpu(sql.format(kind), join=name) for name in ("partitioned_hash", "broadcast_hash"))
        say(what, f"{(first - again + whole) / rows * 1e9:6.1f} ns a row; bucket by bucket {again:.3f} s, broadcast {whole:.3f} s")


def checks(bench, say):
    """Time of checking claims over that of the scans, as EXPLAIN ANALYZE tells both."""
    unit = {"µs": 1e-6, "ms": 1e-3, "s": 1}
    seconds = lambda text, pattern: sum(float(n) * unit[u] for n, u in re.findall(pattern + r" ([\d.]+) (µs|ms|s)\b", text))
    for what, sql, strategy in (
        ("order", "SELECT max(a.v), max(b.v) FROM sorted_facts a JOIN sorted_dims b ON a.k = b.k", "sort_merge"),
        ("buckets", "SELECT max(a.x), max(b.x) FROM buckets_a a JOIN buckets_b b ON a.k = b.k", "partitioned_hash"),
    ):
        shares = []
        for _ in range(bench.runs):
            # What was checked once is remembered.
            engine = bench.start()
            bench.ask("SELECT count(*) FROM pairs_a a, pairs_b b WHERE a.k = -1", engine)
            text = bench.explain(sql, engine, join=strategy)
            engine.close()
            shares.append(seconds(text, f"checking {what}") / seconds(text, r"Scan [^\n]*,"))
        say(f"checking {what} over scanning", f"{min(shares) * 100:6.1f} %")


def group(bench, say):
    for name in GROUPS:
        sql = f"SELECT max(n) FROM (SELECT k, count(*) AS n, max(v) FROM group_{name} GROUP BY k) t"
        took = bench.cpu(sql, group="hash") - bench.scan(f"group_{name}")
        say(f"grouping into {name} groups", f"{took / PROBE * 1e9:6.1f} ns a row")
    sql = "SELECT max(n) FROM (SELECT k, count(*) AS n, max(v) FROM sorted_groups GROUP BY k) t"
    for strategy in ("streaming", "partition_wise", "hash"):
        took = bench.cpu(sql, group=strategy) - bench.scan("sorted_groups")
        say(f"grouping in key order, {strategy}", f"{took / PROBE * 1e9:6.1f} ns a row")


def loop(bench, say):
    took = bench.cpu("SELECT max(a.v), max(b.v) FROM pairs_a a JOIN pairs_b b ON a.k + b.k < 0", join="nested_loop")
    say("nested loop", f"{took / 2e8 * 1e9:6.2f} ns a pair")


SECTIONS = {"hash": hash_join, "merge": merge, "spill": spill, "parts": parts, "checks": checks, "group": group, "loop": loop}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--keep", action="store_true", help="leave the files for another run")
    target = os.path.join(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"))
    parser.add_argument("--suite", default=f"{target}/release/examples/suite")
    args = parser.parse_args()
    folder = os.path.join(os.path.abspath(args.folder), "constants")
    try:
        if not os.path.isdir(folder):
            make(folder)
        bench = Bench(args, folder)
        for name in args.only.split(","):
            SECTIONS[name](bench, lambda what, found: print(f"{what:42} {found}", flush=True))
        bench.engine.close()
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
