"""One writer that changes files at full speed, and readers that must never see a mixture.

    writer.py SOURCE MOUNTPOINT SECONDS READERS SEED

A file is a sequence of records of 128 bytes that tell the operation that wrote them, so no state comes back. The writer replaces (rename over),
truncates, appends, renames; it notes the hash of every state. A reader opens raw/, clean/ or a chunk, reads in pieces with pauses between, and
notes the hash of what its handle gave. ESTALE is an answer; so is ENOENT for a name that is away, and EBUSY for a text whose file never kept
still. Prints counts; exits with 1 if a handle saw what never existed."""
import collections
import errno
import hashlib
import multiprocessing
import os
import random
import sys
import time

source, mountpoint, seconds, readers, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
FILES, RECORD = 12, 128
WORDS = "harbour lighthouse keeper north wind ship morning entry log weather storm tide anchor captain".split()
GOOD_ERRORS = {errno.ESTALE, errno.ENOENT, errno.EBUSY}


def record(file, operation, rng):
    text = "Entry %d of file %d notes %s" % (operation, file, " ".join(rng.choice(WORDS) for _ in range(6)))
    return text.encode()[:RECORD - 2].ljust(RECORD - 2, b".") + b".\n"


def digest(data):
    return hashlib.blake2b(data, digest_size=8).digest()


def plain(data):
    """What clean text and source have in common: the lines, without blanks around them."""
    return b"\n".join(line.strip() for line in data.split(b"\n") if line.strip())


def path_of(file, top, moved):
    return os.path.join(top, "moved" if moved else "home", "log%d.txt" % file)


def write(until, states):
    rng = random.Random(seed)
    contents, moved = [b""] * FILES, [False] * FILES
    operations = 0
    while time.monotonic() < until:
        operations += 1
        file = rng.randrange(FILES)
        path, kind = path_of(file, source, moved[file]), rng.random()
        if kind < 0.3 or not contents[file]:
            contents[file] = b"".join(record(file, operations, rng) for _ in range(rng.randrange(1, 60)))
            states.add(contents[file])
            with open(path + ".new", "wb") as new:
                new.write(contents[file])
            os.rename(path + ".new", path)
        elif kind < 0.45:
            contents[file] = contents[file][:RECORD * rng.randrange(len(contents[file]) // RECORD + 1)]
            states.add(contents[file])
            os.truncate(path, len(contents[file]))
        elif kind < 0.85 and len(contents[file]) < 200 * RECORD:
            contents[file] += record(file, operations, rng)
            states.add(contents[file])
            fd = os.open(path, os.O_WRONLY | os.O_APPEND)
            os.write(fd, contents[file][-RECORD:])
            os.close(fd)
        else:
            moved[file] = not moved[file]
            os.rename(path, path_of(file, source, moved[file]))
    return operations


class States:
    """Hashes of all states, of their bytes and of their lines; chunks are checked by the records in them."""

    def __init__(self):
        self.whole, self.lines = set(), set()

    def add(self, content):
        self.whole.add(digest(content))
        self.lines.add(digest(plain(content)))


def read_handle(path, rng):
    fd = os.open(path, os.O_RDONLY)
    try:
        parts, offset = [], 0
        while True:
            part = os.pread(fd, rng.choice([500, 4096, 100000]), offset)
            if not part:
                return b"".join(parts)
            parts.append(part)
            offset += len(part)
            if rng.random() < 0.5:
                time.sleep(rng.random() * 0.01)
    finally:
        os.close(fd)


def read(number, until, queue):
    rng = random.Random(seed * 1000 + number)
    seen, errors = set(), collections.Counter()
    reads = 0
    while time.monotonic() < until:
        file, moved = rng.randrange(FILES), rng.random() < 0.5
        form = rng.choice(["raw/%s", "raw/%s", "clean/%s.txt", "clean/%s.txt"])
        path = os.path.join(mountpoint, form % os.path.relpath(path_of(file, "", moved), ""))
        reads += 1
        try:
            data = read_handle(path, rng)
            seen.add((form[0], digest(data if form[0] == "r" else plain(data)), len(data)))
        except OSError as error:
            errors[errno.errorcode[error.errno], form[0]] += 1
    queue.put((reads, seen, errors))


until = time.monotonic() + seconds
for name in ("home", "moved"):
    os.makedirs(os.path.join(source, name), exist_ok=True)
queue = multiprocessing.Queue()
processes = [multiprocessing.Process(target=read, args=(n, until, queue)) for n in range(readers)]
for process in processes:
    process.start()
states = States()
states.add(b"")
operations = write(until, states)
total, errors, wrong = 0, collections.Counter(), []
for _ in processes:
    reads, seen, failed = queue.get()
    total += reads
    errors += failed
    wrong += [item for item in seen if item[1] not in (states.whole if item[0] == "r" else states.lines)]
for process in processes:
    process.join()
unexpected = [name for name, _ in errors if getattr(errno, name) not in GOOD_ERRORS]
print("%d operations, %d handles, errors %s, mixtures %d %s" % (operations, total, dict(errors), len(wrong), wrong[:5]))
sys.exit(bool(wrong or unexpected))
