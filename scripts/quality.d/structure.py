"""Headings and table cells that the markup of a file itself names, read with the standard library alone."""
import html.parser
import posixpath
import re
import xml.etree.ElementTree as ET
import zipfile

WORD = re.compile(r"[^\W_]+")


def words(text):
    return tuple(WORD.findall(text.lower().replace("\u00ad", "")))


def local(tag):
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""


def attribute(element, name):
    for key, value in element.attrib.items():
        if local(key) == name:
            return value
    return None


def texts(element, wanted, breaks=("p", "br", "tab", "line-break", "s"), skipped=()):
    """The text of elements called `wanted` (None: of all) below `element`."""
    out = []

    def walk(e):
        name = local(e.tag)
        if name in skipped:
            return
        if name in breaks:
            out.append(" ")
        if e.text and (wanted is None or name in wanted):
            out.append(e.text)
        for child in e:
            walk(child)
            if child.tail and wanted is None:
                out.append(child.tail)
        if name in breaks:
            out.append(" ")

    walk(element)
    return "".join(out)


def parts(archive, pattern):
    found = [n for n in archive.namelist() if re.fullmatch(pattern, n)]
    return sorted(found, key=lambda n: [int(d) for d in re.findall(r"\d+", n)])


def docx(archive):
    styles = {}
    if "word/styles.xml" in archive.namelist():
        for style in ET.fromstring(archive.read("word/styles.xml")):
            name = next((attribute(c, "val") or "" for c in style if local(c.tag) == "name"), "").lower()
            if re.fullmatch(r"heading [1-6]|title", name):
                styles[attribute(style, "styleId")] = name
    def text_of(e):
        return texts(e, ("t",), skipped=("del", "moveFrom", "Fallback"))

    data = archive.read("word/document.xml")
    # A cell is one line, in which a heading is text as any other.
    return [text_of(p) for p in outside(data, "tbl", "p") if docx_style(p) in styles], outermost(data, "tbl", "tc", text_of)


def docx_style(paragraph):
    return next((attribute(s, "val") for c in paragraph if local(c.tag) == "pPr" for s in c if local(s.tag) == "pStyle"), None)


def outside(data, table, wanted):
    """Elements called `wanted` that are in no table."""
    found = []

    def walk(e):
        for child in e:
            if local(child.tag) == wanted:
                found.append(child)
            elif local(child.tag) != table:
                walk(child)

    walk(ET.fromstring(data))
    return found


def outermost(data, table, cell, text_of):
    """The cells of tables that are not inside another table."""
    cells = []

    def walk(e, inside):
        name = local(e.tag)
        if name == cell and inside:
            cells.append(text_of(e))
            return
        for child in e:
            walk(child, inside or name == table)

    walk(ET.fromstring(data), False)
    return cells


def pptx(archive):
    headings, cells = [], []
    for name in parts(archive, r"ppt/slides/slide\d+\.xml"):
        root = ET.fromstring(archive.read(name))
        for shape in root.iter():
            if local(shape.tag) == "sp" and any(local(e.tag) == "ph" and attribute(e, "type") in ("title", "ctrTitle") for e in shape.iter()):
                headings.append(texts(shape, ("t",)))
        cells += outermost(archive.read(name), "tbl", "tc", lambda e: texts(e, ("t",)))
    return headings, cells


def xlsx(archive):
    shared = []
    if "xl/sharedStrings.xml" in archive.namelist():
        for item in ET.fromstring(archive.read("xl/sharedStrings.xml")):
            if local(item.tag) == "si":
                shared.append(texts(item, ("t",), skipped=("rPh",)))
    workbook = ET.fromstring(archive.read("xl/workbook.xml"))
    headings = [attribute(e, "name") or "" for e in workbook.iter() if local(e.tag) == "sheet"]
    cells = []
    for name in parts(archive, r"xl/worksheets/sheet\d+\.xml"):
        for cell in ET.fromstring(archive.read(name)).iter():
            if local(cell.tag) != "c":
                continue
            kind = attribute(cell, "t")
            value = next((c.text or "" for c in cell if local(c.tag) == "v"), "")
            if kind == "s" and value.isdigit() and int(value) < len(shared):
                cells.append(shared[int(value)])
            elif kind in ("str", "inlineStr"):
                cells.append(value or texts(cell, ("t",)))
    return headings, cells


