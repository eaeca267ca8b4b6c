"""Random operations on raw/ and on the source itself; result and errno must be equal.

    differential.py SEED OPERATIONS RAW SOURCE READ_ONLY_SOURCE [UID]

RAW is raw/ of a mount of SOURCE. READ_ONLY_SOURCE is the source mounted read-only, where the kernel's own answers to attempts to write come
from; "-" where nothing can be bind-mounted: then such attempts must give EROFS. Every tenth of the operations the source is changed, and the
run goes on when the mount has been told. With UID the operations are done by that user. Prints the number of operations, or the first
differences and exits with 1."""
import ctypes
import errno
import mmap
import os
import random
import stat
import sys
import time

seed, operations, raw, source, read_only = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]
user = int(sys.argv[6]) if len(sys.argv) > 6 else None
outside = os.path.abspath(source) + ".outside"  # what links out of the source lead to; operations follow them and may write to it
rng = random.Random(seed)
libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.c_void_p
libc.readdir.argtypes = libc.closedir.argtypes = libc.telldir.argtypes = [ctypes.c_void_p]
libc.telldir.restype = ctypes.c_long
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
DIRENT_NAME = 19  # offset of d_name in struct dirent of 64-bit Linux

NAMES = ["a", "notes.txt", "Übung", "with space", "semi;colon", "-dash", "new\nline", "x" * 255, b"\xff\xfe".decode(errors="surrogateescape"),
         "q?*", ".hidden", "%41", "tab\t", "deep", "leave.md", "data.bin", "page.html"]


def random_name():
    return rng.choice(NAMES) if rng.random() < 0.7 else "f%d" % rng.randrange(200)


def paths_below(top):
    """All paths below a folder, relative, the folder itself as '.'."""
    found = ["."]
    for folder, folders, files in os.walk(top):
        found += [os.path.relpath(os.path.join(folder, name), top) for name in folders + files]
    return sorted(found, key=os.fsencode)


def make(path, links=False):
    """Something new at a path of the source. Links are not made later, because no event tells that a file has got another name."""
    kind = rng.random() if links else rng.random() * 0.95
    mode = rng.choice([0o644, 0o600, 0o444, 0o755, 0o640, 0o000])
    try:
        if kind < 0.25:
            os.mkdir(path, rng.choice([0o755, 0o755, 0o755, 0o700, 0o711, 0o000]))
        elif kind < 0.8:
            with open(path, "xb") as file:
                file.write(rng.randbytes(rng.choice([0, 1, 100, 4095, 4096, 4097, 65537, 300000])))
                if rng.random() < 0.3:
                    try:
                        os.setxattr(file.fileno(), "user.colour", rng.randbytes(rng.randrange(40)))
                    except OSError:
                        pass
            os.chmod(path, mode)
        elif kind < 0.9:
            target = rng.choice(["a", "../a", "nowhere", ".", outside, "notes.txt"])
            if target != "../a" or os.path.realpath(os.path.dirname(path)) != os.path.realpath(source):  # from the top it would lead out of the two to different places
                os.symlink(target, path)
        elif kind < 0.95:
            os.mkfifo(path, mode)
        else:
            os.link(os.path.join(source, rng.choice(files())), path, follow_symlinks=False)
    except OSError:
        pass  # taken already, no parent: the next one will do


def files():
    found = [p for p in paths_below(source) if stat.S_ISREG(os.lstat(os.path.join(source, p)).st_mode)]
    return found or ["."]


def change():
    """One change of the source."""
    path = os.path.join(source, rng.choice(paths_below(source)))
    if os.path.basename(path) in (".", "barrier"):
        return
    try:
        kind = rng.random()
        if kind < 0.3:
            make(os.path.join(path if os.path.isdir(path) else os.path.dirname(path), random_name()))
        elif kind < 0.5 and os.path.isfile(path) and not os.path.islink(path):
            with open(path, rng.choice(["ab", "wb", "r+b"])) as file:
                file.write(rng.randbytes(rng.randrange(5000)))
        elif kind < 0.65:
            os.chmod(path, rng.choice([0o644, 0o600, 0o755, 0o500]), follow_symlinks=os.path.islink(path) is False)
        elif kind < 0.8:
            os.rename(path, os.path.join(os.path.dirname(path), random_name()))
        elif os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    except (OSError, NotImplementedError):
        pass


