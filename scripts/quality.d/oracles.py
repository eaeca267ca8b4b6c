"""What other programs read in the same files. Each oracle answers with plain text, kept under the hash of the file in a cache folder."""
import concurrent.futures
import hashlib
import html.parser
import json
import os
import shutil
import subprocess
import tempfile

TIKA = "2.9.2"

# Slide masters and running headers are repeated on every page; they are dropped by a rule of ours, so Tika is asked without them.
TIKA_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<properties><parsers>
<parser class="org.apache.tika.parser.DefaultParser">
<parser-exclude class="org.apache.tika.parser.microsoft.ooxml.OOXMLParser"/>
<parser-exclude class="org.apache.tika.parser.microsoft.OfficeParser"/>
<parser-exclude class="org.apache.tika.parser.ocr.TesseractOCRParser"/>
</parser>
<parser class="org.apache.tika.parser.microsoft.ooxml.OOXMLParser"><params>
<param name="includeSlideMasterContent" type="bool">false</param><param name="includeHeadersAndFooters" type="bool">false</param>
</params></parser>
<parser class="org.apache.tika.parser.microsoft.OfficeParser"><params>
<param name="includeSlideMasterContent" type="bool">false</param><param name="includeHeadersAndFooters" type="bool">false</param>
</params></parser>
</parsers></properties>
"""

# Comments are kept by a rule of ours and deleted text is not; pandoc has both in one switch, so a filter drops the latter.
PANDOC_FILTER = """
function Span(s)
	if s.classes:includes("deletion") then return {} end
