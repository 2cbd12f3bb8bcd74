#!/usr/bin/env python3
"""Measures the choice of join strategies over layouts of the same rows.

Usage: run.py FOLDER [--cells 40] [--seed 7] [--runs 3] [--peers PYTHON] [--suite target/release/examples/suite]
              [--only heap/small/uniform/inner/aggregate] [--json FILE] [--threads N] [--rivals duckdb,polars]

The grid is {layouts} x {sizes} x {skews} of data.py x {inner, left, full, semi, anti} x {emit, aggregate};
`--cells` of it are drawn by the seed, such that every value of every dimension comes up alike. For each
cell the files are made in FOLDER (and removed again), then skep with every strategy forced and with
`auto`, DuckDB and Polars take turns for `--runs` rounds after one that does not count; medians of CPU seconds count.
A strategy that takes more than twice as long as another is not tried further after the first round that counts.

* regret: `auto` over the best forced strategy, in cells in which that takes at least 200 ms. It is told of the least
  times, too: where a machine does other things, equal plans differ by a tenth in their medians.
* rivals: `auto`, and each forced strategy, over the better of DuckDB and Polars.

With `--json` cells that FILE has are not measured again, so that a long run can be cut into pieces. `--rivals ""`
leaves the other engines out.

PYTHON is an interpreter with numpy, pyarrow, duckdb and polars (benches/compare/setup.sh makes one).
"""
import argparse, importlib.util, itertools, json, os, random, shutil, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
spec = importlib.util.spec_from_file_location("compare", f"{ROOT}/benches/compare/run.py")
compare = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare)

LAYOUTS = ["heap", "key", "zones", "buckets", "sorted_buckets", "hive", "false"]
SIZES = ["small", "medium", "large"]
SKEWS = ["uniform", "zipf0.5", "zipf1", "zipf1.5", "hot", "both"]
KINDS = {"inner": "JOIN", "left": "LEFT JOIN", "full": "FULL JOIN", "semi": "SEMI JOIN", "anti": "ANTI JOIN"}
OUTPUTS = ["emit", "aggregate"]
STRATEGIES = ["broadcast_hash", "partitioned_hash", "sort_merge", "skew_aware"]
RIVALS = ["duckdb", "polars"]
CELL_S_MIN = 0.2


def sample(cells, seed):
    """Draws cells; each dimension goes round its shuffled values, so that all come up alike."""
    chance = random.Random(seed)
    dimensions = [LAYOUTS, SIZES, SKEWS, list(KINDS), OUTPUTS]
    decks = [[] for _ in dimensions]
    drawn = []
    while len(drawn) < min(cells, len(list(itertools.product(*dimensions)))):
        for deck, values in zip(decks, dimensions):
            if not deck:
                deck.extend(chance.sample(values, len(values)))
        cell = tuple(deck.pop() for deck in decks)
        if cell not in drawn:
            drawn.append(cell)
    # Cells of the same files stand side by side.
    return sorted(drawn)


def sql(layout, kind, output, skep):
    """One query; SEMI and ANTI are spelled Spark's way for skep."""
    word = KINDS[kind] if not skep or kind not in ("semi", "anti") else "LEFT " + KINDS[kind]
    joined = f"FROM facts f {word} dims d ON f.k = d.k" + (" AND f.p = d.p" if layout == "hive" else "")
    right = kind not in ("semi", "anti")
    if output == "emit":
        return f"SELECT f.k, f.v{', d.x' if right else ''} {joined}"
    return f"SELECT count(*) AS n, sum(f.v) AS s{', sum(d.x) AS t' if right else ''} {joined}"


def measure(args, data, cell):
    """CPU seconds of all rounds by engine or strategy, or the error's text."""
    layout, size, skew, kind, output = cell
    serve = [args.suite, "--serve", "--data", data, "--threads", str(args.threads)]
    commands = {"skep": serve, **{r: [args.peers, f"{ROOT}/benches/compare/peer.py", r, data] for r in args.rivals}}
    engines = {name: compare.Engine(name, command, args.threads, args.timeout) for name, command in commands.items()}
    runs = {name: [] for name in ["auto"] + STRATEGIES + args.rivals}
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in runs:
            text = sql(layout, kind, output, name not in RIVALS)
            with open(f"{scratch}/{name}.sql", "w") as f:
                f.write(text if name in RIVALS else f"SET skep.join.strategy = {name}; {text}")
        # A round that does not count: the first to read the files pays for their way into memory.
        for number in range(args.runs + 1):
            least = min((min(found) for found in runs.values() if isinstance(found, list) and found), default=0)
            for name, found in runs.items():
                if number > 1 and name in STRATEGIES and not isinstance(found, str) and min(found) > 2 * least:
                    continue
                engine = engines[name if name in RIVALS else "skep"]
                reply = engine.ask(f"{scratch}/{name}.sql" + ("\t-" if output == "emit" else ""))
                if "error" in reply:
                    runs[name] = reply["error"]
                    continue
                if not isinstance(found, str) and number > 0:
                    found.append(reply["cpu_s"])
                    rows[name] = reply["rows"]
    for engine in engines.values():
        engine.close()
    if len(set(rows.values())) > 1:
        raise SystemExit(f"{'/'.join(cell)}: answers differ in rows: {rows}")
    return runs


