"""Cuts passages to learn from out of unpacked Debian packages and folders of documents.

  texts.py SOURCES.txt FOLDER OUT.txt [EXTRA_FOLDER]
  texts.py --folder PACKAGE

FOLDER/<package>/ holds each package of SOURCES.txt, unpacked; EXTRA_FOLDER/<name>/ further documents. OUT.txt gets one passage a line,
in an order that depends on the texts alone (by hash), so that any prefix of it is a fair sample.
The second form prints the name of a package's folder.
"""
import gzip
import hashlib
import html.parser
import json
import os
import re
import sqlite3
import sys

DEFAULT_CAP = 4000
MAX_FILE = 4 << 20
LENGTHS = (9, 16, 28, 45, 65, 90, 90)  # words; queries are short, chunks are long, and the table must serve both
SKIPPED_TAGS = {"script", "style", "head", "nav", "footer", "pre", "code-block", "programlisting", "svg", "math", "select"}
INLINE_TAGS = set(
    "a abbr acronym b bdi big cite code dfn em font i img input kbd mark q s samp small span strong sub sup tt u var wbr br "
    "application command emphasis filename guibutton guilabel guimenu guimenuitem link literal option phrase quote ulink xref "
    "gui guiseq key keyseq app file sys input output".split()
)
OTHER_LANGUAGES = frozenset("ar bg bn ca cs da de el eo es et eu fa fi fr gl he hi hr hu id it ja ko lt lv nb nl nn pl pt ro ru sk sl sr sv ta "
                            "th tr uk vi zh".split())
