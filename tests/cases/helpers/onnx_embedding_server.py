#!/usr/bin/env python3
"""A real model behind OpenAI's /v1/embeddings: an ONNX encoder run by onnxruntime, with its own tokenizer.

    onnx_embedding_server.py MODEL.onnx TOKENIZER.json PORT_FILE

The vector of a text is the model's output at its first token ([CLS], as bge models want), unit length. Each text is run alone: the numbers of a
quantised model depend on what stands beside a text in a batch. Texts longer than 512 tokens are refused.
"""
import base64
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy
import onnxruntime
import tokenizers

MAX_TOKENS = 512


class Model:
    def __init__(self, model, tokenizer):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("THREADS", "1"))
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(tokenizer)
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.names = {i.name for i in self.session.get_inputs()}
        self.lock = threading.BoundedSemaphore(int(os.environ.get("PARALLEL", "2")))

    def tokens(self, text):
        return self.tokenizer.encode(text).ids

    def embed(self, ids):
        ids = numpy.array([ids], numpy.int64)
        inputs = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
        with self.lock:
            states = self.session.run(None, {n: v for n, v in inputs.items() if n in self.names})[0]
        vector = states[0, 0].astype(numpy.float64)
        return (vector / numpy.linalg.norm(vector)).astype("<f4")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each reply waits 40 ms for an acknowledgement
    model = None

    def log_message(self, *arguments):
        pass

    def reply(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.reply(404, {"error": {"message": "not found"}})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/embeddings":
            return self.reply(404, {"error": {"message": "not found"}})
        request = json.loads(body)
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        ids = [self.model.tokens(t) for t in texts]
        longest = max(map(len, ids))
        if longest > MAX_TOKENS:
            return self.reply(400, {"error": {"message": "maximum context length is %d tokens, not %d" % (MAX_TOKENS, longest)}})
        rows = [self.model.embed(i) for i in ids]
        packed = request.get("encoding_format") == "base64"
        data = [{"object": "embedding", "index": i, "embedding": base64.b64encode(r.tobytes()).decode() if packed else r.tolist()}
                for i, r in enumerate(rows)]
        used = sum(map(len, ids))
        return self.reply(200, {"object": "list", "data": data, "model": request.get("model"), "usage": {"prompt_tokens": used, "total_tokens": used}})


def main():
    model, tokenizer, port_file = sys.argv[1:4]
    Handler.model = Model(model, tokenizer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with open(port_file + ".new", "w", encoding="ascii") as f:
        f.write("%d\n" % server.server_address[1])
    os.rename(port_file + ".new", port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
