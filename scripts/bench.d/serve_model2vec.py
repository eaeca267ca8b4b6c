"""model2vec (PyPI) behind the line protocol of tests/bench/bench.h: table MODEL | texts FILE | encode BATCH. Run by its virtual
environment's Python.

It gets the very table of the built-in model, as float32, and a WordPiece tokenizer over the same vocabulary, so both do the same work.
"""
import json
import os
import struct
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy  # noqa: E402
from model2vec import StaticModel  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from tokenizers.models import WordPiece  # noqa: E402
from tokenizers.normalizers import BertNormalizer  # noqa: E402
from tokenizers.pre_tokenizers import BertPreTokenizer  # noqa: E402

model, texts, size = None, [], 0


def table(path):
    """The model file: header, one float a row, int8 rows, vocabulary (src/embed/model_static.c draws it)."""
    global model
    with open(path, "rb") as f:
        data = f.read()
    dims, entries, vocabulary_size = struct.unpack_from("<III", data, 12)
    first = len(data) - vocabulary_size - entries * dims
    rows = numpy.frombuffer(data, numpy.int8, entries * dims, first).reshape(entries, dims)
    factors = numpy.frombuffer(data, "<f4", entries, 64)
    words = data[len(data) - vocabulary_size:].decode().splitlines()
    tokenizer = Tokenizer(WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    model = StaticModel(rows.astype(numpy.float32) * factors[:, None], tokenizer, normalize=True)
    return {"entries": entries, "dims": dims}


def read(path):
    global size
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at + 4 <= len(data):
        n = struct.unpack_from("<I", data, at)[0]
        texts.append(data[at + 4:at + 4 + n].decode("utf-8", "replace"))
        at += 4 + n
        size += n
    return {"texts": len(texts), "bytes": size}


def encode(batch):
    start, cpu = time.perf_counter(), time.process_time()
    model.encode(texts, batch_size=batch, max_length=None, use_multiprocessing=False)
    return {"ms": [(time.perf_counter() - start) * 1e3], "cpu_s": time.process_time() - cpu, "texts": len(texts), "bytes": size}


commands = {"table": table, "texts": read, "encode": lambda batch: encode(int(batch))}
for line in sys.stdin:
    words = line.rstrip("\n").split("\t")
    print(json.dumps(commands[words[0]](*words[1:])), flush=True)
