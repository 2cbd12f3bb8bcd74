#!/usr/bin/env python3
"""All TPC-DS queries: does skep run them, answer as DuckDB does, and how fast and how big against the rivals?

Usage: tpcds.py --data DIR --queries DIR --python PEERS_PYTHON (--suite PATH | --skep PATH)
                [--engines duckdb,polars] [--runs 2] [--threads 2] [--timeout 300] [--only q01,q02]
                [--json FILE] [--markdown FILE] [--peers-from FILE]

DIR of --data holds a Parquet file a table, --queries a `qNN.sql` a query (a scale's data and texts come
from DuckDB's tpcds extension, `dsdgen` and `tpcds_queries()`). --suite is `target/release/examples/suite`,
a process a query, so that its peak memory is the query's. --skep is the command itself instead, for trying
a build without the example; its times hold the start of the process. Rivals take turns with skep, query by
query, in processes of their own; --peers-from takes their figures from a --json file of an earlier run.

Answers: DuckDB runs with Spark's order of NULLs. Cells are equal when their texts are, or as numbers by 1e-9
relative; a decimal that Spark's rules round at six digits or more may be off by 2 in the last of them, since
DuckDB's averages and quotients of decimals are doubles. Rows are compared in order (`equal`), then as a
multiset (`ties`: ORDER BY leaves their order free), then without the LIMIT of the query, whose last place
may be shared (`limit`: the whole answers are equal as multisets, and the shorter one lies in the other).
"""
import argparse, collections, csv, glob, json, math, os, re, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from run import Engine

TARGET_RATIO = 3.0  # against the best rival's wall time
TARGET_MIB = 2048
LIMIT = re.compile(r"\blimit\s+\d+\s*;?\s*$", re.IGNORECASE)


class Command:
    """The skep command, one process a query: as slow to start as it is, and no timing within."""

    def __init__(self, skep, data, threads, timeout, settings=()):
        tables = sorted(glob.glob(f"{data}/*.parquet"))
        self.command = [skep, "--threads", str(threads), "--format", "csv", "--null-value", "NULL"]
        self.command += [word for path in tables for word in ("-t", f"{os.path.basename(path)[:-8]}={path}")]
        self.command += [word for setting in settings for word in ("--set", setting)]
        self.timeout = timeout

    def ask(self, line):
        query, _, answer = line.partition("\t")
        start = time.perf_counter()
        with tempfile.TemporaryFile() as errors, open(answer or os.devnull, "wb") as out:
            process = subprocess.Popen(self.command + ["-f", query], stdout=out, stderr=errors)
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                if time.perf_counter() - start > self.timeout:
                    process.kill()
                time.sleep(0.005)
            process.returncode = status
            errors.seek(0)
            message = errors.read().decode(errors="replace").strip()
        if status != 0:
            return {"error": message.removeprefix("error: ").replace("\n", " ")[:300] or f"ended with {status}"}
        return {"wall_s": round(time.perf_counter() - start, 4), "cpu_s": round(usage.ru_utime + usage.ru_stime, 4),
                "peak_mib": usage.ru_maxrss // 1024}

    def close(self):
        pass


def rows(path):
    with open(path, newline="") as f:
        return [tuple(row) for row in list(csv.reader(f))[1:]]


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def same(ours, theirs):
    """Whether two cells are equal by the rules at the top."""
    if ours == theirs:
        return True
    a, b = number(ours), number(theirs)
    if a is None or b is None:
        return re.sub(r"[ T]00:00:00$", "", ours) == re.sub(r"[ T]00:00:00$", "", theirs)
    if math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(a) and math.isnan(b)):
        return True
    digits = len(ours.partition(".")[2]) if "e" not in ours.lower() else 0
    return digits >= 6 and abs(a - b) <= 2 * 10.0 ** -min(digits, 12)


def same_rows(ours, theirs):
    return len(ours) == len(theirs) and all(len(a) == len(b) and all(map(same, a, b)) for a, b in zip(ours, theirs))


