"""Runs the teacher over the vocabulary and over passages, and keeps what the student learns from.

  teach.py TEACHER vocabulary OUT.npz
  teach.py TEACHER passages TEXTS.txt OUT_FOLDER [FIRST_BLOCK [STEP]]

TEACHER is the path of an ONNX model without its ".onnx"; its tokenizer lies beside it as "<path>-tokenizer.json". A block is
5,000 lines of TEXTS.txt. Each block gets a file of its own, written under another name first, so that the work may be stopped at any
time, divided between processes (block FIRST_BLOCK, FIRST_BLOCK + STEP, ...) and taken up again.
"""
import os
import sys

import numpy
import onnxruntime
import tokenizers

BLOCK = 5000
MAX_TOKENS = 128
BATCH = 8  # small batches beat large ones on a CPU: less padding, and the activations stay in the cache


def open_teacher(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one process a core scales better than threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path + ".onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_file(path + "-tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return session, tokenizer


def hidden_states(session, sequences):
    longest = max(map(len, sequences))
    ids = numpy.zeros((len(sequences), longest), numpy.int64)
    mask = numpy.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
    wanted = {i.name for i in session.get_inputs()}
    return session.run(None, {k: v for k, v in inputs.items() if k in wanted})[0], mask


def teach_vocabulary(teacher, out):
    session, tokenizer = open_teacher(teacher)
    size = tokenizer.get_vocab_size()
    start, end = tokenizer.encode("").ids
    rows = []
    for first in range(0, size, 64):
        hidden, _ = hidden_states(session, [[start, i, end] for i in range(first, min(first + 64, size))])
        rows.append(hidden.mean(axis=1))
    entries = [tokenizer.id_to_token(i) for i in range(size)]
    numpy.savez(out, rows=numpy.concatenate(rows).astype(numpy.float32), entries=numpy.array(entries))


def teach_block(session, tokenizer, lines, out):
    encoded = [tokenizer.encode(line).ids for line in lines]
    order = sorted(range(len(lines)), key=lambda i: (len(encoded[i]), i))
    heads = mean = None
    for first in range(0, len(order), BATCH):
        chosen = order[first : first + BATCH]
        hidden, mask = hidden_states(session, [encoded[i] for i in chosen])
        if heads is None:
            heads = numpy.zeros((len(lines), hidden.shape[2]), numpy.float16)
            mean = numpy.zeros_like(heads)
        inner = mask.astype(numpy.float32)
        inner[:, 0] = 0
        inner[numpy.arange(len(chosen)), mask.sum(axis=1) - 1] = 0
        heads[chosen] = hidden[:, 0]
        mean[chosen] = (hidden * inner[:, :, None]).sum(axis=1) / numpy.maximum(inner.sum(axis=1), 1)[:, None]
    lengths = numpy.array([len(e) - 2 for e in encoded], numpy.int32)
    ids = numpy.concatenate([numpy.array(e[1:-1], numpy.int32) for e in encoded])
    with open(out + ".part", "wb") as f:
        numpy.savez(f, head=heads, mean=mean, lengths=lengths, ids=ids)
    os.replace(out + ".part", out)


def teach_passages(teacher, texts, folder, first, step):
    session, tokenizer = open_teacher(teacher)
    with open(texts, encoding="utf-8") as f:
        lines = f.read().splitlines()
    os.makedirs(folder, exist_ok=True)
    for block in range(first, (len(lines) + BLOCK - 1) // BLOCK, step):
        out = os.path.join(folder, "%05d.npz" % block)
        if not os.path.exists(out):
            teach_block(session, tokenizer, lines[block * BLOCK : (block + 1) * BLOCK], out)
            print("block", block, "done", flush=True)


def main():
    teacher, what = sys.argv[1:3]
    if what == "vocabulary":
        teach_vocabulary(teacher, sys.argv[3])
    else:
        first, step = (int(a) for a in (sys.argv[5:7] + ["0", "1"][len(sys.argv[5:7]) :]))
        teach_passages(teacher, sys.argv[3], sys.argv[4], first, step)


if __name__ == "__main__":
    main()
