"""nDCG@10 of the vectors alone on judged sets, the table being read from a model file or from fit.py's output.

  evaluate.py MODEL.bin|FITTED.npz TOKENIZER.json SETS_FOLDER

A set is a folder with docs/<id>.txt, queries.tsv (id, text) and qrels.tsv (query, document, grade). Documents are scored whole and by
the best of their chunks of about 128 tokens. Gains are the grades, as in trec_eval.
"""
import os
import struct
import sys

import numpy
import tokenizers

CHUNK = 128


def read_model(path):
    if path.endswith(".npz"):
        with numpy.load(path) as f:
            return f["table"] * f["weight"][:, None]
    with open(path, "rb") as f:
        data = f.read()
    dims, entries = struct.unpack("<II", data[12:20])
    weights = numpy.frombuffer(data, "<f4", entries, 64)
    start = 64 + (4 * entries + 63) // 64 * 64
    rows = numpy.frombuffer(data, numpy.int8, entries * dims, start).reshape(entries, dims)
    return rows * weights[:, None]


def unit(x):
    return x / numpy.maximum(numpy.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def read_set(folder):
    docs, queries, judged = {}, {}, {}
    for name in sorted(os.listdir(os.path.join(folder, "docs"))):
        with open(os.path.join(folder, "docs", name), encoding="utf-8", errors="replace") as f:
            docs[name.rpartition(".")[0]] = f.read()
    with open(os.path.join(folder, "queries.tsv"), encoding="utf-8") as f:
        for line in f:
            query, text = line.rstrip("\n").split("\t", 1)
            queries[query] = text
    with open(os.path.join(folder, "qrels.tsv"), encoding="utf-8") as f:
        for line in f:
            query, document, grade = line.split()
            if int(grade) > 0:
                judged.setdefault(query, {})[document] = int(grade)
    return docs, queries, judged


def ndcg10(scores, names, grades):
    best = numpy.lexsort((numpy.arange(len(scores)), -scores))[:10]
    discount = 1 / numpy.log2(numpy.arange(2, 12))
    gained = sum(grades.get(names[d], 0) * discount[i] for i, d in enumerate(best))
    ideal = sum(g * discount[i] for i, g in enumerate(sorted(grades.values(), reverse=True)[:10]))
    return gained / ideal


def evaluate(embed, tokenizer, folder):
    docs, queries, judged = read_set(folder)
    ids = [e.ids for e in tokenizer.encode_batch(list(docs.values()), add_special_tokens=False)]
    names = list(docs)
    whole = numpy.stack([embed(i) for i in ids])
    chunks, owner = [], []
    for document, i in enumerate(ids):
        parts = max(1, round(len(i) / CHUNK))
        for part in range(parts):
            chunks.append(embed(i[part * len(i) // parts : (part + 1) * len(i) // parts]))
            owner.append(document)
    chunks, owner = numpy.stack(chunks), numpy.array(owner)
    results = []
    for query, grades in judged.items():
        q = embed(tokenizer.encode(queries[query], add_special_tokens=False).ids)
        best = numpy.full(len(names), -2, numpy.float32)
        numpy.maximum.at(best, owner, chunks @ q)
        results.append((ndcg10(whole @ q, names, grades), ndcg10(best, names, grades)))
    return 100 * numpy.array(results).mean(axis=0)


def main():
    table = read_model(sys.argv[1]).astype(numpy.float32)
    tokenizer = tokenizers.Tokenizer.from_file(sys.argv[2])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    figures = []
    for name in sorted(os.listdir(sys.argv[3])):
        figures.append(evaluate(lambda ids: unit(table[ids].sum(axis=0)), tokenizer, os.path.join(sys.argv[3], name)))
        print("%-10s whole %6.2f  best chunk %6.2f" % (name, *figures[-1]), flush=True)
    print("%-10s whole %6.2f  best chunk %6.2f" % ("mean", *numpy.mean(figures, axis=0)))


if __name__ == "__main__":
    main()
