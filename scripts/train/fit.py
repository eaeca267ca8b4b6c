"""Fits the static table to the teacher's passages: EMBEDDING in, float table and token weights out.

  fit.py VOCABULARY.npz BLOCK_FOLDER OUT.npz [name=value ...]

The start is the distilled vocabulary (each entry alone through the teacher) in its first principal directions, each token weighted by
a / (a + p) with its true frequency p (Arora, Liang, Ma 2017). The teacher's passage vectors, reduced by their own principal directions
and rotated onto the start (orthogonal Procrustes), are then approached by an in-batch contrastive loss: a text's vector shall be
nearer to its own target than to the others of the batch. With steps=0 the start itself is written.
"""
import ctypes
import glob
import os
import subprocess
import sys

import numpy

SETTINGS = dict(dims=256, steps=1000, batch=512, rate=0.003, weight_rate=0.003, temperature=0.07, smoothing=1e-3, seed=1,
                limit=0, target="head", warmup=0.05, symmetric=1, heldout=2000)


def load_kernel(folder):
    here = os.path.dirname(os.path.abspath(__file__))
    library = os.path.join(folder, "kernel.so")
    subprocess.run(["cc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-o", library,
                    os.path.join(here, "kernel.c"), "-lm"], check=True)
    return ctypes.CDLL(library)