COMMON = frozenset("the of and to a in is for that with as be by are on or it this from".split())
SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+(?=[A-Z0-9\"'(])")


class Markup(html.parser.HTMLParser):
    """HTML, DocBook and Mallard to (is_heading, text) blocks."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.blocks, self.words, self.skip, self.heading = [], [], [], False

    def flush(self):
        text = " ".join("".join(self.words).split())
        if text:
            self.blocks.append((self.heading, text))
        self.words = []

    def handle_starttag(self, tag, attributes):
        if tag in SKIPPED_TAGS:
            self.skip.append(tag)
        elif tag not in INLINE_TAGS:
            self.flush()
            self.heading = re.fullmatch(r"h[1-6]|title", tag) is not None

    def handle_endtag(self, tag):
        if tag in SKIPPED_TAGS:
            if self.skip and self.skip[-1] == tag:
                self.skip.pop()
        elif tag not in INLINE_TAGS:
            self.flush()
            self.heading = False

    def handle_data(self, data):
        if not self.skip:
            self.words.append(data)


def blocks_of_markup(text):
    parser = Markup()
    parser.feed(text)
    parser.flush()
    return parser.blocks


def blocks_of_plain(text):
    """Plain text, Markdown and reStructuredText."""
    text = re.sub(r"(?ms)^(```|~~~).*?^\1", "\n", text)
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        if len(lines) == 2 and re.fullmatch(r"([=\-~^\"'#*+`.])\1{2,}", lines[1].strip()):
            yield True, " ".join(lines[0].split())
        elif len(lines) == 1 and re.match(r"#+\s+\S", lines[0]):
            yield True, " ".join(lines[0].strip("# ").split())
        elif not re.match(r"\s{4}|::|\.\. ", lines[0]) and not re.match(r"[|+]", lines[0].strip()):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(" ".join(lines).split()))
            plain = re.sub(r":[a-z:]+:`([^`<]*)[^`]*`", r"\1", plain)
            yield False, re.sub(r"[`*_]{1,3}(?=\S)|(?<=\S)[`*]{1,3}", "", plain)


def blocks_of_manual(text):
    """A manual page's source (man or mdoc macros), roughly."""
    words = []
    for line in text.split("\n"):
        line = re.sub(r"\\f[BIRP]|\\f\(..|\\&|\\c", "", line)
        line = re.sub(r"\\-", "-", re.sub(r"\\\(..", " ", line))
        macro = re.match(r"[.']\s*([A-Za-z]*)\s*(.*)", line)
        if macro and macro[1] in ("SH", "SS", "Sh", "Ss"):
            yield False, " ".join(words)
            words = []
            yield True, macro[2].strip('"').capitalize()
        elif macro and macro[1] in ("PP", "P", "LP", "TP", "IP", "Pp", "It", "TH", "Dd"):
            yield False, " ".join(words)
            words = []
        elif macro and macro[1] in ("B", "I", "BR", "IR", "RB", "RI", "BI", "IB", "Nm", "Ar", "Fl", "Xr", "Nd"):
            words.append(macro[2].replace('"', ""))
        elif not macro:
            words.append(line)
    yield False, " ".join(words)


def blocks_of_pod(text):
    for block in re.split(r"\n\s*\n", text):
        block = re.sub(r"[A-Z]<+\s?([^<>]*?)\s?>+", r"\1", block)
        if block.startswith("=head"):
            yield True, " ".join(block.split()[1:])
        elif not block.startswith(("=", " ", "\t", "\n ")):
            yield False, " ".join(block.split())


def blocks_of_wordnet(text):
    for line in text.split("\n"):
        if " | " in line and not line.startswith(" "):
            data, gloss = line.split(" | ", 1)
            fields = data.split(" ")
            lemmas = [fields[4 + 2 * i].replace("_", " ") for i in range(int(fields[3], 16))]
            yield True, ", ".join(re.sub(r"\(\w+\)$", "", lemma) for lemma in lemmas)
            yield False, gloss.strip()


def blocks_of_dictd(text):
    """A dictd database after its header: a headword at the margin, its definition indented."""
    for entry in re.split(r"\n(?=\S)", text):
        head, _, body = entry.partition("\n")
        body = re.sub(r"\[[^\]]*\]|--\s?[A-Z][\w. ]+\.?|[{}]|<[^>]*>", " ", body)
        yield True, " ".join(re.sub(r"\\.*", "", head).split())
        yield False, " ".join(body.split())


def blocks_of_descriptions(text):
    """Debian's translated package descriptions."""
    for paragraph in text.split("\n\n"):
        found = re.search(r"(?ms)^Description-en: ([^\n]*)\n(.*)", paragraph)
        if found:
            yield True, found[1]
            for part in re.split(r"\n \.\n", found[2]):
                yield False, " ".join(part.split())


def blocks_of_ontology(text):
    """The terms of an OBO file: name and definition."""
    for term in text.split("[Term]")[1:]:
        name = re.search(r"(?m)^name: (.*)$", term)
        definition = re.search(r'(?m)^def: "((?:[^"\\]|\\.)*)"', term)
        if name and definition:
            yield True, name[1]
            yield False, definition[1]


def blocks_of_factbook(text):
    """Nested objects whose leaves hold a text under its headings."""
    def walk(value, heading):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(inner, heading if key == "text" else key)
        elif isinstance(value, str):
            yield True, heading
            yield from ((False, block) for _, block in blocks_of_markup(value))

    return walk(json.loads(text), "")


def blocks_of_gene_ontology(path):
    with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as database:
        for name, definition in database.execute("SELECT term, definition FROM go_term ORDER BY go_id"):
            yield True, name
            yield False, definition or ""


def in_another_language(path):
    return any(re.split("[_.-]", part)[0] in OTHER_LANGUAGES and re.fullmatch(r"[a-z]{2}([_.-]\w+)?", part)
               for part in path.split("/")[:-1])


def folder_name(package):
    """The folder of a package as sources.txt names it: without version, and with no slash."""
    return re.sub(r"(?<=.)(@[^/]*|==.*)$", "", package).replace("/", "+")


def reader_of(path):
    name = path[:-3] if path.endswith(".gz") else path
    base = os.path.basename(name)
    if base.startswith("data.") and "wordnet" in path:
        return blocks_of_wordnet
    if base.endswith(".dict.dz"):
        return blocks_of_dictd
    if base.endswith("Translation-en"):
        return blocks_of_descriptions
    if base.endswith(".obo"):
        return blocks_of_ontology
    if base == "GO.sqlite":
        return blocks_of_gene_ontology
    if base.endswith(".json"):
        return blocks_of_factbook if "factbook" in path and base != "package.json" else None
    if in_another_language(path):
        return None
    if re.search(r"(?i)copyright|changelog|changes|news|license|copying|genindex|search\.html|index-all", base):
        return None
    if re.search(r"/man/man\d/", name):
        return blocks_of_manual
    suffix = base.rpartition(".")[2].lower()
    if suffix in ("html", "htm", "xhtml", "docbook", "page", "utf8"):
        return None if suffix == "utf8" and ".en." not in base else blocks_of_markup
    if suffix == "pod":
        return blocks_of_pod
    return blocks_of_plain if suffix in ("txt", "md", "rst") else None


def read_text(path):
    opened = gzip.open(path, "rb") if path.endswith((".gz", ".dz")) else open(path, "rb")
    with opened as f:
        return f.read().decode("utf-8", "replace").replace("\r", "")


def is_prose(text):
    words = text.split()
    letters = sum(c.isalpha() or c == " " for c in text)
    if not words or letters < 0.8 * len(text) or sum(c.isascii() for c in text) < 0.97 * len(text):
        return False
    return len(words) < 15 or sum(w.lower() in COMMON for w in words) >= 0.12 * len(words)


def pieces(text, words):
    """Splits a long text at sentence ends into runs of about `words` words."""
    run, size = [], 0
    for sentence in SENTENCE_END.split(text):
        run.append(sentence)
        size += sentence.count(" ") + 1
        if size >= words:
            yield " ".join(run)
            run, size = [], 0
    if run:
        yield " ".join(run)


def passages_of(blocks):
    """Joins paragraphs under their headings to passages of varying length."""
    heading, run, size = "", [], 0
    wanted = LENGTHS[0]
    for is_heading, text in list(blocks) + [(True, "")]:
        if is_heading:
            if run:
                yield heading, " ".join(run)
            heading, run, size = text[:200], [], 0
            continue
        if not is_prose(text):
            continue
        for piece in pieces(text, wanted):
            run.append(piece)
            size += piece.count(" ") + 1
            if size >= wanted:
                yield heading, " ".join(run)
                run, size = [], 0
                wanted = LENGTHS[hashlib.sha256(piece.encode()).digest()[0] % len(LENGTHS)]


def key_of(text):
    return hashlib.sha256(text.encode()).digest()


def files_of(folder):
    """Files that may hold text, in an order that is fair to a reader who stops early."""
    paths = []
    for parent, _, names in os.walk(folder):
        paths += [os.path.join(parent, name) for name in names]
    paths = [p for p in paths if reader_of(p) and not os.path.islink(p)]
    return sorted(paths, key=lambda p: key_of(os.path.relpath(p, folder)))


def passages_of_file(path):
    reader = reader_of(path)
    if reader is blocks_of_gene_ontology:
        return passages_of(reader(path))
    if os.path.getsize(path) > MAX_FILE and reader in (blocks_of_markup, blocks_of_plain):
        return []
    return passages_of(reader(read_text(path)))


def collect(folder, cap):
    """At most `cap` distinct passages of a folder: of twice as many, those whose hashes are smallest."""
    found = {}
    for path in files_of(folder):
        for heading, text in passages_of_file(path):
            text = " ".join(text.split()[:110])
            key = key_of(text)
            if text.count(" ") >= 3:
                found[key] = heading + ": " + text if heading and is_prose(heading) and key[0] & 1 else text
            if heading.count(" ") >= 2 and is_prose(heading) and key_of(heading)[0] < 64:
                found[key_of(heading)] = heading
        if len(found) >= 2 * cap:
            break
    return {key: " ".join(found[key].split()) for key in sorted(found)[:cap]}


def main():
    if sys.argv[1] == "--folder":
        print(folder_name(sys.argv[2]))
        return
    sources, folder, out = sys.argv[1:4]
    everything = {}
    wanted = []
    with open(sources, encoding="utf-8") as f:
        for line in f:
            fields = line.split("#")[0].split()
            if fields:
                wanted.append((os.path.join(folder, folder_name(fields[1])), int(fields[2])))
    if len(sys.argv) > 4:
        wanted += [(os.path.join(sys.argv[4], name), DEFAULT_CAP) for name in sorted(os.listdir(sys.argv[4]))]
    for path, cap in wanted:
        found = collect(path, cap)
        print("%7d %s" % (len(found), os.path.basename(path)), flush=True)
        everything.update(found)
    with open(out, "w", encoding="utf-8") as f:
        for key in sorted(everything):
            f.write(everything[key] + "\n")
    print(len(everything), "passages")


if __name__ == "__main__":
    main()
