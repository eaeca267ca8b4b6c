"""Damaged variants of documents: mutate.py FROM TO COUNT SEED. Each document of FROM in turn is cut off, has bits flipped, bytes overwritten with
telling ones, or pieces repeated, moved or dropped. Of a ZIP container half the variants are damaged inside: a part is changed, then packed again,
so that the change reaches the parser of the part. The same numbers give the same files."""
import io
import os
import random
import sys
import zipfile

source, target, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
TELLING = [b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"-1", b"99999999999999999999", b"<", b">", b"&", b'"', b"]]>", b"{", b"}",
           b"\\", b"\n\n", b"\r", b"%", b"PK\3\4", b"<!--", b"--", b"\xed\xa0\x80", b"\xc3"]


def damaged(data, rng):
    data = bytearray(data)
    how = rng.randrange(6)
    if how == 0 or not data:
        return bytes(data[:rng.randrange(len(data) + 1)])
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        at = rng.randrange(len(data) or 1)
        size = rng.choice((1, 4, 16, 256, 4096))
        if how <= 2 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 3:
            word = rng.choice(TELLING)
            data[at:at + len(word)] = word
        elif how == 4:
            piece = data[at:at + size]
            to = rng.randrange(len(data) + 1)
            data[to:to] = piece * rng.choice((1, 1, 50))
        else:
            del data[at:at + size]
        del data[1 << 22:]
    return bytes(data)


def damaged_inside(data, rng):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        entries = [(i, z.read(i)) for i in z.infolist()]
    chosen = rng.randrange(len(entries))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for number, (info, content) in enumerate(entries):
            z.writestr(zipfile.ZipInfo(info.filename), damaged(content, rng) if number == chosen else content, info.compress_type)
    return out.getvalue()


names = sorted(n for n in os.listdir(source) if not n.endswith(".expected") and n not in ("run", "empty.txt"))
documents = []
for name in names:
    with open(os.path.join(source, name), "rb") as f:
        documents.append((name, f.read()))
os.makedirs(target, exist_ok=True)
for number in range(count):
    rng = random.Random("%s/%d" % (seed, number))
    name, data = documents[number % len(documents)]
    result = None
    if data.startswith(b"PK") and rng.random() < 0.5:
        try:
            result = damaged_inside(data, rng)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError):
            pass
    folder = os.path.join(target, "%03d" % (number // 500))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "%05d-%s" % (number, name)), "wb") as f:
        f.write(damaged(data, rng) if result is None else result)
