#!/bin/bash
# Text in pictures and in scanned PDFs: recognised when it is asked for, and only then.
. "${0%/*}/lib.sh"
need pdftoppm pdftotext python3
docs=$TMP/docs
mkdir -p "$docs"

# A page with text, the same as a picture, and PDFs that hold only the picture: one with and one without an outline.
python3 - "$TMP/page.pdf" <<'END'
import sys
content = b'BT /F1 28 Tf 60 700 Td 40 TL (The lighthouse keeper) Tj T* (counts seven ships.) Tj ET'
objects = [b'<< /Type /Catalog /Pages 2 0 R >>', b'<< /Type /Pages /Count 1 /Kids [3 0 R] >>',
           b'<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>',
           b'<< /Length %d >>\nstream\n%s\nendstream' % (len(content), content),
           b'<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>']
with open(sys.argv[1], 'wb') as f:
    f.write(b'%PDF-1.4\n')
    for i, o in enumerate(objects):
        f.write(b'%d 0 obj\n%s\nendobj\n' % (i + 1, o))
    f.write(b'trailer\n<< /Root 1 0 R >>\n')
END
pdftoppm -q -r 100 -jpeg "$TMP/page.pdf" "$TMP/page" && mv "$TMP"/page-*.jpg "$docs/scan.jpg"
pdftoppm -q -r 100 -png "$TMP/page.pdf" "$TMP/page" && mv "$TMP"/page-*.png "$docs/scan.png"
python3 - "$docs/scan.jpg" "$docs/scanned.pdf" "$docs/outlined.pdf" <<'END'
import struct, sys
jpeg = open(sys.argv[1], 'rb').read()
at = 2
while jpeg[at + 1] not in (0xc0, 0xc1, 0xc2):
    at += 2 + struct.unpack('>H', jpeg[at + 2:at + 4])[0]
height, width, parts = struct.unpack('>HHB', jpeg[at + 5:at + 10])
draw = b'q 612 0 0 792 0 0 cm /I Do Q'
page = b'<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /XObject << /I 4 0 R >> >> /Contents 5 0 R >>'
for name, catalog in ((sys.argv[2], b''), (sys.argv[3], b'/Outlines 7 0 R ')):
    objects = [b'<< /Type /Catalog /Pages 2 0 R %s>>' % catalog, b'<< /Type /Pages /Count 2 /Kids [3 0 R 6 0 R] >>', page,
               b'<< /Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /ColorSpace /%s /Filter /DCTDecode /Length %d >>\nstream\n%s\nendstream'
               % (width, height, b'DeviceGray' if parts == 1 else b'DeviceRGB', len(jpeg), jpeg),
               b'<< /Length %d >>\nstream\n%s\nendstream' % (len(draw), draw), page,
               b'<< /First 8 0 R >>', b'<< /Title (The lighthouse keeper) /Dest [6 0 R /Fit] >>']
    with open(name, 'wb') as f:
        f.write(b'%PDF-1.4\n')
        for i, o in enumerate(objects):
            f.write(b'%d 0 obj\n%s\nendobj\n' % (i + 1, o))
        f.write(b'trailer\n<< /Root 1 0 R >>\n')
END
cp "$TMP/page.pdf" "$docs/page.pdf"
printf '\x89PNG\r\n\x1a\n and then nothing that a picture has' >"$docs/damaged.png"
settle_documents

exits 0 'index without recognition' "$PROGRAM" index "$docs"
exits 0 'export without' "$PROGRAM" export "$docs" "$TMP/plain"
like "$(cat "$TMP/plain/meta/scan.png.json")" '"code":"image","message":"[^"]*option ocr' 'a picture names the remedy'
like "$(cat "$TMP/plain/meta/scanned.pdf.json")" '"code":"no-text","message":"[^"]*option ocr' 'and so does a scanned PDF'
is "$(cat "$TMP/plain/clean/outlined.pdf.txt")" $'<!-- page 1 -->\n\n<!-- page 2 -->\n\n# The lighthouse keeper' 'one with an outline has that'

if ! have tesseract; then
	exits 1 'doctor misses tesseract' "$PROGRAM" doctor --ocr
	like "$(cat "$TMP/out")" '^lacks +ocr .*tesseract-ocr' 'and names the package'
	"$PROGRAM" export --ocr "$docs" "$TMP/ocr"
	like "$(cat "$TMP/ocr/meta/scan.png.json")" '"code":"no-program".*tesseract-ocr' 'a picture names the package too'
	skip 'tesseract is not installed' 18
	done_testing
fi
exits 0 'index with recognition' "$PROGRAM" index --ocr "$docs"
like "$(cat "$TMP/out")" ': 4 computed, 1 unchanged, 0 skipped, 1 failed' 'works on what had no text, and on nothing else'
exits 0 'export with' "$PROGRAM" export --ocr "$docs" "$TMP/ocr"
text=$'The lighthouse keeper\ncounts seven ships.'
is "$(cat "$TMP/ocr/clean/scan.png.txt")" "$text" 'a PNG picture is read'
is "$(cat "$TMP/ocr/clean/scan.jpg.txt")" "$text" 'a JPEG picture is read'
is "$(cat "$TMP/ocr/clean/scanned.pdf.txt")" $'<!-- page 1 -->\n\n'"$text"$'\n\n<!-- page 2 -->\n\n'"$text" 'a scanned PDF is read page by page'
is "$(cat "$TMP/ocr/clean/outlined.pdf.txt")" \
	$'<!-- page 1 -->\n\n'"$text"$'\n\n<!-- page 2 -->\n\n# The lighthouse keeper\n\ncounts seven ships.' 'and its outline is found there'
is_file "$TMP/ocr/clean/page.pdf.txt" "$TMP/plain/clean/page.pdf.txt" 'a PDF with text is left alone'
like "$(cat "$TMP/ocr/meta/damaged.png.json")" '"code":"damaged"' 'a damaged picture fails by itself'
like "$(cat "$TMP/ocr/meta/scanned.pdf.json")" '; ocr 1; tesseract [0-9.]+ eng' "tesseract's version is in the fingerprint"
exits 0 'index with recognition once more' "$PROGRAM" index --ocr "$docs"
like "$(cat "$TMP/out")" ': 0 computed, 6 unchanged' 'computes nothing'
exits 0 'verify finds no difference' "$PROGRAM" verify --ocr "$docs"
exits 0 'index without it again' "$PROGRAM" index "$docs"
like "$(cat "$TMP/out")" ' 3 skipped, 1 failed' 'takes the recognised text back'
exits 0 'a language that is not there' "$PROGRAM" export --ocr --ocr-language=zzz "$docs" "$TMP/zzz"
like "$(cat "$TMP/zzz/meta/scan.png.json")" '"code":"damaged","message":"[^"]*languages' 'is named'
exits 2 'no language at all' "$PROGRAM" index --ocr --ocr-language='../x' "$docs"
like "$(cat "$TMP/err")" 'is no language of tesseract; write eng, or eng\+deu' 'is an error'
"$PROGRAM" doctor --ocr >"$TMP/out" 2>&1 # whose status tells of all else that lacks here
like "$(cat "$TMP/out")" '^ok +ocr +tesseract [0-9.]+ eng' 'doctor knows tesseract and its version'
done_testing
