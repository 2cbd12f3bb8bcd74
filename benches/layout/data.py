#!/usr/bin/env python3
"""The same rows in different layouts: data.py FOLDER LAYOUT SIZE SKEW writes FOLDER/facts and FOLDER/dims.

facts(k, p, v) and dims(k, p, x) are joined on k; p is k modulo 16, and the partition directory of the
layout `hive`. Most keys of dims have one row; a fifth of the keys of facts have none there. All is made
from a fixed seed, so that the layouts of one size and skew hold the same rows. Needs numpy and pyarrow.
"""
import os, sys
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Heap in random order; key order; zones apart but unsorted inside; buckets by Spark's hash; the same,
# sorted; directories; said to be sorted, but every fourth row group is not.
LAYOUTS = ["heap", "key", "zones", "buckets", "sorted_buckets", "hive", "false"]
# Rows of facts and dims.
SIZES = {"small": (6_000_000, 600_000), "medium": (15_000_000, 3_000_000), "large": (30_000_000, 12_000_000)}
# `hot`: one key has the share of the rows that the size picks from HOT_SHARES; `both`: 10% of the rows
# of facts have a key with 30 rows in dims.
SKEWS = ["uniform", "zipf0.5", "zipf1", "zipf1.5", "hot", "both"]
HOT_SHARES = {"small": 0.9, "medium": 0.5, "large": 0.1}
GROUP_ROWS, FILES, BUCKETS, PARTITIONS = 128 << 10, 8, 16, 16
BOTH_SHARE, BOTH_ROWS = 0.1, 30


def keys(size, skew):
    """The keys of facts and of dims, in random order."""
    rows, count = SIZES[size]
    random = np.random.default_rng(42)
    domain = count + count // 4
    dims = random.permutation(domain)[:count].astype(np.int64)
    uniform = random.random(rows)
    if skew.startswith("zipf"):
        # The inverse of the continuous distribution: ranks from 1.
        s = float(skew[4:])
        rank = domain**uniform if s == 1 else (uniform * (domain ** (1 - s) - 1) + 1) ** (1 / (1 - s))
        # Frequent keys are spread over the domain.
        return random.permutation(domain)[np.minimum(rank.astype(np.int64) - 1, domain - 1)], dims
    facts = (uniform * domain).astype(np.int64)
    if skew in ("hot", "both"):
        hot = dims[count // 2]
        facts[random.random(rows) < (HOT_SHARES[size] if skew == "hot" else BOTH_SHARE)] = hot
        if skew == "both":
            dims = random.permutation(np.concatenate([dims, np.full(BOTH_ROWS - 1, hot)]))
    return facts, dims


def spark_bucket(key):
    """Spark's bucket of a BIGINT: Murmur3 of its two halves, seed 42."""
    u = np.uint32
    rotate = lambda x, by: (x << u(by)) | (x >> u(32 - by))
    bits = key.astype(np.int64).view(np.uint64)
    h = np.full(len(key), 42, dtype=u)
    for half in (bits.astype(u), (bits >> np.uint64(32)).astype(u)):
        h = rotate(h ^ rotate(half * u(0xCC9E2D51), 15) * u(0x1B873593), 13) * u(5) + u(0xE6546B64)
    h ^= u(8)
    h = (h ^ (h >> u(16))) * u(0x85EBCA6B)
    h = (h ^ (h >> u(13))) * u(0xC2B2AE35)
    return (h ^ (h >> u(16))).view(np.int32).astype(np.int64) % BUCKETS


def write(path, table, sorted_by_k=False):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    order = [pq.SortingColumn(0)] if sorted_by_k else None
    pq.write_table(table, path, row_group_size=GROUP_ROWS, compression="snappy", write_page_index=True, sorting_columns=order)


def lay_out(folder, layout, key, value):
    """Writes the rows (key, key % 16, value) to a folder."""
    random = np.random.default_rng(7)
    if layout in ("key", "zones", "false"):
        order = np.argsort(key, kind="stable")
        groups = range(0, len(key), GROUP_ROWS)
        shuffled = {"key": [], "zones": groups, "false": groups[::4]}[layout]
        for start in shuffled:
            random.shuffle(order[start : start + GROUP_ROWS])
        key, value = key[order], value[order]
    table = pa.table({"k": key, "p": (key % PARTITIONS).astype(np.int32), "v" if "facts" in folder else "x": value})
    if layout in ("buckets", "sorted_buckets"):
        bucket = spark_bucket(key)
        for number in range(BUCKETS):
            part = table.filter(pa.array(bucket == number))
            part = part.sort_by("k") if layout == "sorted_buckets" else part
            name = f"part-{number:05}-7c9e6679-7425-40de-944b-e07fc1f90ae7_{number:05}.c000.snappy.parquet"
            write(f"{folder}/{name}", part, layout == "sorted_buckets")
    elif layout == "hive":
        for number in range(PARTITIONS):
            part = table.filter(pa.array(key % PARTITIONS == number)).drop_columns(["p"])
            write(f"{folder}/p={number}/part-0.parquet", part)
    else:
        rows = -(-len(key) // (FILES * GROUP_ROWS)) * GROUP_ROWS
        for number, start in enumerate(range(0, len(key), rows)):
            write(f"{folder}/part-{number}.parquet", table.slice(start, rows), layout in ("key", "false"))


def make(folder, layout, size, skew):
    facts, dims = keys(size, skew)
    for name, key in (("facts", facts), ("dims", dims)):
        value = np.random.default_rng(len(key)).integers(0, 10_000, len(key))
        lay_out(f"{folder}/{name}", layout, key, value)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    make(*sys.argv[1:])
