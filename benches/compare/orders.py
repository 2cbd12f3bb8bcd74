#!/usr/bin/env python3
"""How good the chosen join orders are: TPC-H queries as skep orders them against orders found by trying.

Usage: orders.py DIR SCALE [--only q05] [--orders 24] [--runs 3] [--threads N] [--seed 1] [--suite PATH]

For each query, FROM lists are permuted at random (only such that every table joins one before it)
and run as written, with `skep.optimizer.join_order = false`; then permuted again and run with it on.
Printed per query, in CPU seconds: the worst and best order tried, what skep chose (the worst of the
permutations, which should not matter), and its ratio to the best tried: at most 1.2 is the aim.
Standard library only; DIR is what data.sh made.
"""
import argparse, os, random, re, tempfile
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from run import Engine, ROOT

QUERIES = ["q05", "q07", "q08", "q09", "q21"]
PREFIX = {"c": "customer", "o": "orders", "l": "lineitem", "s": "supplier", "n": "nation", "r": "region", "p": "part", "ps": "partsupp"}
FROM = re.compile(r"\bFROM\s+((?:\w+(?: \w+)?\s*,\s*)+\w+(?: \w+)?)(\s+WHERE)", re.IGNORECASE)


def tables(sql):
    """The tables of the longest FROM list, by alias, and the match."""
    match = max(FROM.finditer(sql), key=lambda m: m.group(1).count(","))
    named = [item.split() for item in match.group(1).split(",")]
    return {item[-1]: " ".join(item) for item in named}, match


def edges(sql, names):
    """Pairs of aliases that an equality of the query connects."""
    def owner(column):
        if "." in column:
            alias = column.split(".")[0]
            return alias if alias in names else None
        table = PREFIX.get(column.split("_")[0])
        found = [alias for alias, item in names.items() if item.split()[0] == table]
        return found[0] if found else None
    pairs = re.findall(r"((?:\w+\.)?\w+)\s*=\s*((?:\w+\.)?\w+)", sql)
    found = {(owner(a), owner(b)) for a, b in pairs}
    return {pair for a, b in found if a and b and a != b for pair in [(a, b), (b, a)]}


def permuted(names, joined, chance):
    """A random order in which every table but the first joins one before it."""
    order = [chance.choice(sorted(names))]
    while len(order) < len(names):
        order.append(chance.choice(sorted(name for name in names if name not in order and any((known, name) in joined for known in order))))
    return order


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir")
    parser.add_argument("scale")
    parser.add_argument("--only", default=",".join(QUERIES))
    parser.add_argument("--orders", type=int, default=24)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=120)
    target = os.path.join(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"))
    parser.add_argument("--suite", default=f"{target}/release/examples/suite")
    args = parser.parse_args()
    data = os.path.abspath(f"{args.dir}/tpch{args.scale}")
    command = [args.suite, "--serve", "--data", data, "--threads", str(args.threads)]
    written = Engine("written", command + ["--set", "skep.optimizer.join_order=false"], args.threads, args.timeout)
    chosen = Engine("chosen", command, args.threads, args.timeout)
    chance = random.Random(args.seed)
    print(f"{os.path.basename(data)}, {args.threads} threads, {args.orders} orders a query, best of {args.runs}, CPU s")
    print("query   worst tried   best tried   chosen   ratio   best order tried")
    with tempfile.TemporaryDirectory() as scratch:
        def cpu(engine, sql, runs):
            path = f"{scratch}/query.sql"
            with open(path, "w") as f:
                f.write(sql)
            replies = [engine.ask(path) for _ in range(runs)]
            return min((reply["cpu_s"] for reply in replies if "cpu_s" in reply), default=float("inf"))

        for query in args.only.split(","):
            with open(f"{args.dir}/queries/tpch{args.scale}/{query}.sql") as f:
                sql = f.read()
            names, match = tables(sql)
            joined = edges(sql, names)
            spell = lambda order: f"{sql[:match.start(1)]}{', '.join(names[name] for name in order)}{sql[match.end(1):]}"
            orders = {tuple(permuted(names, joined, chance)) for _ in range(args.orders)}
            tried = sorted((cpu(written, spell(order), 1), order) for order in sorted(orders))
            # Orders near the best get as many runs as the chosen one.
            close = [(cpu(written, spell(order), args.runs), order) for _, order in tried[:5]]
            best, order = min(close)
            ours = max(cpu(chosen, spell(order), args.runs) for order in sorted(orders)[:3])
            print(f"{query:7}{tried[-1][0]:12.2f}{best:13.2f}{ours:9.2f}{ours / best:8.2f}   {', '.join(order)}", flush=True)
    written.close()
    chosen.close()


if __name__ == "__main__":
    main()
