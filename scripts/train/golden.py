"""Writes the expected answers that the unit tests compare with: ids from the `tokenizers` library, vectors in double precision.

  golden.py MODEL.bin FOLDER
"""
import os
import struct
import sys

import numpy
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

TEXTS = [
    "", " ", "hello", "Hello, World!", "The quick brown fox jumps over the lazy dog.", "unaffable UNBELIEVABLE electroencephalography",
    "parental leave policy for part-time employees", "snake_case camelCase HTTPServer2 v1.2.3 foo::bar<T>(x) -> y;",
    "naïve café résumé Ångström ÅNGSTRÖM İstanbul ﬁne ﬂow", "e\u0301 a\u0308\u0323b o\u0302\u0301 ! \u0301x",
    "Größe Straße ΣΊΣΥΦΟΣ Москва ёлка йод", "日本語のテキスト 東京tower 你好world", "한국어 문장입니다", "हिन्दी में पाठ", "ไทย עברית العربية",
    "don\u2019t \u201cquote\u201d \u2014 dash \u2026 1\u20442 \u00bd x\u00b2 \u2122 \u20ac5 \u00a37", "tab\tnew\nline\rreturn\x0bvt\x0cff", "a\x00b c\x01d \x7fe",
    "soft\u00adhyphen zero\u200bwidth no\u00a0break ideographic\u3000space line\u2028sep \ufeffbom", "\ufffd rep\ufffdlaced", "[CLS] [MASK] [unused1] ## ##ing",
    "x" * 100, "x" * 101, "é" * 100 + " " + "é" * 101, "a" * 99 + "\u0301b", "supercalifragilisticexpialidocious pneumonoultramicroscopic",
    "😀 emoji 👩\u200d👩\u200d👧 ♥ ①②", "\u212b \u2126 \ufb01 \u1e9b\u0323 \u01c4", "\uac00\u0300 \u0958 \ufa10 \U0002f800", "ab\u4e2dcd\u3402ef\U00020000gh",
    "$1,234.56 50% #tag @user a&b c*d e=f ~g `h` ^i |j| \\k {l}", "3.14159265358979 0xDEADBEEF 1e-10 2024-02-30T12:34:56Z",
    "sixteenletterswd seventeenletterss ABCDEFGHIJKLMNOP", "zz" * 30 + " qqqq wwxyzzy",
]
VECTORS = ["hello", "parental leave policy for part-time employees", "naïve café 東京tower",
           "The static model sums the rows of a table. " * 20]


def escape(text):
    out, was_hex = "", False
    for byte in text.encode():
        if 32 <= byte < 127 and chr(byte) not in '"\\?' and not (was_hex and chr(byte) in "0123456789abcdefABCDEF"):
            out, was_hex = out + chr(byte), False
        else:
            out, was_hex = out + "\\%03o" % byte, False
    return out


def read_model(path):
    with open(path, "rb") as f:
        data = f.read()
    dims, entries, vocabulary = struct.unpack("<III", data[12:24])
    weights = numpy.frombuffer(data, "<f4", entries, 64).astype(numpy.float64)
    rows = numpy.frombuffer(data, numpy.int8, entries * dims, 64 + (4 * entries + 63) // 64 * 64).reshape(entries, dims)
    return rows * weights[:, None], data[-vocabulary - 8 : -8].decode().split("\n")[:-1]


def main():
    table, entries = read_model(sys.argv[1])
    tokenizer = tokenizers.Tokenizer(models.WordPiece({e: i for i, e in enumerate(entries)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    unknown = entries.index("[UNK]")

    def ids_of(text):
        return [i for i in tokenizer.encode(text).ids if i != unknown]

    start = "/* Made by scripts/train/golden.py: do not edit. */\n"
    with open(os.path.join(sys.argv[2], "subwords_cases.inc"), "w", encoding="ascii") as f:
        f.write(start + "static const struct ids_case ids_cases[] = {\n")
        for text in TEXTS:
            ids = ids_of(text)
            f.write('\t{"%s", %d, {%s}, %d},\n' % (escape(text), len(text.encode()), ", ".join(map(str, ids)) or "0", len(ids)))
        f.write("};\n")
    with open(os.path.join(sys.argv[2], "embed_cases.inc"), "w", encoding="ascii") as f:
        f.write(start + "static const struct vector_case vector_cases[] = {\n")
        for text in VECTORS:
            vector = table[ids_of(text)].sum(axis=0)
            vector /= numpy.linalg.norm(vector)
            f.write('\t{"%s", {%s}},\n' % (escape(text), ", ".join("%.9g" % x for x in vector[:: len(vector) // 16][:16])))
        f.write("};\n")


if __name__ == "__main__":
    main()
