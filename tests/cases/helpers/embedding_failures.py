#!/usr/bin/env python3
"""Mounts one small folder beside a misbehaving embedding server, once for each way to misbehave, several at a time.

    embedding_failures.py PROGRAM FOLDER

Prints "ok NAME" or "not ok NAME: why" for each. While the server misbehaves: documents and searches answer, the state is named in status/,
and the key is nowhere. When it behaves again: everything is embedded, with the same bytes as beside a server that always behaved.
"""
import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "sk-not-to-be-seen-0123456789"
QUERY = "dredged harbour"
# mode: (states that may be named, requests that go well first, further options of the server)
BROKEN = {
    "refuse": (("unreachable",), 0, ()),
    "hang": (("timeout",), 0, ()),
    "hang-later": (("timeout",), 1, ()),
    "drip": (("timeout",), 1, ()),
    "close": (("unreachable",), 1, ()),
    "close-first": (("unreachable",), 0, ()),
    "401": (("key",), 1, ()),
    "403": (("key",), 0, ()),
    "404": (("missing",), 1, ()),
    "400": (("model", "error"), 0, ()),
    "408": (("error",), 1, ()),
    "413": (("model",), 1, ()),
    "422": (("model",), 1, ()),
    "424": (("error",), 1, ()),
    "429s": (("busy",), 1, ()),
    "429d": (("busy",), 1, ()),
    "quota": (("quota",), 1, ()),
    "500": (("error",), 1, ()),
    "500-first": (("error",), 0, ()),
    "503": (("error",), 0, ()),
    "count": (("reply",), 1, ()),
    "nan": (("reply",), 1, ()),
    "strings": (("reply",), 1, ()),
    "html": (("reply",), 0, ()),
    "huge": (("reply",), 1, ()),
    "utf8": (("reply",), 1, ()),
    "loop": (("redirect",), 1, ()),
    "elsewhere": (("redirect",), 1, ()),
    "tls-name": (("tls",), 0, ()),
    "tls-expired": (("tls",), 0, ()),
    # These pass, after a while, without any healing.
    "500-once": (("ok", "error"), 1, ("--count", "1")),
    "dims-once": (("ok", "reply"), 1, ("--count", "1")),
    "order": (("ok",), 0, ()),
    "http10": (("ok",), 0, ()),
    "swap": (("ok",), 1, ()),
}
UNHEALED = ("quota", "tls-name", "tls-expired")
BEHAVES = ("500-once", "dims-once", "order", "http10", "swap")


class Failure(Exception):
    pass


def want(condition, text):
    if not condition:
        raise Failure(text)


