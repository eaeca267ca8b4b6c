"""Writes a fitted table as the model file that src/embed/model_static.c reads (its opening comment draws the bytes).

  pack.py FITTED.npz MODEL.bin
"""
import hashlib
import struct
import sys

import numpy
import xxhash


def quantise(table):
    """int8 rows, one scale a row: table = rows * scale."""
    scale = numpy.abs(table).max(axis=1) / 127
    rows = numpy.rint(table / numpy.maximum(scale, 1e-30)[:, None])
    return rows.astype(numpy.int8), scale


def main():
    fitted, out = sys.argv[1:3]
    with numpy.load(fitted) as f:
        table, weight, entries = f["table"], f["weight"], [str(e) for e in f["entries"]]
    rows, scale = quantise(table)
    # A constant factor changes nothing, as vectors are normalised; this one keeps sums near 1.
    factors = (weight * scale).astype("<f4")
    vocabulary = "".join(e + "\n" for e in entries).encode()
    payload = factors.tobytes()
    payload += bytes(-len(payload) % 64)
    payload += rows.tobytes() + vocabulary
    header = struct.pack("<8sIIII", b"CFSTATIC", 1, table.shape[1], len(entries), len(vocabulary))
    header += hashlib.sha256(payload).digest() + bytes(8)
    data = header + payload
    data += struct.pack("<Q", xxhash.xxh3_64_intdigest(data))
    with open(out, "wb") as f:
        f.write(data)
    print("%s: %d entries of %d dimensions, %d bytes" % (out, len(entries), table.shape[1], len(data)))


if __name__ == "__main__":
    main()
