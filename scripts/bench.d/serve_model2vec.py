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
from model_file import ModelFile  # noqa: E402
from model2vec import StaticModel  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from tokenizers.models import WordPiece  # noqa: E402
from tokenizers.normalizers import BertNormalizer  # noqa: E402
from tokenizers.pre_tokenizers import BertPreTokenizer  # noqa: E402

model, texts, size = None, [], 0


def table(path):
    global model
    file = ModelFile(path)
    rows = numpy.frombuffer(file.data, numpy.int8, file.entries * file.dims, file.rows_at).reshape(file.entries, file.dims)
    factors = numpy.frombuffer(file.data, "<f4", file.entries, file.factors_at)
    words = file.vocabulary.decode().splitlines()
    tokenizer = Tokenizer(WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    model = StaticModel(rows.astype(numpy.float32) * factors[:, None], tokenizer, normalize=True)
    return {"entries": file.entries, "dims": file.dims}


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
