#!/usr/bin/env python3
"""Times skep against other engines on the same files in one run.

Usage: run.py DIR SCALE [--runs 3] [--engines skep,duckdb,polars,datafusion,chdb] [--only q01,q02]
              [--threads N] [--timeout 120] [--json FILE] [--suite target/release/examples/suite]

DIR is what data.sh made. Every engine is one process that keeps its tables open; for each query
the engines take turns, RUNS rounds, and the best round of each counts (the first pays for the page
cache). Answers are compared with DuckDB's. Standard library only; the peers run in DIR/peers.
"""
import argparse, collections, csv, glob, json, math, os, subprocess, sys, tempfile, threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Engine:
    """A process that answers every line with a line."""

    def __init__(self, name, command, threads, timeout):
        self.name, self.command, self.timeout = name, command, timeout
        self.environment = {**os.environ, "THREADS": str(threads), "POLARS_MAX_THREADS": str(threads)}
        self.process, self.peak_mib = None, 0

    def ask(self, line):
        if self.process is None:
            self.process = subprocess.Popen(self.command, env=self.environment, text=True, bufsize=1,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        # A query past the limit costs the engine its process; the next one starts it again.
        timer = threading.Timer(self.timeout, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(line + "\n")
            reply = self.process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        timer.cancel()
        if not reply:
            self.process.wait()
            self.process = None
            return {"error": f"ended or took more than {self.timeout} s"}
        reply = json.loads(reply)
        self.peak_mib = max(self.peak_mib, reply.get("peak_mib", 0))
        return reply

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def value(text):
    """A cell for comparison: numbers as floats, so that 1.50, 1.5 and 15e-1 are equal."""
    try:
        return float(text)
    except ValueError:
        return text[:-9] if text.endswith(" 00:00:00") or text.endswith("T00:00:00") else text


def rows(path):
    with open(path, newline="") as f:
        return [[value(cell) for cell in row] for row in list(csv.reader(f))[1:]]


def equal(a, b):
    """Answers as multisets; floats by a tolerance that spares the rounding of decimals."""
    if len(a) != len(b):
        return False
    order = lambda row: [("" if isinstance(c, float) else c) for c in row] + [f"{c:.3e}" for c in row if isinstance(c, float)]
    same = lambda x, y: x == y or (isinstance(x, float) and isinstance(y, float)
                                   and (math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-5) or (math.isnan(x) and math.isnan(y))))
    return all(len(x) == len(y) and all(map(same, x, y)) for x, y in zip(sorted(a, key=order), sorted(b, key=order)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir")
    parser.add_argument("scale")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", default="skep,duckdb,polars,datafusion,chdb")
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--json")
    target = os.path.join(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"))
    parser.add_argument("--suite", default=f"{target}/release/examples/suite")
    args = parser.parse_args()
    data = os.path.abspath(f"{args.dir}/tpch{args.scale}")
    queries = sorted(glob.glob(f"{os.path.abspath(args.dir)}/queries/tpch{args.scale}/*.sql"))
    only = set(filter(None, args.only.split(",")))
    queries = [q for q in queries if not only or os.path.basename(q)[:-4] in only]
    if not queries:
        sys.exit(f"no queries under {args.dir}/queries/tpch{args.scale}; run data.sh first")
    commands = {"skep": [args.suite, "--serve", "--data", data, "--threads", str(args.threads)]}
    for peer in ("duckdb", "polars", "datafusion", "chdb"):
        commands[peer] = [f"{args.dir}/peers/bin/python", f"{HERE}/peer.py", peer, data]
    engines = [Engine(name, commands[name], args.threads, args.timeout) for name in args.engines.split(",")]
    rivals = [engine.name for engine in engines if engine.name != "skep"]
    print(f"{os.path.basename(data)}, {args.threads} threads, best of {args.runs}; wall s (CPU s); ratio: skep / best rival")
    print("query  " + "".join(f"{engine.name:>18}" for engine in engines) + "   wall   CPU ratio  answer")
    results, totals, agreed = {}, collections.defaultdict(lambda: [0.0, 0.0]), []
    with tempfile.TemporaryDirectory() as scratch:
        for path in queries:
            query, best = os.path.basename(path)[:-4], {}
            for turn in range(args.runs):
                for engine in engines:
                    if "error" in best.get(engine.name, {}):
                        continue
                    # The last turn of each writes its answer, outside the measured time.
                    answer = f"\t{scratch}/{engine.name}.csv" if turn == args.runs - 1 else ""
                    reply = engine.ask(path + answer)
                    if "error" in reply or reply["wall_s"] < best.get(engine.name, {}).get("wall_s", math.inf):
                        best[engine.name] = reply
            verdict = "?"
            if all("error" not in best.get(name, {"error": ""}) for name in ("skep", "duckdb")):
                verdict = "equal" if equal(rows(f"{scratch}/skep.csv"), rows(f"{scratch}/duckdb.csv")) else "DIFFERS"
            walls = [best[name]["wall_s"] for name in rivals if "wall_s" in best[name]]
            ratio = best["skep"]["wall_s"] / min(walls) if "wall_s" in best.get("skep", {}) and walls else math.nan
            cpus = [best[name]["cpu_s"] for name in rivals if "cpu_s" in best[name]]
            cpu_ratio = best["skep"]["cpu_s"] / min(cpus) if "cpu_s" in best.get("skep", {}) and cpus else math.nan
            cells = [f"{best[e.name]['wall_s']:.3f} ({best[e.name]['cpu_s']:.3f})" if "wall_s" in best[e.name] else "failed" for e in engines]
            print(f"{query:7}" + "".join(f"{cell:>18}" for cell in cells) + f"{ratio:7.2f}{cpu_ratio:6.2f}        {verdict}", flush=True)
            for name, reply in best.items():
                if "error" in reply:
                    print(f"        {name}: {reply['error']}")
            results[query] = {"engines": best, "ratio": ratio, "cpu_ratio": cpu_ratio, "answer": verdict}
            if all("wall_s" in best[engine.name] for engine in engines):
                agreed.append(query)
    for query in agreed:  # a sum over queries that some engine failed would flatter that engine
        for engine in engines:
            totals[engine.name][0] += results[query]["engines"][engine.name]["wall_s"]
            totals[engine.name][1] += results[query]["engines"][engine.name]["cpu_s"]
    print("total  " + "".join(f"{f'{totals[e.name][0]:.3f} ({totals[e.name][1]:.3f})':>18}" for e in engines)
          + f"   over {len(agreed)} queries that all engines ran")
    print("MiB    " + "".join(f"{engine.peak_mib:>18}" for engine in engines) + "   peak resident")
    for engine in engines:
        engine.close()
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"data": os.path.basename(data), "threads": args.threads, "runs": args.runs, "queries": results,
                       "total": totals, "peak_mib": {e.name: e.peak_mib for e in engines}}, f, indent=1)
    differs = [query for query, result in results.items() if result["answer"] == "DIFFERS"]
    sys.exit(f"answers differ: {', '.join(differs)}" if differs else 0)


if __name__ == "__main__":
    main()
