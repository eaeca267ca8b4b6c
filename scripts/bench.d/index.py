"""Rows about indexing: the first time, again, after changes, and what the store takes."""
import os
import resource
import shutil
import statistics
import time

from harness import Row, apparent_size, disk_usage, interleave, medians, run, seconds


def text_bytes(bench):
    return bench.chunks()[2]


def fresh_index(bench, cpu):
    """Seconds of a whole index into an empty store, which stays in store-fresh; appends its CPU seconds to `cpu`."""
    store = bench.path("store-fresh")
    shutil.rmtree(store, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = seconds(bench.index, bench.corpus(), store)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return took


def fts5_index(bench, cpu):
    reply = bench.program("bench_fts5").ask("index", bench.chunks()[0], bench.path("fts5.db"))
    cpu.append(reply["cpu_s"])
    return reply["ms"][0] / 1e3


def measure_index(bench, row):
    bench.chunks()
    cpu = {"ours": [], "fts5": []}
    runs = interleave(bench.rounds, {"ours": lambda: fresh_index(bench, cpu["ours"]), "fts5": lambda: fts5_index(bench, cpu["fts5"])})
    bench.cache["full index"] = runs["ours"]
    busy = medians(cpu)
    middle, megabytes = medians(runs), text_bytes(bench) / 1e6
    rate = megabytes / middle["ours"]
    bench.add(row, "%.2f s, %.1f MB/s" % (middle["ours"], rate), "FTS5 insert %.2f s (%.2f times)" % (middle["fts5"], middle["ours"] / middle["fts5"]),
              middle["ours"] <= middle["fts5"] and rate >= 15, "%d chunks, %.0f MB of text; CPU seconds %.1f, FTS5 %.1f" % (bench.chunks()[1], megabytes, busy["ours"], busy["fts5"]),
              {"wall": runs, "cpu": cpu})


def full_index_seconds(bench):
    if "full index" not in bench.cache:
        bench.cache["full index"] = [fresh_index(bench, [])]
    return statistics.median(bench.cache["full index"])


def find_all(source):
    run("find", source, "-printf", "%T@ %s\n")


def measure_unchanged(bench, row):
    source, store = bench.corpus(), bench.store()
    runs = interleave(bench.rounds + 2, {"ours": lambda: seconds(bench.index, source, store), "find": lambda: seconds(find_all, source)})
    middle = medians(runs)
    ratio = middle["ours"] / middle["find"]
    bench.add(row, "%.0f ms" % (middle["ours"] * 1e3), "find %.0f ms (%.2f times)" % (middle["find"] * 1e3, ratio), ratio <= 1.5, "", runs)


def change_files(source, round_number):
    """Appends a line to every hundredth file."""
    files = sorted(os.path.join(folder, n) for folder, _, names in os.walk(source) for n in names)
    for path in files[round_number % 100::100]:
        with open(path, "a", encoding="utf-8") as f:
            f.write("\nA line added in round %d at %f.\n" % (round_number, time.time()))
    return len(files[round_number % 100::100])


def measure_changed(bench, row):
    source, store = bench.path("documents-changing"), bench.path("store-changing")
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(bench.corpus(), source, symlinks=True)
    bench.index(source, store)
    runs = []
    for number in range(bench.rounds):
        changed = change_files(source, number)
        runs.append(seconds(bench.index, source, store))
    ours, full = statistics.median(runs), full_index_seconds(bench)
    shutil.rmtree(source)
    shutil.rmtree(store)
    bench.add(row, "%.0f ms, %.1f %% of the full time" % (ours * 1e3, 100 * ours / full), "full index %.2f s" % full, ours <= 0.03 * full,
              "%d files" % changed, {"ours": runs})


def measure_size(bench, row):
    store, source = disk_usage(bench.store()), apparent_size(bench.corpus())
    bench.add(row, "%.2f times the text (%.0f MB)" % (store / source, store / 1e6), "source %.0f MB" % (source / 1e6), store <= 2.5 * source, "",
              {"store": store, "source": source})


ROWS = [
    Row("index", "index text, empty store, 2 cores, all stages, vectors included", "<= 1.0 times FTS5's insert of the same chunks; >= 15 MB/s",
        measure_index),
    Row("index-again", "index again, nothing changed", "<= 1.5 times `find -printf '%T@ %s'`", measure_unchanged),
    Row("index-changed", "index after 1 % of the files changed", "<= 3 % of the full time", measure_changed),
    Row("store-size", "store on disk", "<= 2.5 times the text, vectors included", measure_size),
]