def key(row):
    """Sorts equal rows to equal places: exact cells first, numbers coarsely behind them."""
    numbers = [number(cell) for cell in row]
    return [cell if value is None else "" for cell, value in zip(row, numbers)] + [f"{v:.4e}" for v in numbers if v is not None]


def contained(few, many):
    """Whether every row of `few` is in `many`, as often."""
    rest = collections.defaultdict(list)
    for row in many:
        rest[key(row)[0]].append(row)
    for row in few:
        candidates = rest[key(row)[0]]
        found = next((i for i, other in enumerate(candidates) if same_rows([row], [other])), None)
        if found is None:
            return False
        candidates.pop(found)
    return True


class Judge:
    """Compares skep's answers with DuckDB's."""

    def __init__(self, skep, duckdb, scratch):
        self.skep, self.duckdb, self.scratch = skep, duckdb, scratch

    def answers(self, path):
        found = []
        for name, engine in (("skep", self.skep), ("duckdb", self.duckdb)):
            answer = f"{self.scratch}/{name}.csv"
            reply = engine.ask(f"{path}\t{answer}")
            if "error" in reply:
                return f"{name}: {reply['error']}", reply
            found.append(rows(answer))
        return None, found

    def verdict(self, path):
        error, found = self.answers(path)
        if error:
            return "fails", error
        ours, theirs = found
        if same_rows(ours, theirs):
            return "equal", ""
        if same_rows(sorted(ours, key=key), sorted(theirs, key=key)):
            return "ties", ""
        with open(path) as f:
            text = f.read()
        if LIMIT.search(text.rstrip()):
            whole = f"{self.scratch}/whole.sql"
            with open(whole, "w") as f:
                f.write(LIMIT.sub("", text.rstrip()))
            error, found = self.answers(whole)
            if not error:
                all_ours, all_theirs = found
                if len(ours) == len(theirs) and same_rows(sorted(all_ours, key=key), sorted(all_theirs, key=key)) and contained(ours, all_theirs):
                    return "limit", ""
        return "DIFFERS", difference(ours, theirs)


