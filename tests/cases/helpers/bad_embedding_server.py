#!/usr/bin/env python3
"""An embedding server that behaves well or badly, as it is told. Standard library only.

    bad_embedding_server.py PORT_FILE [--ollama] [--unix PATH] [--tls CERTIFICATE KEY] [--batch N] [--latency SECONDS]

Writes its port to PORT_FILE when it listens. The path /control?mode=NAME[&count=N] changes how it behaves (for the next N embedding requests, else
until told otherwise); /log gives what it saw, as JSON: requests, texts, keys that came (by SHA-256), the hosts named. Vectors are
counts of hashed words in 96 dimensions, so that equal texts get equal vectors and texts with common words are near each other.
"""
import argparse
import base64
import hashlib
import json
import math
import os
import re
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

DIMS = 96


def embed(text, salt):
    x = [0.0] * DIMS
    for word in re.findall(r"\w+", text.lower()) or ["-"]:
        h = hashlib.md5((salt + word).encode()).digest()
        x[h[0] % DIMS] += 1.0
        x[h[1] % DIMS] -= 0.5 + h[2] / 512
        x[h[3] % DIMS] += h[4] / 256
    length = math.sqrt(sum(v * v for v in x)) or 1.0
    return [struct.unpack("<f", struct.pack("<f", v / length))[0] for v in x]


