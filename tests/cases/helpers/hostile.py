"""Documents made to break their reader: hostile.py FOLDER SECRET [long]. Each is small on disk and made within a second or so; `long` makes
those as well that keep their parser busy until its deadline.

Prints a line a file: its name, and a regular expression that "STATE CODE" must match whole. A document whose text may be taken in part is
`ok`; where the bound itself is the answer, the pattern names the reason. SECRET is a file that nothing may read.
"""
import gzip
import io
import os
import struct
import sys
import zipfile
import zlib

folder, secret = sys.argv[1:3]
LONG = sys.argv[3:] == ["long"]
GIGABYTE = 1 << 30
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
O = ('xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
     'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"')
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"


def put(name, data, expected):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    print("%s\t%s" % (name, expected))


# --- ZIP containers --------------------------------------------------------------------------------------------------

def zipped(parts, first_stored=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        if first_stored:
            z.writestr(zipfile.ZipInfo("mimetype"), first_stored)
        for name, data in parts.items():
            z.writestr(name, data)
    return out.getvalue()


def deflated(head, block, times, tail):
    """(raw deflate of head + times * block + tail, its CRC, its size); the block is compressed once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    out = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(head)
    for _ in range(times):
        crc = zlib.crc32(block, crc)
    return out + piece * times + packer.compress(tail) + packer.flush(), zlib.crc32(tail, crc), len(head) + len(block) * times + len(tail)


def raw_zip(entries):
    """A ZIP of (name, raw deflate, crc, size); entries with the same data share one local header, so that they overlap."""
    out, central, places = bytearray(), bytearray(), {}
    for name, packed, crc, size in entries:
        if id(packed) not in places:
            places[id(packed)] = len(out)
            out += struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, 0, 8, 0, 0, crc, len(packed), size, len(name), 0) + name.encode() + packed
        central += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 20, 20, 0, 8, 0, 0, crc, len(packed), size, len(name), 0, 0, 0, 0, 0,
                               places[id(packed)]) + name.encode()
    start = len(out)
    out += central + struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, len(entries), len(entries), len(central), start, 0)
    return bytes(out)


def entry(name, data):
    return (name, *deflated(data.encode(), b"", 0, b""))


def bomb(name, head, block, tail, size=GIGABYTE):
    return (name, *deflated(head.encode(), block.encode() * (65536 // len(block)), size // (65536 // len(block) * len(block)), tail.encode()))


def relations(*pairs):
    return ('<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">' +
            "".join('<Relationship Id="r%d" Type="%s%s" Target="%s"/>' % (i, RELATION, kind, target) for i, (kind, target) in enumerate(pairs)) +
            "</Relationships>")


# Each kind's main part, around a body; `prologue` goes before the root element, where a DTD would stand.
def docx_part(body, prologue=""):
    return "%s<w:document %s><w:body><w:p><w:r><w:t>begin</w:t></w:r></w:p>%s</w:body></w:document>" % (prologue, W, body)


def slide_part(body, prologue=""):
    return "%s<p:sld %s><p:cSld><p:spTree><p:sp><p:txBody><a:p><a:r><a:t>begin</a:t></a:r></a:p>%s</p:txBody></p:sp></p:spTree></p:cSld></p:sld>" % (
        prologue, A, body)


def sheet_part(body, prologue=""):
    return '%s<worksheet %s><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>begin</t></is></c></row>%s</sheetData></worksheet>' % (prologue, S, body)


def odf_part(body, prologue="", kind="text"):
    inner = {"text": "%s", "spreadsheet": '<table:table table:name="T">%s</table:table>', "presentation": "<draw:page>%s</draw:page>"}[kind]
    return "%s<office:document-content %s><office:body><office:%s><text:p>begin</text:p>%s</office:%s></office:body></office:document-content>" % (
        prologue, O, kind, inner % body, kind)


def chapter_part(body, prologue=""):
    return '%s<html xmlns="http://www.w3.org/1999/xhtml"><body><p>begin</p>%s</body></html>' % (prologue, body)


def presentation(count):
    slides = "".join('<p:sldId id="%d" r:id="r%d"/>' % (256 + i, i) for i in range(count))
    return ["<p:presentation %s %s><p:sldIdLst>%s</p:sldIdLst></p:presentation>" % (A, R, slides),
            relations(*[("slide", "slides/slide%d.xml" % i) for i in range(count)])]


WORKBOOK = '<workbook %s %s><sheets><sheet name="Sheet" sheetId="1" r:id="r0"/></sheets></workbook>' % (S, R)
CONTAINER = ('<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="book.opf" '
             'media-type="application/oebps-package+xml"/></rootfiles></container>')


def book(count):
    return ('<package xmlns="http://www.idpf.org/2007/opf"><manifest>%s</manifest><spine>%s</spine></package>' % (
        "".join('<item id="c%d" href="c%d.xhtml" media-type="application/xhtml+xml"/>' % (i, i) for i in range(count)),
        "".join('<itemref idref="c%d"/>' % i for i in range(count))))


def others(kind, count=1):
    """The parts around the main part (or parts) of a kind, and the name of the main part."""
    if kind == "docx":
        return {"_rels/.rels": relations(("officeDocument", "word/document.xml"))}, "word/document.xml"
    if kind == "pptx":
        main, rels = presentation(count)
        return {"_rels/.rels": relations(("officeDocument", "ppt/presentation.xml")), "ppt/presentation.xml": main,
                "ppt/_rels/presentation.xml.rels": rels}, "ppt/slides/slide%d.xml"
    if kind == "xlsx":
        return {"_rels/.rels": relations(("officeDocument", "xl/workbook.xml")), "xl/workbook.xml": WORKBOOK,
                "xl/_rels/workbook.xml.rels": relations(("worksheet", "worksheets/sheet1.xml"))}, "xl/worksheets/sheet1.xml"
    if kind == "epub":
        return {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "book.opf": book(count)}, "c%d.xhtml"
    return {"mimetype": "application/vnd.oasis.opendocument." + ODF[kind]}, "content.xml"


ODF = {"odt": "text", "ods": "spreadsheet", "odp": "presentation"}
PART = {"docx": docx_part, "pptx": slide_part, "xlsx": sheet_part, "epub": chapter_part,
        **{k: (lambda body, prologue="", kind=v: odf_part(body, prologue, kind)) for k, v in ODF.items()}}
# An element with text, around %s.
PIECE = {"docx": "<w:p><w:r><w:t>%s</w:t></w:r></w:p>", "pptx": "<a:p><a:r><a:t>%s</a:t></a:r></a:p>",
         "xlsx": '<row><c t="inlineStr"><is><t>%s</t></is></c></row>', "odt": "<text:p>%s</text:p>",
         "ods": '<table:table-row><table:table-cell office:value-type="string"><text:p>%s</text:p></table:table-cell></table:table-row>',
         "odp": "<draw:frame><draw:text-box><text:p>%s</text:p></draw:text-box></draw:frame>", "epub": "<p>%s</p>"}
# An element of which one may stand inside another.
NEST = {"docx": ("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"), "pptx": ("<a:p><a:r>", "</a:r></a:p>"), "xlsx": ("<row><c>", "</c></row>"),
        "odt": ("<text:list><text:list-item>", "</text:list-item></text:list>"), "ods": ("<table:table-row-group>", "</table:table-row-group>"),
        "odp": ("<draw:g>", "</draw:g>"), "epub": ("<div><ul><li>", "</li></ul></div>")}


def document(kind, part):
    around, main = others(kind)
    name = main % 0 if "%" in main else main
    return zipped({**{k: v for k, v in around.items() if k != "mimetype"}, name: part}, around.get("mimetype"))


def zip_bombs():
    for kind in PART:
        around, main = others(kind)
        name = main % 0 if "%" in main else main
        head, tail = PART[kind]("\0").split("\0")
        for label, block in (("text", PIECE[kind] % ("a" * 200)), ("blanks", " " * 256)):
            entries = [entry(n, d) for n, d in around.items()] + [bomb(name, head, block, tail)]
            put("bomb/flat-%s.%s" % (label, kind), raw_zip(entries), "failed too-large|failed memory|ok ")
    for kind, count in (("pptx", 5000), ("epub", 5000)):
        around, main = others(kind, count)
        shared = bomb("", *PART[kind]("\0").split("\0")[:1], PIECE[kind] % ("b" * 200), PART[kind]("\0").split("\0")[1], 1 << 20)
        entries = [entry(n, d) for n, d in around.items()] + [(main % i, *shared[1:]) for i in range(count)]
        put("bomb/overlapping." + kind, raw_zip(entries), "failed too-large|ok ")
    zeros = deflated(b"", bytes(65536), GIGABYTE // 65536, b"")
    put("bomb/flat.zip", raw_zip([("zeros.txt", *zeros)]), ".*")
    put("bomb/overlapping.zip", raw_zip([("%d.txt" % i, *zeros) for i in range(10000)]), ".*")
    inner = raw_zip([("0.txt", *zeros)])
    for level in range(12):
        inner = zipped({"%d-%d.zip" % (level, i): inner for i in range(4 if level < 4 else 1)})
    put("bomb/nested.zip", inner, ".*")
    put("bomb/zeros.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + zeros[0] + struct.pack("<II", zeros[1], zeros[2] & 0xffffffff), "failed too-large|skipped \\w+")
    deep = b"text\n"
    for _ in range(200):
        deep = gzip.compress(deep, mtime=0)
    put("bomb/nested.txt.gz", deep, "failed \\S+|skipped \\w+")


# --- XML ---------------------------------------------------------------------------------------------------------------

LAUGHS = '<!DOCTYPE x [<!ENTITY a0 "laugh">%s]>' % "".join('<!ENTITY a%d "%s">' % (i, "&a%d;" % (i - 1) * 10) for i in range(1, 12))
OUTSIDE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file://%s"><!ENTITY %% p SYSTEM "file://%s">%%p;]>' % (secret, secret)
REMOTE = '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY e SYSTEM "http://127.0.0.1:9/x">]>'


def entities():
    plain = {"html": chapter_part, "xhtml": chapter_part, "xml": lambda b, p="": p + "<x>begin %s</x>" % b,
             "opml": lambda b, p="": p + '<opml version="2.0"><body><outline text="begin %s"/></body></opml>' % b}
    for kind in [*PART, *plain]:
        for label, prologue, use in (("laughs", LAUGHS, "&a11;"), ("outside", OUTSIDE, "&e;"), ("remote", REMOTE, "&e;")):
            if kind in PART:
                data = document(kind, PART[kind](PIECE[kind] % use, '<?xml version="1.0"?>' + prologue))
            else:
                data = plain[kind](use, '<?xml version="1.0"?>' + prologue)
            put("entities/%s.%s" % (label, kind), data, "failed damaged|ok ")
    around, _ = others("xlsx")
    shared = '<?xml version="1.0"?>%s<sst %s><si><t>&a11;</t></si></sst>' % (LAUGHS, S)
    put("entities/laughs-shared.xlsx", zipped({**around, "xl/sharedStrings.xml": shared,
                                               "xl/worksheets/sheet1.xml": sheet_part('<row><c t="s"><v>0</v></c></row>')}), "failed damaged|ok ")


# --- nesting -------------------------------------------------------------------------------------------------------------

def nesting():
    depth = 100000
    for kind in PART:
        opening, closing = NEST[kind]
        put("deep/nested." + kind, document(kind, PART[kind](opening * depth + PIECE[kind] % "core" + closing * depth)), "failed \\S+|ok ")
    for tag in ("div", "table><tr><td", "ul><li", "blockquote", "b", "select", "svg", "template", "font"):
        put("deep/%s.html" % tag.replace("><", "-"), "<!doctype html><p>begin</p>" + ("<%s>" % tag) * depth + "core", "ok |failed \\S+")
    put("deep/nested.xml", "<?xml version='1.0'?>" + "<x>" * depth + "core" + "</x>" * depth, "ok |failed \\S+")
    put("deep/nested.json", "[" * 1000000 + "]" * 1000000, "ok |failed \\S+")
    put("deep/nested.ipynb", '{"cells":' + "[" * 1000000 + "]" * 1000000 + "}", "failed damaged|ok ")
    put("deep/nested.rtf", "{\\rtf1 begin " + "{\\b " * 500000 + "core" + "}" * 500000 + "}", "ok |failed damaged")
    put("deep/open.rtf", "{\\rtf1 begin " + "{" * 1000000, "ok |failed damaged")
    put("deep/quotes.md", "# begin\n\n" + ">" * 200000 + " core\n", "ok ")
    put("deep/items.md", "# begin\n\n" + "- " * 100000 + "core\n", "ok ")
    put("deep/list.md", "# begin\n\n" + "".join(" " * (2 * i) + "- item\n" for i in range(2000)), "ok ")
    put("deep/brackets.md", "# begin\n\n" + "[" * 200000 + "](" * 200000 + "\n", "ok ")
    head = "From: a@example.org\nTo: b@example.org\nSubject: begin\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nMIME-Version: 1.0\n"
    parts = "".join('Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (i, i) for i in range(5000))
    put("deep/multipart.eml", head + parts + "Content-Type: text/plain\n\ncore\n", "ok |failed \\S+")
    put("deep/messages.eml", head + "Content-Type: message/rfc822\n\n" + (head + "Content-Type: message/rfc822\n\n") * 5000 + "core\n", "ok ")


# --- dimensions ----------------------------------------------------------------------------------------------------------

def dimensions():
    far = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>far</t></is></c></row>'
    put("wide/far.xlsx", document("xlsx", sheet_part(far)), "ok ")
    huge = '<row r="4294967295"><c r="ZZZZZZZZ99999999999" t="inlineStr"><is><t>far</t></is></c></row>'
    put("wide/beyond.xlsx", document("xlsx", sheet_part(huge)), "ok ")
    merged = sheet_part("").replace("</worksheet>", '<mergeCells>%s</mergeCells></worksheet>' % ('<mergeCell ref="A1:XFD1048576"/>' * 10000))
    put("wide/merged.xlsx", document("xlsx", merged), "ok ")
    cell = '<table:table-cell table:number-columns-repeated="2147483647" office:value-type="string"><text:p>far</text:p></table:table-cell>'
    row = '<table:table-row table:number-rows-repeated="2147483647">%s</table:table-row>' % (cell * 10)
    put("wide/repeated.ods", document("ods", odf_part(row * 2, "", "spreadsheet")), "ok |failed too-large")
    spans = '<tr>' + '<td colspan="1000" rowspan="65534">far</td>' * 200 + "</tr>"
    put("wide/spans.html", "<!doctype html><table>" + spans * 50 + "</table>", "ok |failed too-large")
    put("wide/cells.html", "<!doctype html><table><tr>" + "<td>x" * 300000 + "</table>", "ok ")
    grid = '<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2147483647"/></w:tcPr><w:p><w:r><w:t>far</w:t></w:r></w:p></w:tc></w:tr></w:tbl>'
    put("wide/span.docx", document("docx", docx_part(grid * 50)), "ok ")
    put("wide/columns.csv", "," * 3000000 + "\n1\n", "ok ")
    put("wide/line.txt", "word " * 500000, "ok ")
    put("wide/attributes.html", "<!doctype html><p " + " ".join("a%d=1" % i for i in range(100000 if LONG else 10000)) + ">begin", "ok |failed \\S+")


# --- PDF -----------------------------------------------------------------------------------------------------------------

def pdf(objects, root=1):
    out, places = bytearray(b"%PDF-1.7\n"), {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n" % number + (body if isinstance(body, bytes) else body.encode()) + b"\nendobj\n"
    start, size = len(out), max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        out += b"%010d 00000 n \n" % places.get(number, 0)
    out += b"trailer\n<</Root %d 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (root, size, start)
    return bytes(out)


def stream(data, more="", length=None):
    return b"<<%s/Length %d>>\nstream\n" % (more.encode(), len(data) if length is None else length) + data + b"\nendstream"


def pdfs():
    font = "<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
    content = stream(b"BT /F1 12 Tf 72 720 Td (begin) Tj ET")
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources%s/Contents 4 0 R>>" % font
    catalog = "<</Type/Catalog/Pages 2 0 R>>"
    put("pdf/million.pdf", pdf({1: catalog, 2: "<</Type/Pages/Count 1000000/Kids[%s]>>" % ("3 0 R " * 1000000), 3: page, 4: content}), "ok |failed \\S+")
    levels = {10 + i: "<</Type/Pages/Parent 2 0 R/Count %d/Kids[%s]>>" % (10 ** (6 - i), "%d 0 R " % (11 + i if i < 5 else 3) * 10) for i in range(6)}
    put("pdf/tree.pdf", pdf({1: catalog, 2: "<</Type/Pages/Count 1000000/Kids[10 0 R]>>", 3: page, 4: content, **levels}), "ok |failed \\S+")
    put("pdf/claimed.pdf", pdf({1: catalog, 2: "<</Type/Pages/Count 2147483647/Kids[3 0 R]>>", 3: page, 4: content}), "ok |failed \\S+")
    put("pdf/circle.pdf", pdf({1: catalog, 2: "<</Type/Pages/Count 2/Kids[5 0 R 3 0 R]>>", 3: page, 4: content,
                               5: "<</Type/Pages/Parent 2 0 R/Count 2/Kids[2 0 R 5 0 R]>>"}), "ok |failed \\S+")
    put("pdf/self.pdf", pdf({1: catalog, 2: "<</Type/Pages/Count 1/Kids[2 0 R]>>"}), "failed \\S+")
    put("pdf/long.pdf", pdf({1: catalog, 2: "<</Type/Pages/Count 1/Kids[3 0 R]>>", 3: page,
                             4: stream(b"BT /F1 12 Tf 72 720 Td (begin) Tj ET", "", 4 << 30)}), "ok |failed \\S+")
    flood, _, _ = deflated(b"BT /F1 12 Tf 72 720 Td ", b"(flood) Tj " * 5000, 4000, b" ET")
    packed = b"\x78\xda" + flood
    put("pdf/flood.pdf", pdf({1: catalog, 2: "<</Type/Pages/Count 1/Kids[3 0 R]>>", 3: page, 4: stream(packed, "/Filter/FlateDecode")}), "ok |failed \\S+")
    if not LONG:
        return
    form = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</XObject<</X 5 0 R>>>>/Contents 4 0 R>>"
    inner = "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>"
    put("pdf/forms.pdf", pdf({1: catalog, 2: "<</Type/Pages/Count 1/Kids[3 0 R]>>", 3: form, 4: stream(b"/X Do " * 10),
                              **{5 + i: stream(b"/X Do " * 10, inner % (6 + i)) for i in range(30)},
                              35: stream(b"/X Do", inner % 5)}), "ok |failed \\S+")


# --- mail ----------------------------------------------------------------------------------------------------------------

def mails():
    head = "From: a@example.org\nTo: b@example.org\nSubject: begin\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nMIME-Version: 1.0\n"
    kind = 'Content-Type: multipart/mixed; boundary="b"\n\n'
    put("mail/parts.eml", head + kind + "".join("--b\nContent-Type: text/plain\n\npart %d\n" % i for i in range(10000)) + "--b--\n", "ok ")
    attachment = "--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=f%d.bin\n\nx\n"
    put("mail/attachments.eml", head + kind + "--b\n\nbegin\n" + "".join(attachment % i for i in range(10000)) + "--b--\n", "ok ")
    put("mail/header.eml", head + "X-Long: " + "a " * 3000000 + "\n\nbegin\n", "ok ")
    put("mail/folded.eml", head + "References:" + "\n <a@b>" * 500000 + "\n\nbegin\n", "ok ")
    put("mail/to.eml", head.replace("b@example.org", ", ".join("u%d@example.org" % i for i in range(100000))) + "\nbegin\n", "ok ")
    put("mail/boundary.eml", head + 'Content-Type: multipart/mixed; boundary=""\n\n' + "--\n" * 100000, "ok |failed no-text")
    put("mail/many.mbox", ("From a@example.org Thu Jan  1 00:00:00 2026\n" + head + "\nbegin\n\n") * 20000, "ok ")


zip_bombs()
entities()
nesting()
dimensions()
pdfs()
mails()
