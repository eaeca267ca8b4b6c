"""Rows about taking text out of documents, beside pdftotext and pandoc on the same files with as many processes as we have threads."""
import os
import random
import resource
import subprocess
import time

from harness import Missing, Row, interleave, medians, run

PAGES = 20
MARKDOWN_KINDS = ("docx", "odt", "epub", "html")


def pdf_files(bench):
    """The PDF files of the shared documents: pages made up here would all be alike."""
    shared = os.environ.get("CORPUSFS_SHARED")
    folder = bench.path("documents-pdf")
    if not os.path.isdir(folder):
        archive = os.path.join(shared or "", "documents", "pdfjs.tar.xz")
        if not os.path.exists(archive):
            raise Missing("no PDF files: CORPUSFS_SHARED")
        os.makedirs(folder + ".new", exist_ok=True)
        run("tar", "xJf", archive, "-C", folder + ".new")
        os.rename(folder + ".new", folder)
    found = sorted(os.path.join(f, n) for f, _, names in os.walk(folder) for n in names if n.endswith(".pdf"))
    # Those that keep pdftotext until a deadline would be all that is measured.
    return [path for path in found if quick(path)]


def quick(path):
    start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    try:
        subprocess.run(["pdftotext", "-q", path, "-"], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return False
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start < 2


def page(number, words):
    """About ten printed pages of Markdown with headings, lists, links and a table."""
    source = random.Random(number)

    def sentence(least=6, most=22):
        return " ".join(source.choice(words) for _ in range(source.randint(least, most))).capitalize()

    lines = ["# " + sentence(3, 6), ""]
    for _ in range(12):
        lines += ["## " + sentence(3, 7), ""]
        for _ in range(4):
            lines += [". ".join(sentence() for _ in range(5)) + ".", ""]
        lines += ["- " + sentence() for _ in range(5)] + ["", "See [%s](https://example.org/%d)." % (sentence(2, 3), number), ""]
        lines += ["| %s | %s | %s |" % (sentence(1, 2), sentence(1, 2), sentence(1, 2)), "|---|---|---|"]
        lines += ["| %s | %d | %s |" % (sentence(2, 5), source.randint(1, 9999), sentence(1, 3)) for _ in range(8)] + [""]
    return "\n".join(lines)


def made_files(bench, kind):
    """Pages in one kind, written by pandoc itself."""
    folder = bench.path("documents-" + kind)
    paths = [os.path.join(folder, "page-%d.%s" % (i, kind)) for i in range(PAGES)]
    if not all(os.path.exists(p) for p in paths):
        os.makedirs(folder, exist_ok=True)
        with open(bench.vocabulary(), encoding="utf-8") as f:
            words = [w for w in f.read().split("\n") if w.isalpha() and len(w) > 2]
        for number, path in enumerate(paths):
            source = os.path.splitext(path)[0] + ".md"
            with open(source, "w", encoding="utf-8") as f:
                f.write(page(number, words))
            run("pandoc", "-f", "markdown", "-s", "-o", path, source, stderr=subprocess.DEVNULL)
            os.unlink(source)
    return paths


def list_file(bench, name, paths):
    out = bench.path("list-" + name)
    with open(out, "w", encoding="utf-8") as f:
        f.write("\n".join(paths) + "\n")
    return out


def by_program(listed, threads, *command):
    """(wall, CPU) seconds of one process a file, `threads` at a time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with open(listed, "rb") as f:
        subprocess.run(["xargs", "-d", "\\n", "-P", str(threads), "-I", "{}", *command], stdin=f, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def by_us(bench, listed, threads):
    reply = bench.program("bench_extract").ask("extract", listed, threads)
    return reply["wall_s"], reply["cpu_s"]


def compare(bench, row, paths, least, *command):
    """Throughput beside `command`: by wall time, and on a busy machine, where that says nothing, by processor time."""
    threads = len(os.sched_getaffinity(0))
    listed = list_file(bench, row.name, paths)
    runs = interleave(bench.rounds, {"ours": lambda: by_us(bench, listed, threads), "baseline": lambda: by_program(listed, threads, *command)})
    bench.stop("bench_extract")
    wall, cpu = (medians({side: [r[i] for r in results] for side, results in runs.items()}) for i in (0, 1))
    busy = os.getloadavg()[0] > threads + 1
    by_wall, by_cpu = wall["baseline"] / wall["ours"], cpu["baseline"] / cpu["ours"]
    bench.add(row, "%.2f s, %.2f CPU-seconds" % (wall["ours"], cpu["ours"]),
              "%s %.2f s, %.2f CPU-seconds (%.2f times by wall time, %.2f by processor time)" % (command[0], wall["baseline"], cpu["baseline"],
                                                                                                by_wall, by_cpu),
              (by_cpu if busy else by_wall) >= least,
              "%d files, %d at a time%s" % (len(paths), threads, "; busy machine: judged by processor time" if busy else ""), runs)


def measured(files, least, *command):
    """A row's measure function; without the baseline, or documents for it, the row says so."""
    def measure(bench, row):
        try:
            bench.need(command[0], "xargs")
            paths = files(bench)
        except Missing as reason:
            bench.add(row, "", "missing: %s" % reason)
            return
        compare(bench, row, paths, least, *command)

    return measure


ROWS = [Row("extract-pdf", "text of PDF files, isolated", ">= 0.9 of pdftotext's throughput at equal parallelism",
            measured(pdf_files, 0.9, "pdftotext", "-q", "-enc", "UTF-8", "{}", "-"))] + [
    Row("extract-" + kind, "text of %s files, isolated" % kind.upper(), ">= 10 times pandoc's throughput",
        measured(lambda bench, kind=kind: made_files(bench, kind), 10, "pandoc", "-f", kind, "-t", "plain", "{}"))
    for kind in MARKDOWN_KINDS]
