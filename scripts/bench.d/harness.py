"""What all benchmark rows share: programs that are asked in turn, medians, the table, the corpus and the mount."""
import contextlib
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import time

from model_file import ModelFile

# As many documents of 800 words as make 100,000 chunks.
DOCUMENTS, WORDS = 15300, 800


class Row:
    """One line of the table. `measure(bench, row)` ends with bench.add(row, ...)."""

    def __init__(self, name, title, target, measure, large=False):
        self.name, self.title, self.target, self.measure, self.large = name, title, target, measure, large


class Missing(Exception):
    """A baseline that this machine cannot provide."""


class Program:
    """A program that answers a line of tab-separated words with a line of JSON (tests/bench/bench.h)."""

    def __init__(self, *command, **keywords):
        self.name = os.path.basename(command[-1])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **keywords)

    def ask(self, *words):
        self.process.stdin.write("\t".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("%s ended at `%s`" % (self.name, " ".join(str(w) for w in words)))
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def interleave(rounds, sides):
    """Runs each of `sides` (name -> function that returns a number or a list) `rounds` times in turn. Returns name -> results."""
    results = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            results[name].append(run())
    return results


def medians(results):
    return {name: statistics.median(runs) for name, runs in results.items()}


def seconds(function, *arguments):
    start = time.monotonic()
    function(*arguments)
    return time.monotonic() - start


def run(*command, **keywords):
    """Runs to the end; the output goes nowhere, an exit status other than 0 is an error."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **keywords)


def disk_usage(path):
    total = 0
    for folder, _, names in os.walk(path):
        total += sum(os.lstat(os.path.join(folder, n)).st_blocks * 512 for n in names)
    return total


def apparent_size(path):
    total = 0
    for folder, _, names in os.walk(path):
        total += sum(os.lstat(os.path.join(folder, n)).st_size for n in names)
    return total


def drop_files(folder):
    """Leaves five of seven files, which for train/ makes about 100,000 chunks."""
    paths = sorted(os.path.join(f, n) for f, _, names in os.walk(folder) for n in names)
    for number, path in enumerate(paths):
        if number % 7 in (2, 5):
            os.unlink(path)


class Bench:
    def __init__(self, root, work, rounds, large):
        self.root, self.work, self.rounds, self.large = root, work, rounds, large
        self.program_path = os.environ.get("PROGRAM", os.path.join(root, "build", "corpusfs"))
        self.bench_dir = os.environ.get("BENCH_DIR", os.path.join(root, "build", "normal", "bench"))
        self.results, self.programs, self.cache = [], [], {}
        os.makedirs(work, exist_ok=True)
        os.environ["XDG_CACHE_HOME"] = self.path("cache")

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    # --- programs ---

    def program(self, name):
        """A benchmark program, started once."""
        return self.started(name, os.path.join(self.bench_dir, name))

    def started(self, key, *command, **keywords):
        if key not in self.cache:
            self.cache[key] = Program(*command, **keywords)
            self.programs.append(self.cache[key])
        return self.cache[key]

    def stop(self, key):
        if key in self.cache:
            program = self.cache.pop(key)
            self.programs.remove(program)
            program.close()

    def close(self):
        for program in self.programs:
            program.close()

    def need(self, *tools):
        missing = [t for t in tools if not shutil.which(t)]
        if missing:
            raise Missing("no " + ", ".join(missing) + " (scripts/install-packages bench)")

    def python(self, *packages):
        """The interpreter of a virtual environment that holds these packages of PyPI."""
        python = self.path("venv", "bin", "python")
        if not os.path.exists(python):
            result = subprocess.run([sys.executable, "-m", "venv", self.path("venv")], capture_output=True, text=True)
            if result.returncode:
                shutil.rmtree(self.path("venv"), ignore_errors=True)
                raise Missing("python3 -m venv failed (scripts/install-packages bench)")
        probe = "; ".join("import " + p.replace("-", "_") for p in packages)
        if subprocess.run([python, "-c", probe], capture_output=True).returncode:
            result = subprocess.run([python, "-m", "pip", "-q", "install", *packages], capture_output=True, text=True)
            if result.returncode:
                raise Missing("pip install %s failed" % " ".join(packages))
        return python

    # --- documents ---

    def vocabulary(self):
        """The built-in model's word pieces in a file, one a line."""
        out = self.path("vocabulary.txt")
        with open(out, "wb") as f:
            f.write(ModelFile(os.path.join(self.root, "src", "embed", "model_static.bin")).vocabulary)
        return out

    def corpus(self):
        """A folder of documents that gives about 100,000 chunks, and for --large a million."""
        if "corpus" not in self.cache:
            shared = os.environ.get("CORPUSFS_SHARED")
            if shared and not self.large:
                self.cache["corpus"] = self.unpacked(os.path.join(shared, "train"))
                self.cache["corpus_name"] = "five of seven files of train/ of $CORPUSFS_SHARED"
            else:
                self.cache["corpus"] = self.made_up(DOCUMENTS * (10 if self.large else 1))
                self.cache["corpus_name"] = "made up"
        return self.cache["corpus"]

    def made_up(self, documents):
        folder = self.path("documents-%d" % documents)
        if not os.path.exists(folder):
            half = folder + ".new"
            shutil.rmtree(half, ignore_errors=True)
            run(os.path.join(self.bench_dir, "bench_corpus"), half, str(documents), str(WORDS), "1", self.vocabulary())
            os.rename(half, folder)
        return folder

    def unpacked(self, archives):
        folder = self.path("documents-train")
        if not os.path.exists(folder):
            half = folder + ".new"
            shutil.rmtree(half, ignore_errors=True)
            for name in sorted(os.listdir(archives)):
                with tarfile.open(os.path.join(archives, name)) as archive:
                    archive.extractall(half)
            drop_files(half)
            os.rename(half, folder)
        return folder

    def index(self, source, store):
        run(self.program_path, "index", "--store=" + store, source)

    def store(self):
        """The store of corpus(), indexed once for all rows that only read it."""
        if "store" not in self.cache:
            store = self.path("store-large" if self.large else "store")
            shutil.rmtree(store, ignore_errors=True)
            self.cache["index seconds"] = seconds(self.index, self.corpus(), store)
            self.cache["store"] = store
        return self.cache["store"]

    def chunks(self):
        """All chunks of corpus() in one file (tests/bench/bench.h, struct texts), as (path, count, bytes)."""
        if "chunks" not in self.cache:
            out = self.path("chunks.bin")
            reply = self.library().ask("dump", out)
            self.cache["chunks"] = (out, reply["chunks"], reply["bytes"])
        return self.cache["chunks"]

    def library(self):
        """bench_query with the store of corpus() open."""
        fresh = "bench_query" not in self.cache
        store = self.store() if fresh else None
        program = self.program("bench_query")
        if fresh:
            program.ask("open", self.corpus(), store)
        return program

    # --- the mount ---

    @contextlib.contextmanager
    def mounted(self, source, store, *options):
        """Yields (mountpoint, pid of the daemon), complete and idle."""
        mountpoint = self.path("mount")
        os.makedirs(mountpoint, exist_ok=True)
        log = open(self.path("mount.log"), "ab")
        process = subprocess.Popen([self.program_path, "mount", "-f", "--store=" + store, *options, source, mountpoint], stdout=log, stderr=log)
        try:
            self.wait_until_complete(process, mountpoint)
            yield mountpoint, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()
            subprocess.run([self.program_path, "unmount", mountpoint], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait_until_complete(self, process, mountpoint):
        status = os.path.join(mountpoint, "status", "status.json")
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError("the mount ended with status %d: %s" % (process.returncode, self.path("mount.log")))
            try:
                with open(status, encoding="utf-8") as f:
                    if json.load(f)["complete"]:
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError("the mount is not complete after ten minutes")

    # --- results ---

    def add(self, row, ours=None, baseline=None, reached=None, note="", runs=None, failure=None):
        """`ours` and `baseline` are texts for the table; `reached` True, False or None where there is no verdict."""
        result = {"name": row.name, "title": row.title, "target": row.target, "ours": ours, "baseline": baseline, "reached": reached,
                  "note": note, "runs": runs, "failure": failure, "load": os.getloadavg()[0]}
        self.results.append(result)
        verdict = {True: "reached", False: "NOT REACHED", None: "failed" if failure else "no verdict"}[reached]
        print("%-16s %s | %s | %s" % (row.name, failure or ours, baseline or "", verdict), file=sys.stderr)

    def machine(self):
        cpu = "unknown processor"
        with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as f:
            cpu = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), cpu)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
        return "%s, %d processors, %d GiB, Linux %s" % (cpu, len(os.sched_getaffinity(0)), memory, platform.release())

    def write_results(self):
        about = {"machine": self.machine(), "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "rounds": self.rounds,
                 "documents": self.cache.get("corpus_name", "")}
        loads = [r["load"] for r in self.results]
        with open(self.path("results.json"), "w", encoding="utf-8") as f:
            json.dump({"about": about, "rows": self.results}, f, indent=1)
        with open(self.path("table.md"), "w", encoding="utf-8") as f:
            f.write("%s. Medians of %d runs. %s UTC. Documents: %s. Load average while measuring: %.1f to %.1f.\n\n" % (
                about["machine"], self.rounds, about["when"], about["documents"] or "none", min(loads), max(loads)))
            f.write("| what | must reach | measured | baseline in the same run | reached | |\n|---|---|---|---|---|---|\n")
            for r in self.results:
                verdict = {True: "yes", False: "**no**", None: "?"}[r["reached"]]
                f.write("| %s | %s | %s | %s | %s | %s |\n" % (r["title"], r["target"], r["failure"] or r["ours"], r["baseline"] or "", verdict,
                                                            r["note"]))
