"""Rows about vectors: the exact scan, the two-stage scan, the encoder."""
import os
import shutil
import statistics
import subprocess

from harness import Missing, Row

ROWS_SCANNED = 1000000


def scan_program(bench):
    """bench_vec with a million made-up rows."""
    fresh = "bench_vec" not in bench.cache
    program = bench.program("bench_vec")
    if fresh:
        program.ask("fill", ROWS_SCANNED, 1)
    return program


def ms(program, *words):
    return program.ask(*words)["ms"][0]


def sqlite_vec(bench, program):
    """A second program with the same rows in a sqlite-vec table."""
    python = bench.python("sqlite-vec")
    extension = subprocess.run([python, "-c", "import sqlite_vec; print(sqlite_vec.loadable_path())"], check=True, capture_output=True, text=True)
    folder = bench.path("rows")
    os.makedirs(folder, exist_ok=True)
    program.ask("export", folder)
    other = bench.program("bench_sqlite_vec")
    other.ask("load", extension.stdout.strip())
    other.ask("fill", folder)
    shutil.rmtree(folder)
    return other


def other_levels(bench, program, runs):
    """Measures the levels below the one in use too, and says both in words."""
    best = program.ask("level")["level"]
    words = [best]
    for level in ("avx2", "scalar"):
        if level != best and program.ask("level", level)["level"] == level:
            runs[level] = [ms(program, "scan") for _ in range(bench.rounds)]
            words.append("%s %.1f ms" % (level, statistics.median(runs[level])))
    program.ask("level", best)
    return ", ".join(words)


def measure_scan(bench, row):
    program = scan_program(bench)
    runs = {"stream": [], "scan": []}
    for _ in range(4 * bench.rounds + 1):
        runs["stream"].append(ms(program, "stream"))
        runs["scan"].append(ms(program, "scan"))
    stream, scan = statistics.median(runs["stream"]), statistics.median(runs["scan"])
    share = statistics.median(a / b for a, b in zip(runs["stream"], runs["scan"]))  # pairs ran within 50 ms of each other
    baseline = "stream %.1f ms (%.1f GB/s)" % (stream, ROWS_SCANNED * 256 / stream / 1e6)
    note = other_levels(bench, program, runs)
    try:
        other = sqlite_vec(bench, program)
        runs["sqlite-vec"] = [ms(other, "scan") for _ in range(bench.rounds)]
        baseline += "; sqlite-vec int8 %.0f ms" % statistics.median(runs["sqlite-vec"])
        bench.stop("bench_sqlite_vec")
    except (Missing, RuntimeError) as reason:
        baseline += "; sqlite-vec missing: %s" % reason
    note += "; best runs: %.1f ms, stream %.1f ms" % (min(runs["scan"]), min(runs["stream"]))
    bench.add(row, "%.1f ms, %.2f of the stream" % (scan, share), baseline, share >= 0.9, note, runs)


def fewest_candidates(program, queries=100):
    """The smallest number of candidates, from a short list, with recall 0.99, and that recall."""
    for wanted in (250, 500, 1000, 2000, 4000, 8000, 16000):
        recall = program.ask("recall", wanted, queries)["recall"]
        if recall >= 0.99:
            break
    return wanted, recall


def measure_two_stages(bench, row):
    program = scan_program(bench)
    report_two_stages(bench, row, program, "made-up rows")


def report_two_stages(bench, row, program, rows):
    wanted, recall = fewest_candidates(program)
    runs = {"exact": [], "two stages": []}
    for _ in range(4 * bench.rounds + 1):
        runs["exact"].append(ms(program, "scan"))
        runs["two stages"].append(ms(program, "twostage", wanted))
    exact, two = statistics.median(runs["exact"]), statistics.median(runs["two stages"])
    bench.add(row, "recall %.3f, %.2f ms, %.1f times faster" % (recall, two, exact / two), "exact scan %.1f ms" % exact,
              recall >= 0.99 and exact / two >= 4, "%d candidates, %s" % (wanted, rows), runs)


def measure_two_stages_on_text(bench, row):
    encoder = text_encoder(bench)
    out = bench.path("text-rows.f32")
    encoder.ask("write", out, ROWS_SCANNED)
    bench.stop("bench_vec")
    program = bench.program("bench_vec")
    program.ask("load", out)
    os.unlink(out)
    report_two_stages(bench, row, program, "1,000,000 windows of the documents, built-in model")
    bench.stop("bench_vec")


def text_encoder(bench):
    fresh = "bench_encode" not in bench.cache
    chunks = bench.chunks()[0] if fresh else None
    program = bench.program("bench_encode")
    if fresh:
        program.ask("texts", chunks)
    return program


def model2vec(bench):
    python = bench.python("model2vec")
    other = bench.started("model2vec", python, os.path.join(os.path.dirname(__file__), "serve_model2vec.py"))
    other.ask("table", os.path.join(bench.root, "src", "embed", "model_static.bin"))
    other.ask("texts", sample_of_chunks(bench))
    return other


def sample_of_chunks(bench, limit=6 << 20):
    """The first 6 MB of the chunks: what model2vec encodes in a few seconds."""
    out = bench.path("chunks-sample.bin")
    with open(bench.chunks()[0], "rb") as f, open(out, "wb") as sample:
        while sample.tell() < limit:
            head = f.read(4)
            if len(head) < 4:
                break
            sample.write(head + f.read(int.from_bytes(head, "little")))
    return out


def rate(reply):
    return reply["bytes"] / 1e6 / reply["cpu_s"]


def measure_encode(bench, row):
    encoder = text_encoder(bench)
    runs = {"ours": [], "model2vec": []}
    try:
        other, baseline = model2vec(bench), None
    except (Missing, RuntimeError) as reason:
        other, baseline = None, "model2vec missing: %s" % reason
    for _ in range(bench.rounds):
        reply = encoder.ask("encode", 64)
        runs["ours"].append(rate(reply))
        if other:
            runs["model2vec"].append(rate(other.ask("encode", 1024)))
    bench.stop("model2vec")
    ours = statistics.median(runs["ours"])
    reached, note = None, "%.0f chunks/s" % (reply["texts"] / reply["bytes"] * ours * 1e6)
    if other:
        theirs = statistics.median(runs["model2vec"])
        baseline, reached = "model2vec %.1f MB per CPU-second (%.1f times)" % (theirs, ours / theirs), ours >= 10 * theirs
    bench.add(row, "%.1f MB per CPU-second" % ours, baseline, reached, note, runs)


ROWS = [
    Row("scan", "int8 vector scan with top-k, 1,000,000 x 256, one core", ">= 0.90 of streaming read bandwidth", measure_scan),
    Row("two-stage", "the same with the 1-bit rotated pre-filter and int8 rescoring", "recall@10 >= 0.99 of exact, >= 4 times faster",
        measure_two_stages),
    Row("two-stage-text", "the same on embeddings of text", "recall@10 >= 0.99 of exact, >= 4 times faster", measure_two_stages_on_text),
    Row("encode", "encode with the built-in model, one core", ">= 10 times model2vec's MB per CPU-second", measure_encode),
]