def barrier():
    """Waits until the mount was told of all changes so far: events come in order, and this file's attributes are cached until then."""
    os.stat(os.path.join(raw, "barrier"))
    with open(os.path.join(source, "barrier"), "ab") as file:
        file.write(b".")
    size, end = os.stat(os.path.join(source, "barrier")).st_size, time.monotonic() + 60
    while os.stat(os.path.join(raw, "barrier")).st_size != size:
        if time.monotonic() > end:
            sys.exit("the mount was not told of a change within a minute")
        time.sleep(0.01)
    time.sleep(1.1)  # a file with several names is looked at again after a second


# --- operations: each takes a path and random numbers drawn beforehand, and returns something that can be compared ---


def with_file(path, use, flags=os.O_RDONLY):
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return use(fd)
    finally:
        os.close(fd)


def is_special(path):
    try:
        return not stat.S_IFMT(os.stat(path).st_mode) in (stat.S_IFREG, stat.S_IFDIR)
    except OSError:
        return False


def op_read(path, r):
    return with_file(path, lambda fd: [os.read(fd, n) for n in (r(1, 70000), 0, r(1, 5000))])


def op_pread(path, r):
    offset, size = r(0, 320000), r(0, 70000)
    return with_file(path, lambda fd: os.pread(fd, size, offset))


def op_whole(path, r):
    return with_file(path, lambda fd: os.read(fd, 1 << 20))


def op_lseek(path, r):
    moves = [(r(-10, 400000), rng_choice) for rng_choice in (os.SEEK_SET, os.SEEK_END, os.SEEK_CUR, os.SEEK_DATA, os.SEEK_HOLE)]
    first = r(0, 4)

    def use(fd):
        results = []
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            return results  # positions in folders are each file system's own
        for offset, whence in moves[first:] + moves[:first]:
            try:
                results.append(os.lseek(fd, offset, whence))
            except OSError as error:
                results.append(error.errno)
        return results

    return with_file(path, use)


def op_mmap(path, r):
    first, size = r(0, 70000), r(1, 20000)
    kind = mmap.MAP_PRIVATE if r(0, 1) else mmap.MAP_SHARED

    def use(fd):
        try:
            with mmap.mmap(fd, 0, flags=kind, prot=mmap.PROT_READ) as memory:
                return memory[first:first + size]
        except ValueError as error:
            return str(error)  # an empty file

    return with_file(path, use)


def op_stat(path, r):
    st = os.lstat(path) if r(0, 1) else os.stat(path)
    mode = st.st_mode if stat.S_ISLNK(st.st_mode) else st.st_mode & ~0o222
    facts = [mode, st.st_nlink, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_ctime_ns, st.st_size, st.st_blocks, st.st_rdev]
    return facts + ([] if stat.S_ISDIR(mode) else [st.st_ino])


def op_fstat(path, r):
    def use(fd):
        st = os.fstat(fd)
        return [st.st_mode & ~0o222, st.st_size, st.st_nlink, st.st_mtime_ns]
    return with_file(path, use)


def op_access(path, r):
    mode = r(0, 7)
    # The bits that allow writing are gone by design; a file that only writing made accessible is not compared.
    return os.access(path, mode & ~os.W_OK), os.access(path, mode & ~os.W_OK, effective_ids=True)


def op_readlink(path, r):
    return os.readlink(path)


def op_xattr(path, r):
    names = sorted(name for name in os.listxattr(path) if name.startswith("user."))
    return names, [os.getxattr(path, name) for name in names]


def op_xattr_one(path, r):
    return os.getxattr(path, ("user.colour", "user.none", "user." + "x" * 300)[r(0, 2)])


def op_list(path, r):
    return sorted((e.name, e.is_dir(follow_symlinks=False), e.is_symlink()) for e in os.scandir(path))


def read_names(handle):
    names = []
    while (entry := libc.readdir(handle)):
        names.append(ctypes.string_at(entry + DIRENT_NAME))
    return names


def op_seekdir(path, r):
    skip = r(0, 30)
    handle = libc.opendir(os.fsencode(path))
    if not handle:
        raise OSError(ctypes.get_errno(), "opendir")
    try:
        start = libc.telldir(handle)
        before = []
        for _ in range(skip):
            entry = libc.readdir(handle)
            if not entry:
                break
            before.append(ctypes.string_at(entry + DIRENT_NAME))
        here = libc.telldir(handle)
        rest = read_names(handle)
        libc.seekdir(handle, here)
        again = read_names(handle)
        libc.seekdir(handle, start)
        everything = read_names(handle)
        return rest == again, everything == before + rest, sorted(everything), len(set(everything)) == len(everything)
    finally:
        libc.closedir(handle)