def odf(archive):
    data = archive.read("content.xml")
    dropped = ("tracked-changes", "annotation", "note", "frame", "shapes")

    def text_of(e):
        return texts(e, None, skipped=dropped)

    headings = [text_of(e) for e in ET.fromstring(data).iter() if local(e.tag) == "h"]
    return headings, outermost(data, "table", "table-cell", text_of)


class Page(html.parser.HTMLParser):
    """Headings and cells of HTML. Cells of tables in tables belong to the outer cell."""

    def __init__(self):
        super().__init__()
        self.headings, self.cells, self.heading, self.cell, self.tables, self.silent = [], [], None, None, 0, 0

    def end_cell(self):
        if self.cell is not None:
            self.cells.append(self.cell)
            self.cell = None

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "style", "noscript", "template"):
            self.silent += 1
        elif re.fullmatch("h[1-6]", tag):
            self.heading = ""
        elif tag == "table":
            self.tables += 1
        elif tag in ("td", "th", "tr") and self.tables == 1:
            self.end_cell()
            self.cell = "" if tag != "tr" else None
        elif tag in ("p", "br", "div", "li"):
            self.handle_data(" ")

    def handle_endtag(self, tag):
        if tag in ("script", "style", "noscript", "template"):
            self.silent = max(0, self.silent - 1)
        elif re.fullmatch("h[1-6]", tag) and self.heading is not None:
            self.headings.append(self.heading)
            self.heading = None
        elif tag == "table":
            if self.tables == 1:
                self.end_cell()
            self.tables = max(0, self.tables - 1)
        elif tag in ("td", "th") and self.tables == 1:
            self.end_cell()

    def handle_data(self, data):
        if self.silent:
            return
        if self.heading is not None:
            self.heading += data
        if self.cell is not None:
            self.cell += data


def decoded(data):
    for encoding in ("utf-8-sig", re.search(rb"charset=[\"']?([\w-]+)|$", data).group(1) or b"cp1252", "cp1252", "latin-1"):
        try:
            return data.decode(encoding if isinstance(encoding, str) else encoding.decode())
        except (UnicodeDecodeError, LookupError):
            continue
    return ""


def html_page(data):
    page = Page()
    page.feed(decoded(data))
    return page.headings, page.cells


def epub(archive):
    container = ET.fromstring(archive.read("META-INF/container.xml"))
    package = next(attribute(e, "full-path") for e in container.iter() if local(e.tag) == "rootfile")
    root = ET.fromstring(archive.read(package))
    items = {attribute(e, "id"): attribute(e, "href") for e in root.iter() if local(e.tag) == "item"}
    headings, cells = [], []
    for reference in root.iter():
        href = items.get(attribute(reference, "idref")) if local(reference.tag) == "itemref" else None
        name = posixpath.normpath(posixpath.join(posixpath.dirname(package), href)) if href else None
        if name in archive.namelist():
            more_headings, more_cells = html_page(archive.read(name))
            headings += more_headings
            cells += more_cells
    return headings, cells


PACKAGES = {"docx": docx, "pptx": pptx, "xlsx": xlsx, "odt": odf, "ods": odf, "odp": odf, "epub": epub}


def of_file(kind, path):
    """(headings, cells) as tuples of words, empty ones left out; None where the markup cannot be read."""
    try:
        if kind in PACKAGES:
            with zipfile.ZipFile(path) as archive:
                headings, cells = PACKAGES[kind](archive)
        elif kind == "html":
            with open(path, "rb") as f:
                headings, cells = html_page(f.read())
        else:
            return None
    except (zipfile.BadZipFile, ET.ParseError, KeyError, StopIteration, OSError, NotImplementedError, EOFError, RuntimeError, RecursionError):
        return None
    return [w for w in map(words, headings) if w], [w for w in map(words, cells) if w]


def of_text(markdown):
    """(headings, cells) of our clean text."""
    headings, cells = [], []
    for line in markdown.split("\n"):
        line = line.strip(" >-*")
        if re.match(r"#{1,6} ", line):
            headings.append(line)
        elif line.startswith("|"):
            cells += re.split(r"(?<!\\)\|", line)[1:-1]
    return [w for w in map(words, headings) if w], [w for w in map(words, cells) if w]
