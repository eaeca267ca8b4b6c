"""Rows about files through the mount, beside the same files natively and in a squashfs image."""
import contextlib
import os
import shutil
import statistics
import subprocess
import time

from harness import Missing, Row, interleave, medians, run, seconds

FILES = 100000


def many_files(bench, count):
    """A folder of `count` small text files, a hundred in each subfolder."""
    folder = bench.path("files-%d" % count)
    if not os.path.exists(folder):
        half = folder + ".new"
        shutil.rmtree(half, ignore_errors=True)
        for number in range(count):
            if number % 100 == 0:
                os.makedirs(os.path.join(half, "folder-%04d" % (number // 100)))
            with open(os.path.join(half, "folder-%04d" % (number // 100), "note-%06d.txt" % number), "w", encoding="ascii") as f:
                f.write("Note %d.\n\nNumber %d of a folder of small files.\n" % (number, number))
        os.rename(half, folder)
    return folder


# --- mounting ---

def mount_and_list(bench, source, store):
    """Seconds from the start of the command until the mountpoint has been listed."""
    mountpoint = bench.path("mount")
    os.makedirs(mountpoint, exist_ok=True)
    start = time.monotonic()
    run(bench.program_path, "mount", "--store=" + store, source, mountpoint)
    try:
        os.listdir(mountpoint)
        return time.monotonic() - start
    finally:
        run(bench.program_path, "unmount", mountpoint)


def measure_mount(bench, row):
    sides, stores = {}, []
    for count in (1, FILES):
        store = bench.path("store-mount-%d" % count)
        shutil.rmtree(store, ignore_errors=True)
        stores.append(store)
        sides[count] = lambda source=many_files(bench, count), store=store: mount_and_list(bench, source, store) * 1e3
    runs = interleave(bench.rounds, sides)
    for store in stores:
        shutil.rmtree(store, ignore_errors=True)
    middle = medians(runs)
    bench.add(row, "%.0f ms, %.0f ms" % (middle[1], middle[FILES]), "", max(middle.values()) <= 50, "the first round starts with an empty store",
              {str(k): v for k, v in runs.items()})


# --- reading ---

def read_all(path):
    with open(path, "rb", buffering=0) as f:
        room = bytearray(1 << 17)  # what cat reads at a time
        while f.readinto(room):
            pass


def passthrough_is_possible():
    """libfuse 3.17 or later, and root (the kernel asks for CAP_SYS_ADMIN outside of user namespaces)."""
    version = subprocess.run(["pkg-config", "--modversion", "fuse3"], capture_output=True, text=True, check=False).stdout
    return os.getuid() == 0 and tuple(int(n) for n in version.split(".")[:2] if n.strip().isdigit()) >= (3, 17)


def measure_raw(bench, row):
    source, store = bench.path("big"), bench.path("store-big")
    os.makedirs(source, exist_ok=True)
    path, size = os.path.join(source, "big.bin"), 256 << 20
    if not os.path.exists(path) or os.path.getsize(path) != size:
        with open(path, "wb") as f:
            for _ in range(256):
                f.write(os.urandom(1 << 20))

    def measure(*options):
        with bench.mounted(source, store, *options) as (mountpoint, _):
            ours = os.path.join(mountpoint, "raw", "big.bin")
            cold = seconds(read_all, ours)
            read_all(path)
            runs = interleave(bench.rounds, {"ours": lambda: seconds(read_all, ours), "native": lambda: seconds(read_all, path)})
        middle = medians(runs)
        return middle["native"] / middle["ours"], middle, cold, runs

    ratio, middle, cold, runs = measure()
    reached, passthrough = ratio >= 0.6, "no passthrough (libfuse before 3.17, or not root)"
    if passthrough_is_possible():
        direct, _, _, runs["passthrough"] = measure("-o", "passthrough")
        reached, passthrough = reached and direct >= 0.95, "with passthrough %.2f of native" % direct
    bench.add(row, "%.2f of native (%.1f GB/s)" % (ratio, size / middle["ours"] / 1e9), "source file %.1f GB/s" % (size / middle["native"] / 1e9),
              reached, "first read %.2f of native; %s" % (middle["native"] / cold, passthrough), runs)


def find_everything(path):
    run("find", path)


def measure_find(bench, row):
    source, store = many_files(bench, FILES), bench.path("store-files")
    bench.index(source, store)
    with bench.mounted(source, store) as (mountpoint, _):
        sides = {"clean": os.path.join(mountpoint, "clean"), "raw": os.path.join(mountpoint, "raw"), "native": source}
        for path in sides.values():
            find_everything(path)
        runs = interleave(bench.rounds, {name: lambda path=path: seconds(find_everything, path) for name, path in sides.items()})
    middle = medians(runs)
    ratios = {name: middle["native"] / middle[name] for name in ("clean", "raw")}
    bench.add(row, "clean/ %.2f of native, raw/ %.2f" % (ratios["clean"], ratios["raw"]), "source %.0f ms" % (middle["native"] * 1e3),
              min(ratios.values()) >= 0.5, "%d files" % FILES, runs)


@contextlib.contextmanager
def squashed(bench, folder):
    """Yields a squashfuse_ll mount of an image of the folder, or None with a reason."""
    try:
        bench.need("squashfuse_ll", "mksquashfs", "fusermount3")
    except Missing as missing:
        yield None, str(missing)
        return
    image, mountpoint = folder + ".squashfs", folder + ".mount"
    if os.path.exists(image):
        os.unlink(image)
    run("mksquashfs", folder, image, "-quiet", "-no-progress")
    os.makedirs(mountpoint, exist_ok=True)
    run("squashfuse_ll", image, mountpoint)
    try:
        yield mountpoint, ""
    finally:
        unmount = "fusermount3" if shutil.which("fusermount3") else "fusermount"
        subprocess.run([unmount, "-u", mountpoint], check=False)
        os.unlink(image)


def copied(bench, tree, name):
    copy = bench.path("copy-" + name)
    shutil.rmtree(copy, ignore_errors=True)
    run("cp", "-r", tree, copy)
    return copy


def cat_all(path):
    run("sh", "-c", "find \"$1\" -type f -print0 | xargs -0 cat", "cat-all", path)


def compare_reading(bench, view, readers):
    """Runs each reader over the view, its native copy and a squashfs of it. Returns {reader: {side: runs}} and why squashfuse is missing."""
    results = {}
    with bench.mounted(bench.corpus(), bench.store()) as (mountpoint, _):
        tree = os.path.join(mountpoint, view)
        copy = copied(bench, tree, view)
        with squashed(bench, copy) as (other, missing):
            paths = {"ours": tree, "native": copy}
            if other:
                paths["squashfuse_ll"] = other
            for name, reader in readers.items():
                for path in paths.values():
                    reader(path)
                results[name] = interleave(bench.rounds, {side: lambda path=path: seconds(reader, path) for side, path in paths.items()})
    shutil.rmtree(copy)
    return results, missing


def report_reading(bench, row, view, readers, limit):
    results, missing = compare_reading(bench, view, readers)
    ours, baseline, worst = [], [], 0
    for name, runs in results.items():
        middle = medians(runs)
        ratio = middle["ours"] / middle["native"]
        worst = max(worst, ratio)
        ours.append("%s %.2f times native" % (name, ratio))
        baseline.append("%s on a copy %.2f s" % (name, middle["native"]))
        if "squashfuse_ll" in middle:
            baseline.append("squashfuse_ll %.2f times" % (middle["squashfuse_ll"] / middle["native"]))
    if missing:
        baseline.append("squashfuse_ll missing: " + missing)
    bench.add(row, ", ".join(ours), ", ".join(baseline), worst <= limit, "", results)


def measure_cat(bench, row):
    report_reading(bench, row, "clean", {"cat": cat_all}, 2)


def search_with(program, *options):
    """grep and rg end with 1 when they find nothing, which is what they are asked to do here."""
    return lambda path: subprocess.run([program, *options, "no such words anywhere", path], stdout=subprocess.DEVNULL, check=False)


def measure_grep(bench, row):
    readers = {"grep -r": search_with("grep", "-r")}
    if shutil.which("rg"):
        readers["rg"] = search_with("rg", "-j2")
    report_reading(bench, row, "chunks", readers, 2.5)
    if not shutil.which("rg"):
        bench.results[-1]["note"] = "rg missing (scripts/install-packages bench)"


ROWS = [
    Row("mount", "mount until the first `ls` answers, 1 / 100,000 files", "<= 50 ms both", measure_mount),
    Row("raw", "raw/ sequential read, repeated", ">= 0.6 of native; with passthrough >= 0.95", measure_raw),
    Row("find", "`find` over clean/ and raw/, warm, 100,000 files", ">= 0.5 of native", measure_find),
    Row("cat", "`cat` of every file in clean/, computed, warm", "<= 2 times native on a copy", measure_cat),
    Row("grep", "`grep -r` and `rg` over chunks/, computed, warm", "<= 2.5 times native on a copy", measure_grep),
]
