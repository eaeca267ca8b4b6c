"""Takes the built-in model's file apart (src/embed/model_static.c draws it)."""
import struct


class ModelFile:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        self.dims, self.entries, vocabulary_size = struct.unpack_from("<III", self.data, 12)
        self.factors_at = 64
        self.rows_at = (64 + 4 * self.entries + 63) // 64 * 64
        first = self.rows_at + self.entries * self.dims
        self.vocabulary = self.data[first:first + vocabulary_size]