READS = [op_read, op_pread, op_whole, op_lseek, op_mmap, op_stat, op_stat, op_fstat, op_access, op_readlink, op_xattr, op_xattr_one, op_list,
         op_seekdir]


def close(fd):
    os.close(fd)


def raise_errno(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "write attempt")


WRITES = {
    "open for writing": lambda p, q: close(os.open(p, os.O_WRONLY | os.O_NONBLOCK)),
    "open for both": lambda p, q: close(os.open(p, os.O_RDWR | os.O_NONBLOCK)),
    "open to append": lambda p, q: close(os.open(p, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)),
    "open and truncate": lambda p, q: close(os.open(p, os.O_RDONLY | os.O_TRUNC | os.O_NONBLOCK)),
    "create": lambda p, q: close(os.open(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NONBLOCK)),
    "open with create": lambda p, q: close(os.open(p, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK)),
    "temporary file": lambda p, q: close(os.open(p, os.O_RDWR | os.O_TMPFILE)),
    "truncate": lambda p, q: os.truncate(p, 0),
    "mkdir": lambda p, q: os.mkdir(p),
    "rmdir": lambda p, q: os.rmdir(p),
    "unlink": lambda p, q: os.unlink(p),
    "rename": lambda p, q: os.rename(p, q),
    "link": lambda p, q: os.link(p, q),
    "symlink": lambda p, q: os.symlink("a", p),
    "mknod": lambda p, q: os.mkfifo(p),
    "chmod": lambda p, q: os.chmod(p, 0o777),
    "chown": lambda p, q: os.chown(p, 1, 1),
    "utimes": lambda p, q: os.utime(p),
    "setxattr": lambda p, q: os.setxattr(p, "user.new", b"1"),
    "removexattr": lambda p, q: os.removexattr(p, "user.colour"),
    "access": lambda p, q: raise_errno(libc.access(os.fsencode(p), os.W_OK)),
}


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except OSError as error:
        return "errno %s" % errno.errorcode.get(error.errno, error.errno)
    except ValueError as error:
        return "error %s" % error


def draw(kind):
    """A path, mostly of something that is there."""
    path = rng.choice(known)
    chance = rng.random()
    if chance < 0.1:
        path = os.path.join(path, random_name())
    elif chance < 0.12:
        path += "/"
    elif chance < 0.13:
        path = os.path.join(path, "y" * 256)
    return path


def try_read():
    function, path = rng.choice(READS), draw("read")
    numbers = random.Random(rng.random())
    state = numbers.getstate()
    if function is not op_stat and is_special(os.path.join(source, path)):
        function = op_stat  # a FIFO read by two is no comparison, and the device of another system none either
    results = []
    for top in (raw, source):
        numbers.setstate(state)
        results.append(outcome(function, os.path.join(top, path), numbers.randint))
    return function.__name__, path, results


def try_write():
    name, path, other = rng.choice(list(WRITES)), draw("write"), draw("write")
    got = outcome(WRITES[name], os.path.join(raw, path), os.path.join(raw, other))
    if read_only != "-":
        expected = outcome(WRITES[name], os.path.join(read_only, path), os.path.join(read_only, other))
        if got == "errno EROFS" and expected == "errno EACCES":
            expected = got  # of a file system that is read-only as a whole the kernel says so before it looks at rights
    else:
        expected = got if got != None and got.startswith("errno") and "EROFS" not in got else "errno EROFS"
    return name, path, [got, expected]


def run(count):
    differences = 0
    for _ in range(count):
        name, path, results = try_write() if rng.random() < 0.25 else try_read()
        if results[0] != results[1]:
            print("%s %r: raw %.300r source %.300r" % (name, path, *results))
            differences += 1
            if differences >= 10:
                break
    return differences


def run_as_user(count):
    """In a child with the user's rights; the source is changed by the parent."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        differences = run(count)
        sys.stdout.flush()
        os._exit(1 if differences else 0)
    rng.random()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


with open(outside, "w") as file:
    file.write("outside")
for _ in range(120):
    folders = [p for p in paths_below(source) if os.path.isdir(os.path.join(source, p))]
    make(os.path.join(source, rng.choice(folders), random_name()), links=True)
failed = 0
for round_number in range(10):
    if round_number:
        for _ in range(25):
            change()
        rng.seed(seed * 100 + round_number)
    barrier()
    known = paths_below(source)
    failed |= run_as_user(operations // 10)
print("%d operations on %d paths, seed %d" % (operations, len(known), seed))
sys.exit(failed)