def regrets_of(results, figure):
    """`auto` over the best forced strategy, cell by cell, by one figure of the rounds."""
    found = []
    for runs in results.values():
        forced = [figure(runs[s]) for s in STRATEGIES if isinstance(runs.get(s), list)]
        if forced and isinstance(runs["auto"], list) and min(forced) >= CELL_S_MIN:
            found.append(figure(runs["auto"]) / min(forced))
    return sorted(found)


def report(results):
    """Prints both tables and the share of cells within the bounds."""
    every = results
    results = {cell: {name: statistics.median(found) if isinstance(found, list) else found for name, found in runs.items()}
               for cell, runs in results.items()}
    print("\ncell                                          " + "".join(f"{n[:10]:>11}" for n in ["auto"] + STRATEGIES + RIVALS)
          + "     regret   of rival")
    shares = []
    number = lambda found: f"{found:11.3f}" if isinstance(found, float) else f"{'-':>11}"
    for cell, found in results.items():
        forced = [found[s] for s in STRATEGIES if isinstance(found.get(s), float)]
        rivals = [found[r] for r in RIVALS if isinstance(found.get(r), float)]
        regret = found["auto"] / min(forced) if forced and isinstance(found["auto"], float) else None
        share = found["auto"] / min(rivals) if rivals and isinstance(found["auto"], float) else None
        counted = regret is not None and min(forced) >= CELL_S_MIN
        shares += [share] if share is not None else []
        mark = f"{regret:10.2f}" + (" " if counted else "*") if regret else f"{'-':>11}"
        print(f"{cell:46}" + "".join(number(found.get(n)) for n in ["auto"] + STRATEGIES + RIVALS)
              + mark + (f"{share:10.2f}" if share else ""))
    for name, figure in (("medians", statistics.median), ("least", min)):
        if regrets := regrets_of(every, figure):
            within = lambda most: 100 * sum(r <= most for r in regrets) / len(regrets)
            print(f"\nregret by {name} over {len(regrets)} cells of at least {CELL_S_MIN * 1000:.0f} ms: "
                  f"median {statistics.median(regrets):.2f}, largest {regrets[-1]:.2f}; at most 1.1 in {within(1.1):.0f}%, "
                  f"at most 1.5 in {within(1.5):.0f}%", end="")
    print()
    if shares:
        print(f"auto over the better rival: median {statistics.median(shares):.2f}, largest {max(shares):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--cells", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--sizes", default="")
    parser.add_argument("--json")
    parser.add_argument("--rivals", default=",".join(RIVALS))
    parser.add_argument("--make", action="store_true", help="only make the files, for a later run")
    parser.add_argument("--keep", action="store_true", help="leave the files")
    target = os.path.join(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"))
    parser.add_argument("--suite", default=f"{target}/release/examples/suite")
    args = parser.parse_args()
    args.rivals = [rival for rival in args.rivals.split(",") if rival]
    cells = [tuple(cell.split("/")) for cell in args.only] or sample(args.cells, args.seed)
    cells = [cell for cell in cells if not args.sizes or cell[1] in args.sizes.split(",")]
    results = {}
    if args.json and os.path.exists(args.json):
        with open(args.json) as f:
            results = {cell: found for cell, found in json.load(f).items() if tuple(cell.split("/")) in cells}
    cells = [cell for cell in cells if "/".join(cell) not in results]
    for files, group in itertools.groupby(cells, key=lambda cell: cell[:3]):
        data = os.path.join(os.path.abspath(args.folder), "-".join(files))
        if not os.path.isdir(data):
            subprocess.run([args.peers, f"{HERE}/data.py", f"{data}.part", *files], check=True)
            os.rename(f"{data}.part", data)
        try:
            for cell in [] if args.make else group:
                results["/".join(cell)] = measure(args, data, cell)
                shown = {n: min(found) if isinstance(found, list) else found for n, found in results["/".join(cell)].items()}
                print("/".join(cell), json.dumps(shown), flush=True)
        finally:
            if not args.keep and not args.make:
                shutil.rmtree(data)
        if args.json and not args.make:
            with open(args.json, "w") as f:
                json.dump(results, f, indent=1)
    if not args.make:
        report(results)


if __name__ == "__main__":
    main()