end
"""


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def run(command, timeout=120, text=b""):
    """Standard output, or None when the program failed or took too long."""
    try:
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


class Oracles:
    def __init__(self, cache):
        self.cache = cache
        os.makedirs(cache, exist_ok=True)
        self.filter, self.config = os.path.join(cache, "deletions.lua"), os.path.join(cache, "tika.xml")
        for path, text in ((self.filter, PANDOC_FILTER), (self.config, TIKA_CONFIG)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        self.has = {name: bool(shutil.which(name)) for name in ("pdftotext", "pandoc")}
        self.has["tika"] = bool(self.tika_jar())

    # --- the cache ---

    def known(self, oracle, path):
        """(whether it was asked before, its text or None)."""
        place = os.path.join(self.cache, oracle, digest(path) + ".txt")
        if os.path.exists(place + ".none"):
            return True, None
        if not os.path.exists(place):
            return False, None
        with open(place, encoding="utf-8", newline="") as f:
            return True, f.read()

    def keep(self, oracle, path, text):
        place = os.path.join(self.cache, oracle, digest(path) + ".txt")
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place + (".none" if text is None else ""), "w", encoding="utf-8", newline="", errors="replace") as f:
            f.write(text or "")

    def ask(self, oracle, paths, encodings=None):
        """path -> text, without the files that this oracle cannot read. `encodings`: of HTML, which pandoc reads as UTF-8 only."""
        self.encodings = encodings or {}
        missing = [p for p in paths if not self.known(oracle, p)[0]]
        if missing and self.has[oracle]:
            {"pdftotext": self.ask_pdftotext, "pandoc": self.ask_pandoc, "tika": self.ask_tika}[oracle](missing)
        return {p: t for p in paths for known, t in [self.known(oracle, p)] if known and t is not None}

    # --- the programs ---

    def each(self, oracle, paths, command):
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for path, text in zip(paths, pool.map(command, paths)):
                self.keep(oracle, path, text)

    def ask_pdftotext(self, paths):
        self.each("pdftotext", paths, lambda p: run(["pdftotext", "-q", "-enc", "UTF-8", p, "-"]))

    def ask_pandoc(self, paths):
        def convert(path):
            kind = {"htm": "html", "xhtml": "html", "docm": "docx", "dotx": "docx", "dotm": "docx", "ott": "odt"}
            name = os.path.splitext(path)[1][1:].lower()
            name = kind.get(name, name)
            if name not in ("docx", "odt", "html", "epub"):
                name = "html"
            more = ["--track-changes=all", "--lua-filter=" + self.filter] if name == "docx" else []
            command = ["pandoc", "-f", name, "-t", "plain", "--wrap=none", *more]
            return run(command, text=self.utf8(path)) if name == "html" else run([*command, path])

        self.each("pandoc", paths, convert)

    def utf8(self, path):
        with open(path, "rb") as f:
            data = f.read()
        try:
            return data.decode(self.encodings.get(path) or "utf-8", "replace").encode()
        except LookupError:
            return data

    def tika_jar(self):
        """tika-app from Maven, fetched once; None where that is not possible."""
        jar = os.path.join(self.cache, "tika-app-%s.jar" % TIKA)
        if not shutil.which("java"):
            return None
        if not os.path.exists(jar) and shutil.which("mvn"):
            run(["mvn", "-q", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy", "-Dartifact=org.apache.tika:tika-app:" + TIKA,
                 "-DoutputDirectory=" + self.cache], 900)
        return jar if os.path.exists(jar) else None

    def ask_tika(self, paths):
        """One Java process for all: the start of one takes longer than most documents."""
        with tempfile.TemporaryDirectory(prefix="corpusfs-tika-") as work:
            names = {}
            os.mkdir(os.path.join(work, "in"))
            for number, path in enumerate(paths):
                names[path] = "%d-%s" % (number, os.path.basename(path))
                shutil.copyfile(path, os.path.join(work, "in", names[path]))
            run(["java", "-Xmx1g", "-jar", self.tika_jar(), "-J", "-x", "--config=" + self.config, "-i", os.path.join(work, "in"), "-o",
                 os.path.join(work, "out"), "-numConsumers", "2"], 1800)
            for path, name in names.items():
                self.keep("tika", path, tika_text(os.path.join(work, "out", name + ".json")))


# What Tika adds that is not the document's own text, or is left out by a rule of ours: names of embedded files, slide masters, headers and footers.
TIKA_DROPPED = {"package-entry", "embedded", "attachment-entry", "slide-master-content", "outside"}


class TikaPage(html.parser.HTMLParser):
    """The text of the body of Tika's XHTML."""

    VOID = {"br", "img", "meta", "hr", "input", "link", "col", "area", "base"}

    def __init__(self):
        super().__init__()
        self.text, self.open, self.dropped = [], [], 0

    def handle_starttag(self, tag, attrs):
        if tag not in ("b", "i", "u", "a", "span", "em", "strong", "s", "font"):
            self.text.append("\n")
        if tag in self.VOID:
            return
        drops = tag == "head" or TIKA_DROPPED & set((dict(attrs).get("class") or "").split())
        self.open.append((tag, bool(drops)))
        self.dropped += bool(drops)

    def handle_startendtag(self, tag, attrs):
        self.text.append("\n")

    def handle_endtag(self, tag):
        if tag not in [t for t, _ in self.open]:
            return
        while self.open:
            name, drops = self.open.pop()
            self.dropped -= drops
            if name == tag:
                break
        if tag not in ("b", "i", "u", "a", "span", "em", "strong", "s", "font"):
            self.text.append("\n")

    def handle_data(self, data):
        if not self.dropped:
            self.text.append(data)


def tika_text(path):
    """The text of the document itself, not that of files embedded in it; None when it could not be read."""
    try:
        with open(path, encoding="utf-8") as f:
            parts = json.load(f)
    except (OSError, ValueError):
        return None
    # Of a mailbox every message is an embedded document.
    mailbox = parts and "mbox" in str(parts[0].get("Content-Type"))
    page = TikaPage()
    for number, part in enumerate(parts):
        if number == 0 or mailbox and "message/" in str(part.get("Content-Type")):
            page.feed(part.get("X-TIKA:content") or "")
    text = "".join(page.text)
    return text if text.strip() else None
