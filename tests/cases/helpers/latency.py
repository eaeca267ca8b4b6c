"""Times what a person would do on a mount: latency.py MOUNTPOINT COUNT CACHED_FILE. Prints median and worst of each in milliseconds, and exits
with 1 when a median is over 50 ms or a single one took 5 s: the first is the promise, the second leaves room for a loaded machine."""
import os
import statistics
import subprocess
import sys
import time

mountpoint, count, cached = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def read_cached(i):
    with open(os.path.join(mountpoint, cached), "rb") as file:
        assert file.read()


def list_folder(i):
    assert os.listdir(os.path.join(mountpoint, "clean"))


def query(i):
    with open(os.path.join(mountpoint, "search", "lighthouse keeper %d" % i, ".results.jsonl"), "rb") as file:
        assert file.read()


failed = False
for action in (read_cached, list_folder, query):
    times = []
    for i in range(count):
        start = time.perf_counter()
        action(i)
        times.append((time.perf_counter() - start) * 1000)
    median, worst = statistics.median(times), max(times)
    print("%s: median %.2f ms, worst %.2f ms of %d" % (action.__name__, median, worst, count))
    failed = failed or median > 50 or worst > 5000
start = time.perf_counter()
subprocess.run(["cat", os.path.join(mountpoint, cached)], stdout=subprocess.DEVNULL, check=True)
print("cat as a process: %.2f ms" % ((time.perf_counter() - start) * 1000))
sys.exit(failed)
