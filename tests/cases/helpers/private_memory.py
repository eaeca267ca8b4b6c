"""The most private memory that a process ever has: private_memory.py PID FILE. Writes it to FILE, in megabytes, until the process ends."""
import os
import sys
import time

pid, path = sys.argv[1:]
most = -1
while True:
    try:
        with open("/proc/%s/smaps_rollup" % pid, encoding="ascii") as f:
            now = sum(int(line.split()[1]) for line in f if line.startswith("Private_"))
    except OSError:
        break
    if now > most:
        most = now
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write("%d\n" % (most >> 10))
        os.rename(path + ".new", path)
    time.sleep(0.1)