class Run:
    def __init__(self, program, folder, name):
        self.program, self.name = program, name
        self.root = os.path.join(folder, name)
        self.docs = os.path.join(folder, "docs")
        self.mount = os.path.join(self.root, "mnt")
        self.log = os.path.join(self.root, "log")
        os.makedirs(self.mount)
        self.servers, self.port, self.process = [], 0, None

    def serve(self, *options, name="port"):
        port_file = os.path.join(self.root, name)
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.servers.append(subprocess.Popen([sys.executable, os.path.join(HERE, "bad_embedding_server.py"), port_file, *options]))
        while not os.path.exists(port_file):
            time.sleep(0.05)
        with open(port_file, encoding="ascii") as f:
            return int(f.read())

    def ask(self, path, port=None):
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port or self.port, path), timeout=10) as reply:
            return json.load(reply)

    def start(self, url):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [self.program, "mount", "-f", "--threads=1", "--store=" + os.path.join(self.root, "store"), "-o",
                 "embed=%s,model=m,key-env=TEST_KEY" % url, self.docs, self.mount],
                stdout=log, stderr=log, env=dict(os.environ, TEST_KEY=KEY))
        end = time.monotonic() + 60
        while not os.path.exists(os.path.join(self.mount, "README.txt")):
            want(self.process.poll() is None and time.monotonic() < end, "not mounted")
            time.sleep(0.05)

    def read(self, path):
        with open(os.path.join(self.mount, path), "rb") as f:
            return f.read()

    def status(self):
        return json.loads(self.read("status/status.json"))

    def wait(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while True:
            status = self.status()
            if condition(status):
                return status
            want(time.monotonic() < end, "%s; status %s" % (what, json.dumps(status.get("embedding"))))
            time.sleep(0.2)

    def stop(self):
        if self.process:
            subprocess.run([self.program, "unmount", self.mount], check=False, stderr=subprocess.DEVNULL)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise Failure("does not end") from None
            finally:
                for s in self.servers:
                    s.kill()
                    s.wait()
        else:
            for s in self.servers:
                s.kill()
                s.wait()

    def warm(self, seconds):
        end = time.monotonic() + seconds
        number = 0
        while json.loads(self.read("search/harbour %d/.explain.json" % number))["degraded"] and time.monotonic() < end:
            number += 1
            time.sleep(0.5)

    def end_state(self):
        self.wait(lambda s: s["complete"] and s["embedding"]["serving"] and s["embedding"]["chunks_missing"] == 0, 240, "not embedded in the end")
        # A model that was swapped back is noticed by the first query that meets it; that one is answered by the built-in model.
        self.warm(30)
        names = sorted(os.listdir(os.path.join(self.mount, "vectors")))
        vectors = {n: self.read("vectors/" + n) for n in names}
        results = self.read("search/%s/.results.jsonl" % QUERY)
        explain = json.loads(self.read("search/%s/.explain.json" % QUERY))
        want(not explain["degraded"] and explain["model"] == "m", "searches do not use the server in the end: %s" % explain)
        return vectors, results


def check_meanwhile(run, states):
    run.wait(lambda s: s["complete"], 60, "not indexed")
    run.wait(lambda s: s["embedding"]["state"] in states, 90, "the state is not %s" % "/".join(states))
    start = time.monotonic()
    want(b"harbour" in run.read("clean/n1.md.txt"), "clean/ does not answer")
    want(run.read("search/@mode=keyword/%s/.results.jsonl" % QUERY), "keyword search does not answer")
    want(run.read("search/%s x/.results.jsonl" % QUERY), "search does not answer")
    explain = json.loads(run.read("search/%s/.explain.json" % QUERY))
    want(explain["model"] == "corpusfs-static-1", "a search used %s" % explain["model"])
    want(time.monotonic() - start < 30, "answers took %.1f s" % (time.monotonic() - start))


def check_secrets(run):
    seen = [run.read("status/status.json"), run.read("status/metrics"), run.read("status/errors.jsonl"), run.read("meta/n1.md.json"),
            run.read("search/%s/.explain.json" % QUERY)]
    with open(run.log, "rb") as f:
        seen.append(f.read())
    with open("/proc/%d/cmdline" % run.process.pid, "rb") as f:
        seen.append(f.read())
    want(not any(KEY.encode() in s for s in seen), "the key can be seen")


def certificate(run, expired):
    """A certificate that names another host, or this one but ended years ago."""
    at = lambda name: os.path.join(run.root, name)
    with open(at("ca.cnf"), "w", encoding="ascii") as f:
        f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nnew_certs_dir=%s\nserial=%s\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
                % (at("index"), run.root, at("serial")))
    with open(at("index"), "w", encoding="ascii"), open(at("serial"), "w", encoding="ascii") as f:
        f.write("01\n")
    dates = ("20200101000000Z", "20200201000000Z") if expired else ("20200101000000Z", "20990101000000Z")
    for command in (["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", at("key.pem"), "-out", at("request.pem"), "-subj",
                     "/CN=" + ("127.0.0.1" if expired else "elsewhere.example")],
                    ["ca", "-batch", "-config", at("ca.cnf"), "-selfsign", "-keyfile", at("key.pem"), "-in", at("request.pem"), "-out", at("cert.pem"),
                     "-startdate", dates[0], "-enddate", dates[1]]):
        subprocess.run(["openssl", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return at("cert.pem"), at("key.pem")


def serve_broken(run, mode, after, options):
    """Starts what the mode needs. Returns the URL."""
    base = mode.split("-")[0]
    if mode == "refuse":
        run.port = run.serve()
        run.servers.pop().kill()
        return "http://127.0.0.1:%d" % run.port
    if base == "tls":
        run.port = run.serve("--tls", *certificate(run, mode == "tls-expired"))
        return "https://127.0.0.1:%d" % run.port
    if mode == "elsewhere":
        other = run.serve(name="other-port")
        options += ("--elsewhere", "http://127.0.0.1:%d" % other)
    run.port = run.serve("--mode", base, "--after", str(after), *options)
    return "http://127.0.0.1:%d" % run.port


def one(program, folder, mode, calm):
    states, after, options = BROKEN[mode]
    run = Run(program, folder, mode)
    try:
        run.start(serve_broken(run, mode, after, options))
        if mode not in BEHAVES:
            check_meanwhile(run, states)
            check_secrets(run)
        if mode == "swap":
            run.wait(lambda s: s["complete"] and s["embedding"]["serving"], 60, "the swapped model is not used")
        if mode == "elsewhere":
            with open(os.path.join(run.root, "other-port"), encoding="ascii") as f:
                want(run.ask("/log", int(f.read()))["requests"] == 0, "texts or key followed a redirect to another host")
        if mode in UNHEALED:
            return "ok " + mode
        if mode == "refuse":
            run.serve("--port", str(run.port))
        elif mode not in ("order", "http10"):
            run.ask("/control?mode=ok")
        if calm is not None:
            vectors, results = run.end_state()
            want(vectors == calm[0], "vectors differ from those beside a calm server")
            want(results == calm[1], "results differ from those beside a calm server")
            check_secrets(run)
        return "ok " + mode
    except (Failure, OSError, ValueError, KeyError, subprocess.SubprocessError) as e:
        return "not ok %s: %s" % (mode, e)
    finally:
        run.stop()


def main():
    program, folder = sys.argv[1:3]
    modes = sys.argv[3:] or list(BROKEN)
    os.makedirs(os.path.join(folder, "docs"))
    for i in range(1, 61):
        with open(os.path.join(folder, "docs", "n%d.md" % i), "w", encoding="ascii") as f:
            f.write("# Note %d\n\nThe harbour of town %d was dredged in %d. %s\n" % (i, i, 1800 + i, "Ships came in spring and left in autumn. " * (i % 5)))
    run = Run(program, folder, "calm")
    run.port = run.serve()
    run.start("http://127.0.0.1:%d" % run.port)
    calm = run.end_state()
    run.stop()
    lock = threading.Lock()
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, program, folder, m, calm) for m in modes]):
            with lock:
                print(done.result(), flush=True)


if __name__ == "__main__":
    main()
