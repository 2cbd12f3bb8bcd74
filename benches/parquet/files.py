#!/usr/bin/env python3
"""Plans and scans a table of many small files.

Usage: files.py SKEP FILE.parquet COLUMN [--files 10000] [--runs 3]

Copies FILE so often into a temporary folder and runs the command over it: with no footers stored,
then with those that the first run has left in the cache directory. The scan reads COLUMN. Prints wall and CPU seconds of
the best run, the most files open at one time and the memory used. Standard library only.
"""
import argparse, os, resource, shutil, subprocess, tempfile, time


def run(command, environment):
    """Wall and CPU seconds, most open files, peak memory in MiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, most, peak = time.time(), 0, 0
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            most = max(most, len(os.listdir(f"/proc/{process.pid}/fd")))
            with open(f"/proc/{process.pid}/status") as status:
                peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith("VmHWM")])
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            pass
        time.sleep(0.002)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    wall, after = time.time() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, most, peak // 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("skep")
    parser.add_argument("file")
    parser.add_argument("column")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    folder = tempfile.mkdtemp()
    try:
        table, cache = os.path.join(folder, "t"), os.path.join(folder, "cache")
        os.makedirs(table)
        for number in range(args.files):
            shutil.copyfile(args.file, os.path.join(table, f"{number}.parquet"))
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        # A footer of a file that was changed a moment ago is not kept.
        time.sleep(4)
        for what, sql in [("plan", "EXPLAIN SELECT * FROM t"), ("count", "SELECT count(*) FROM t"),
                          ("scan", f"SELECT sum(length(CAST({args.column} AS STRING))) FROM t")]:
            command = [args.skep, "--table", f"t={table}", "-e", sql]
            for state in ["cold", "stored"]:
                runs = []
                for _ in range(args.runs):
                    if state == "cold":
                        shutil.rmtree(cache, ignore_errors=True)
                    runs.append(run(command, environment))
                wall, cpu, most, peak = min(runs)
                print(f"{what:6} footers {state:7} {wall:6.2f} s wall {cpu:6.2f} s CPU {most:5} files open {peak:5} MiB")
        stored = sum(os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(cache) for name in names)
        print(f"{stored / 1024 / args.files:.2f} KiB stored a file")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