class State:
    lock = threading.Lock()
    mode, left = "ok", 0
    log = {"requests": 0, "texts": 0, "largest": 0, "keys": [], "modes": {}, "seen": []}
    options = None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each reply waits 40 ms for an acknowledgement

    def log_message(self, *arguments):
        pass

    def reply(self, status, body, headers=(), kind="application/json"):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def error(self, status, message="no", headers=(), code=""):
        self.reply(status, json.dumps({"error": {"message": message, "type": code or "x", "code": code}}), headers)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with State.lock:
            if url.path == "/control":
                State.mode, State.left = query["mode"], int(query.get("count", 0))
                self.reply(200, "{}")
            elif url.path == "/log":
                self.reply(200, json.dumps(State.log))
            else:
                self.error(404)

    def take_mode(self):
        if State.options.after > 0:
            State.options.after -= 1
            return "ok"
        mode = State.mode
        if State.left:
            State.left -= 1
            if State.left == 0:
                State.mode = "ok"
        return mode

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            request = json.loads(body)
        except ValueError:
            return self.error(400, "not JSON")
        ollama = State.options.ollama
        if self.path != ("/api/embed" if ollama else "/v1/embeddings"):
            if State.options.other == 200:
                return self.reply(200, '{"error": "Unexpected endpoint"}')
            return self.error(State.options.other, "no such path")
        texts = request["input"]
        with State.lock:
            mode = self.take_mode()
            State.log["requests"] += 1
            State.log["texts"] += len(texts)
            State.log["largest"] = max(State.log["largest"], len(texts))
            State.log["modes"][mode] = State.log["modes"].get(mode, 0) + 1
            State.log["seen"] += [hashlib.sha256(t.encode()).hexdigest()[:16] for t in texts]
            key = self.headers.get("Authorization")
            if key:
                State.log["keys"].append(hashlib.sha256(key.encode()).hexdigest())
        if State.options.latency:
            time.sleep(State.options.latency)
        if State.options.batch and len(texts) > State.options.batch:
            return self.error(422, "batch size %d > maximum allowed batch size %d" % (len(texts), State.options.batch))
        if State.options.poison and any(State.options.poison in t for t in texts):
            return self.error(State.options.poison_status, "cannot be tokenized")
        if State.options.longest and any(len(t.encode()) > State.options.longest for t in texts):
            return self.error(State.options.longest_status, "input is too large to process: increase the physical batch size")
        self.behave(mode, request, texts, ollama)

    def behave(self, mode, request, texts, ollama):
        salt = "swapped" if mode == "swap" else ""
        vectors = [embed(t[:8], salt) if State.options.cheap else embed(t, salt) for t in texts]
        if mode == "hang":
            time.sleep(3600)
        if mode in ("408", "413", "422", "424", "500", "401", "403", "404", "400"):
            # Some servers repeat the key in their refusal.
            return self.error(int(mode), "refused for key " + self.headers.get("Authorization", ""))
        if mode == "429s":
            return self.error(429, "slow down", [("Retry-After", "1")])
        if mode == "429d":
            return self.error(429, "slow down", [("Retry-After", formatdate(time.time() + 2, usegmt=True))])
        if mode == "quota":
            return self.error(429, "You exceeded your current quota", code="insufficient_quota")
        if mode == "503":
            return self.reply(503, '{"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}')
        if mode == "count":
            vectors = vectors[:-1]
        if mode == "dims":
            vectors = [v[:64] for v in vectors]
        if mode == "html":
            return self.reply(200, "<html><body>Welcome to the proxy</body></html>", kind="text/html")
        if mode == "loop":
            return self.reply(307, "", [("Location", self.path)])
        if mode == "elsewhere":
            return self.reply(307, "", [("Location", State.options.elsewhere + self.path)])
        wants_base64 = request.get("encoding_format") == "base64" and mode not in ("nan", "strings")
        pack = (lambda v: base64.b64encode(struct.pack("<%df" % len(v), *v)).decode()) if wants_base64 else (lambda v: v)
        if mode == "nan":
            vectors[0] = [float("nan")] * DIMS
        if mode == "strings":
            vectors = [[str(x) for x in v] for v in vectors]
        if ollama:
            reply = {"model": request.get("model"), "embeddings": vectors, "prompt_eval_count": sum(len(t.split()) for t in texts)}
        else:
            data = [{"object": "embedding", "index": i, "embedding": pack(v)} for i, v in enumerate(vectors)]
            if mode == "order":
                data.reverse()
            reply = {"object": "list", "data": data, "model": request.get("model"), "usage": {"prompt_tokens": sum(len(t.split()) for t in texts)}}
        data = json.dumps(reply).encode()
        if mode == "utf8":
            data = data.replace(b'"object"', b'"obj\xff\xfe"')
        if mode in ("drip", "close", "huge"):
            return self.break_off(mode, data)
        if mode == "http10":
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + data)
            self.close_connection = True
            return None
        return self.reply(200, data)

    def break_off(self, mode, data):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", str(4 << 30 if mode == "huge" else len(data)))
        self.end_headers()
        try:
            if mode == "close":
                self.wfile.write(data[: len(data) // 2])
            elif mode == "drip":
                for i in range(len(data)):
                    self.wfile.write(data[i : i + 1])
                    self.wfile.flush()
                    time.sleep(1)
            else:
                block = b"[" * (1 << 20)
                for _ in range(4096):
                    self.wfile.write(block)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("local", 0)

    def handle_error(self, request, client_address):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port_file")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ollama", action="store_true")
    parser.add_argument("--unix")
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0)
    parser.add_argument("--cheap", action="store_true", help="look at the first bytes of a text only")
    parser.add_argument("--other", type=int, default=404, help="status for paths that it does not have")
    parser.add_argument("--mode", default="ok")
    parser.add_argument("--after", type=int, default=0, help="requests that go well before the mode begins")
    parser.add_argument("--count", type=int, default=0, help="requests that the mode lasts")
    parser.add_argument("--poison", default="")
    parser.add_argument("--poison-status", type=int, default=400)
    parser.add_argument("--longest", type=int, default=0)
    parser.add_argument("--longest-status", type=int, default=500)
    parser.add_argument("--elsewhere", default="")
    State.options = parser.parse_args()
    State.mode, State.left = State.options.mode, State.options.count
    if State.options.unix:
        Handler.disable_nagle_algorithm = False
        server = UnixServer(State.options.unix, Handler)
        port = 0
    else:
        server = Server(("127.0.0.1", State.options.port), Handler)
        port = server.server_address[1]
    if State.options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*State.options.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(State.options.port_file + ".new", "w", encoding="ascii") as f:
        f.write("%d\n" % port)
    os.rename(State.options.port_file + ".new", State.options.port_file)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