def difference(ours, theirs):
    if len(ours) != len(theirs):
        return f"{len(ours)} rows, DuckDB {len(theirs)}"
    pairs = [(a, b) for a, b in zip(sorted(ours, key=key), sorted(theirs, key=key)) if not same_rows([a], [b])]
    return f"{len(pairs)} rows of {len(ours)}, first {' | '.join(pairs[0][0])} for {' | '.join(pairs[0][1])}"[:400]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--python", required=True, help="a Python with duckdb, polars and pyarrow")
    parser.add_argument("--suite")
    parser.add_argument("--skep")
    parser.add_argument("--engines", default="duckdb,polars")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    parser.add_argument("--peers-from")
    args = parser.parse_args()
    if not args.suite and not args.skep:
        parser.error("--suite or --skep is needed")
    data = os.path.abspath(args.data)
    only = set(filter(None, args.only.split(",")))
    queries = sorted(p for p in glob.glob(f"{os.path.abspath(args.queries)}/*.sql") if not only or os.path.basename(p)[:-4] in only)
    if not queries:
        sys.exit(f"no queries in {args.queries}")

    def ours():
        if args.skep:
            return Command(args.skep, data, args.threads, args.timeout)
        return Engine("skep", [args.suite, "--serve", "--data", data, "--threads", str(args.threads)], args.threads, args.timeout)

    def peer(name):
        return Engine(name, [args.python, f"{HERE}/peer.py", name, data], args.threads, args.timeout)

    os.environ["DUCKDB_NULL_ORDER"] = "nulls_first_on_asc_last_on_desc"
    names = [name for name in args.engines.split(",") if name]
    known = json.load(open(args.peers_from))["queries"] if args.peers_from else {}
    peers = {name: peer(name) for name in names} if not known else {}
    oracle = peers.get("duckdb") or peer("duckdb")
    print("query   verdict   wall s   CPU s     MiB   rival s   ratio  rival CPU s   ratio", flush=True)
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        for path in queries:
            query, best = os.path.basename(path)[:-4], {}
            skep = ours()
            if known:
                best = {name: reply for name, reply in known.get(query, {}).get("engines", {}).items() if name != "skep"}
            for _ in range(args.runs):
                for name, engine in [("skep", skep), *peers.items()]:
                    if "error" in best.get(name, {}):
                        continue
                    reply = engine.ask(path)
                    if "error" in reply or reply["wall_s"] < best.get(name, {}).get("wall_s", math.inf):
                        best[name] = reply
            verdict, detail = ("fails", best["skep"]["error"]) if "error" in best["skep"] else Judge(skep, oracle, scratch).verdict(path)
            skep.close()
            walls = [best[name]["wall_s"] for name in best if name != "skep" and "wall_s" in best[name]]
            rival = min(walls) if walls else math.nan
            cpus = [best[name]["cpu_s"] for name in best if name != "skep" and "cpu_s" in best[name]]
            rival_cpu = min(cpus) if cpus else math.nan
            mine = best["skep"]
            cpu_ratio = mine.get("cpu_s", math.nan) / max(rival_cpu, 1e-4)
            ratio = mine.get("wall_s", math.nan) / rival
            marks = [mark for mark, set_ in (("SLOW", ratio > TARGET_RATIO), ("BIG", mine.get("peak_mib", 0) > TARGET_MIB)) if set_]
            print(f"{query:7} {verdict:8} {mine.get('wall_s', math.nan):7.3f} {mine.get('cpu_s', math.nan):7.3f} {mine.get('peak_mib', 0):7}"
                  f" {rival:9.3f} {ratio:7.2f} {rival_cpu:12.3f} {cpu_ratio:7.2f} {' '.join(marks)} {detail}", flush=True)
            results[query] = {"verdict": verdict, "detail": detail, "ratio": ratio, "cpu_ratio": cpu_ratio, "engines": best, "marks": marks}
    for engine in [oracle, *(engine for name, engine in peers.items() if name != "duckdb")]:
        engine.close()
    summary(results)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"data": os.path.basename(data), "threads": args.threads, "runs": args.runs, "queries": results}, f, indent=1)
    if args.markdown:
        with open(args.markdown, "w") as f:
            f.write(markdown(results))
    wrong = [query for query, result in results.items() if result["verdict"] in ("fails", "DIFFERS")]
    sys.exit(f"fail or differ: {', '.join(wrong)}" if wrong else 0)


def summary(results):
    verdicts = collections.Counter(result["verdict"] for result in results.values())
    print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))
    for mark, meaning in (("SLOW", f"above {TARGET_RATIO} of the best rival"), ("BIG", f"above {TARGET_MIB} MiB")):
        print(f"{meaning}: {', '.join(q for q, r in results.items() if mark in r['marks']) or 'none'}")
    shared = [r["engines"] for r in results.values() if all("wall_s" in reply for reply in r["engines"].values())]
    for name in next(iter(results.values()))["engines"]:
        wall, cpu = (sum(engines[name][what] for engines in shared) for what in ("wall_s", "cpu_s"))
        ran = sum("wall_s" in r["engines"].get(name, {}) for r in results.values())
        print(f"{name}: {ran} ran; over the {len(shared)} that all ran {wall:.1f} s wall, {cpu:.1f} s CPU")


def markdown(results):
    names = list(next(iter(results.values()))["engines"])
    head = [f"| query | answer | {' | '.join(f'{name} s (CPU s)' for name in names)} | MiB | ratio | CPU ratio |", "| --- " * (len(names) + 5) + "|"]
    cell = lambda reply: f"{reply['wall_s']:.3f} ({reply['cpu_s']:.3f})" if "wall_s" in reply else "fails"
    lines = [f"| {query} | {r['verdict']} | {' | '.join(cell(r['engines'].get(name, {})) for name in names)} | {r['engines']['skep'].get('peak_mib', '')} | {r['ratio']:.2f} | {r['cpu_ratio']:.2f} |"
             for query, r in results.items()]
    return "\n".join(head + lines) + "\n"


if __name__ == "__main__":
    main()