def pointer(array):
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def unit(x):
    return x / numpy.maximum(numpy.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def principal(x, dims):
    """x in its first `dims` principal directions, centred."""
    x = x - x.mean(axis=0)
    _, vectors = numpy.linalg.eigh(x.T.astype(numpy.float64) @ x)
    return (x @ vectors[:, ::-1][:, :dims]).astype(numpy.float32)


def load_passages(folder, limit, target):
    targets, lengths, ids = [], [], []
    for path in sorted(glob.glob(os.path.join(folder, "*.npz"))):
        with numpy.load(path) as block:
            head, mean = (unit(block[name].astype(numpy.float32)) for name in ("head", "mean"))
            targets.append({"head": head, "mean": mean, "both": unit(head + mean)}[target])
            lengths.append(block["lengths"])
            ids.append(block["ids"])
        if limit and sum(map(len, lengths)) >= limit:
            break
    return numpy.concatenate(targets), numpy.concatenate(lengths), numpy.concatenate(ids)


class Student:
    def __init__(self, kernel, table, weight):
        self.kernel, self.table, self.log_weight = kernel, numpy.ascontiguousarray(table), numpy.log(weight)
        self.parts = [self.table, self.log_weight]
        self.grads, self.first, self.second = ([numpy.zeros_like(p) for p in self.parts] for _ in range(3))
        self.count = 0

    def forward(self, ids, starts):
        self.weight = numpy.exp(self.log_weight)
        out = numpy.empty((len(starts) - 1, self.table.shape[1]), numpy.float32)
        self.kernel.bag_forward(pointer(self.table), pointer(self.weight), pointer(ids), pointer(starts),
                                ctypes.c_int64(len(starts) - 1), ctypes.c_int64(self.table.shape[1]), pointer(out))
        return out

    def backward(self, ids, starts, grad):
        self.kernel.bag_backward(pointer(self.table), pointer(self.weight), pointer(ids), pointer(starts),
                                 ctypes.c_int64(len(starts) - 1), ctypes.c_int64(self.table.shape[1]),
                                 pointer(numpy.ascontiguousarray(grad)), pointer(self.grads[0]), pointer(self.grads[1]))
        self.grads[1] *= self.weight

    def step(self, rates, betas=(0.9, 0.99)):
        self.count += 1
        for i, rate in enumerate(rates):
            real = ctypes.c_float
            self.kernel.adam(pointer(self.parts[i]), pointer(self.grads[i]), pointer(self.first[i]), pointer(self.second[i]),
                             ctypes.c_int64(self.parts[i].size), real(rate / (1 - betas[0] ** self.count)), real(betas[0]),
                             real(betas[1]), real(1 - betas[1] ** self.count))


def softmax_loss(scores):
    scores = scores - scores.max(axis=1, keepdims=True)
    p = numpy.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    loss = -numpy.log(numpy.maximum(numpy.diagonal(p), 1e-30)).mean()
    p[numpy.arange(len(p)), numpy.arange(len(p))] -= 1
    return loss, p / len(p)


def contrast(x, targets, temperature, symmetric):
    """Loss and gradient by x of the contrastive loss between unit(x) and unit targets."""
    norm = numpy.maximum(numpy.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    n = x / norm
    scores = n @ targets.T / temperature
    loss, grad = softmax_loss(scores)
    if symmetric:
        other, other_grad = softmax_loss(scores.T)
        loss, grad = (loss + other) / 2, (grad + other_grad.T) / 2
    by_n = grad @ targets / temperature
    return loss, (by_n - n * (n * by_n).sum(axis=1, keepdims=True)) / norm


def batch_of(ids, starts, chosen):
    lengths = starts[chosen + 1] - starts[chosen]
    new_starts = numpy.concatenate([[0], numpy.cumsum(lengths)]).astype(numpy.int64)
    return numpy.concatenate([ids[starts[c]:starts[c + 1]] for c in chosen]), new_starts


def rate_at(step, s):
    warm = max(1, int(s["steps"] * s["warmup"]))
    return min(1.0, (step + 1) / warm) * min(1.0, (s["steps"] - step) / max(1, s["steps"] - warm))


def train(student, targets, ids, starts, s):
    random = numpy.random.default_rng(s["seed"])
    held = numpy.arange(min(s["heldout"], len(targets) // 20))
    order, at = None, 0
    for step in range(s["steps"]):
        if order is None or at + s["batch"] > len(order):
            order, at = len(held) + random.permutation(len(targets) - len(held)), 0
        chosen = order[at:at + s["batch"]]
        at += s["batch"]
        batch_ids, batch_starts = batch_of(ids, starts, chosen)
        loss, grad = contrast(student.forward(batch_ids, batch_starts), targets[chosen], s["temperature"], s["symmetric"])
        student.backward(batch_ids, batch_starts, grad.astype(numpy.float32))
        rate = rate_at(step, s)
        student.step([s["rate"] * rate, s["weight_rate"] * rate])
        if step % 100 == 0 or step == s["steps"] - 1:
            held_ids, held_starts = batch_of(ids, starts, held)
            x = student.forward(held_ids, held_starts)
            held_loss, _ = contrast(x, targets[held], s["temperature"], s["symmetric"])
            print("step %5d  loss %.4f  held out %.4f  cosine %.4f" % (step, loss, held_loss,
                  (unit(x) * targets[held]).sum(axis=1).mean()), flush=True)


def main():
    vocabulary_path, folder, out = sys.argv[1:4]
    s = dict(SETTINGS)
    for argument in sys.argv[4:]:
        name, _, value = argument.partition("=")
        s[name] = type(s[name])(value)
    with numpy.load(vocabulary_path) as vocabulary:
        rows, entries = vocabulary["rows"], [str(e) for e in vocabulary["entries"]]
    targets, lengths, ids = load_passages(folder, s["limit"], s["target"])
    special = numpy.array([e.startswith("[") and e.endswith("]") and len(e) > 2 for e in entries])
    known = ~special[ids]
    texts = numpy.repeat(numpy.arange(len(lengths)), lengths)[known]
    ids = numpy.ascontiguousarray(ids[known])
    starts = numpy.searchsorted(texts, numpy.arange(len(lengths) + 1)).astype(numpy.int64)
    frequency = (numpy.bincount(ids, minlength=len(entries)) + 0.5) / (len(ids) + 0.5 * len(entries))
    weight = (s["smoothing"] / (s["smoothing"] + frequency)).astype(numpy.float32)
    table = numpy.zeros((len(entries), s["dims"]), numpy.float32)
    table[~special] = principal(rows[~special], s["dims"])
    table[~special] /= numpy.linalg.norm(table[~special], axis=1).mean()
    student = Student(load_kernel(os.path.dirname(os.path.abspath(out))), table, weight)
    if s["steps"]:
        reduced = unit(principal(targets, s["dims"]))
        start = unit(student.forward(ids, starts))
        left, _, right = numpy.linalg.svd(reduced.T @ start)
        train(student, numpy.ascontiguousarray(reduced @ (left @ right)), ids, starts, s)
    numpy.savez(out, table=student.table, weight=numpy.exp(student.log_weight) * ~special, entries=numpy.array(entries))


if __name__ == "__main__":
    main()
