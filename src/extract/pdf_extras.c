/* Finds what a PDF says outside the text of its pages: see pdf_extras.h. The trees of a document (pages, fields, outline, names) are walked with
 * a bound on depth and on nodes, for a hostile one leads round in circles. */
#include "extract/pdf_extras.h"

#include "extract/format.h"
#include "extract/pdf_objects.h"

#include <errno.h>
#include <stdlib.h>

/* A node needs some bytes of the document, packed or not. */
enum { DEPTH = 64, NODES_ANY = 1000, NODES = 200000 };
/* Records of one document. Real ones have kilobytes. */
#define RECORDS_BYTES ((size_t)8 << 20)
/* A longer text is cut off: no comment is a book. */
#define RECORD_TEXT_BYTES ((size_t)64 << 10)

/* A key of the catalog's trees and where it leads: a page's object and its number, or a named destination. */
struct page_number {
	uint32_t object, page;
};

struct destination {
	struct span name;
	struct pdf_value value;
};

struct extras {
	struct pdf *pdf;
	struct buf *out;
	struct page_number *pages;
	size_t page_count, page_room;
	struct destination *names;
	size_t name_count, name_room;
	bool names_known;
	unsigned nodes; /* still to be visited */
	unsigned page;	/* the last one found */
	int error;
};

typedef void visit_fn(struct extras *x, struct pdf_value node);

/* --- records ------------------------------------------------------------------------------------------------------- */

static void begin_record(struct extras *x, enum pdf_record kind, unsigned page, unsigned level)
{
	buf_addf(x->out, "%c\t%u\t%u\t", (char)kind, page, level);
}

static bool has_text(struct pdf_value v)
{
	return v.kind == PDF_STRING || v.kind == PDF_HEX_STRING || v.kind == PDF_NAME;
}

static void add_text(struct extras *x, struct pdf_value v)
{
	if (!has_text(v))
		return;
	if (v.raw.size > RECORD_TEXT_BYTES)
		v.raw.size = RECORD_TEXT_BYTES;
	pdf_add_text(v, x->out);
}

/* Takes a record back that turned out to have no text. */
static void end_record(struct extras *x, size_t start)
{
	if (x->out->size > 0 && x->out->size > start && x->out->data[x->out->size - 1] == '\t')
		buf_truncate(x->out, start);
	else
		buf_add_char(x->out, '\n');
}

static void add_record(struct extras *x, enum pdf_record kind, unsigned level, struct pdf_value label, struct pdf_value text)
{
	size_t start = x->out->size;
	begin_record(x, kind, x->page, level);
	add_text(x, label);
	buf_add_char(x->out, '\t');
	add_text(x, text);
	end_record(x, start);
}

static bool spend_node(struct extras *x)
{
	return x->error == 0 && x->nodes > 0 && x->nodes--;
}

/* --- pages and their annotations ----------------------------------------------------------------------------------- */

static bool grow(struct extras *x, void **list, size_t count, size_t *room, size_t item)
{
	if (count < *room)
		return true;
	size_t wanted = *room ? *room * 2 : 64;
	void *grown = realloc(*list, wanted * item);
	if (!grown) {
		x->error = -ENOMEM;
		return false;
	}
	*list = grown;
	*room = wanted;
	return true;
}

static void add_attachment(struct extras *x, struct pdf_value file)
{
	struct pdf_value name = pdf_get(x->pdf, file, "UF");
	if (!has_text(name))
		name = pdf_get(x->pdf, file, "F");
	if (!has_text(name))
		name = pdf_resolve(x->pdf, file);
	unsigned page = x->page;
	x->page = 0;
	add_record(x, PDF_RECORD_ATTACHMENT, 0, pdf_get(x->pdf, file, "Desc"), name);
	x->page = page;
}

static void add_annotation(struct extras *x, struct pdf_value annotation)
{
	/* Popups repeat their parent's text, and the text of fields is in the form. */
	static const char *const silent[] = {"Popup", "Widget", "Link", "Movie", "Sound", "Screen", "PrinterMark", "TrapNet", "Watermark"};
	struct pdf_value kind = pdf_get(x->pdf, annotation, "Subtype"), flags = pdf_get(x->pdf, annotation, "F");
	if (kind.kind != PDF_NAME || (flags.kind == PDF_NUMBER && (flags.number & 2))) /* 2: hidden */
		return;
	if (pdf_is_name(kind, "Link")) {
		struct pdf_value action = pdf_get(x->pdf, annotation, "A");
		if (pdf_is_name(pdf_get(x->pdf, action, "S"), "URI"))
			add_record(x, PDF_RECORD_LINK, 0, (struct pdf_value){0}, pdf_get(x->pdf, action, "URI"));
	}
	if (pdf_is_name(kind, "FileAttachment"))
		add_attachment(x, pdf_entry(x->pdf, annotation, "FS"));
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		if (pdf_is_name(kind, silent[i]))
			return;
	/* The level tells the two kinds apart whose text is drawn on the page as well. */
	unsigned drawn = pdf_is_name(kind, "FreeText") || pdf_is_name(kind, "Stamp");
	add_record(x, PDF_RECORD_COMMENT, drawn, pdf_get(x->pdf, annotation, "T"), pdf_get(x->pdf, annotation, "Contents"));
}

static void add_page(struct extras *x, struct pdf_value node)
{
	if (!grow(x, (void **)&x->pages, x->page_count, &x->page_room, sizeof(*x->pages)))
		return;
	x->pages[x->page_count++] = (struct page_number){node.kind == PDF_REFERENCE ? node.number : 0, ++x->page};
	struct pdf_value annotations = pdf_get(x->pdf, node, "Annots"), annotation;
	struct span rest = annotations.kind == PDF_ARRAY ? annotations.raw : (struct span){"", 0};
	while (pdf_next(x->pdf, &rest, &annotation) && spend_node(x))
		add_annotation(x, annotation);
}

/* Visits the leaves below `root`, a tree in which `kids` holds the branches, from left to right. */
static void walk(struct extras *x, struct pdf_value root, const char *kids, visit_fn *visit)
{
	struct span levels[DEPTH];
	unsigned depth = 0;
	struct pdf_value node = root;
	for (bool more = true; more && spend_node(x);) {
		struct pdf_value children = pdf_get(x->pdf, node, kids);
		if (children.kind != PDF_ARRAY)
			visit(x, node);
		else if (depth < DEPTH)
			levels[depth++] = children.raw;
		more = false;
		while (depth > 0 && !(more = pdf_next(x->pdf, &levels[depth - 1], &node)))
			depth--;
	}
}

static int by_object(const void *a, const void *b)
{
	const struct page_number *p = a, *q = b;
	return p->object < q->object ? -1 : p->object > q->object;
}

/* --- the outline --------------------------------------------------------------------------------------------------- */

static void add_name(struct extras *x, struct pdf_value leaf)
{
	struct pdf_value names = pdf_get(x->pdf, leaf, "Names"), name, value;
	struct span rest = names.kind == PDF_ARRAY ? names.raw : (struct span){"", 0};
	while (pdf_next(x->pdf, &rest, &name) && pdf_next(x->pdf, &rest, &value) && spend_node(x)) {
		if (!grow(x, (void **)&x->names, x->name_count, &x->name_room, sizeof(*x->names)))
			return;
		x->names[x->name_count++] = (struct destination){pdf_resolve(x->pdf, name).raw, value};
	}
}

static int compare_spans(struct span a, struct span b)
{
	int r = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
	return r != 0 ? r : a.size < b.size ? -1 : a.size > b.size;
}

static int by_name(const void *a, const void *b)
{
	return compare_spans(((const struct destination *)a)->name, ((const struct destination *)b)->name);
}

/* The tree of names is read once, when the first is asked for. Both ways to write a string in it are told apart by nobody who writes a PDF. */
static struct pdf_value find_name(struct extras *x, struct span name)
{
	struct pdf_value root = pdf_root(x->pdf);
	if (!x->names_known) {
		x->names_known = true;
		walk(x, pdf_get(x->pdf, pdf_get(x->pdf, root, "Names"), "Dests"), "Kids", add_name);
		if (x->name_count > 0)
			qsort(x->names, x->name_count, sizeof(*x->names), by_name);
	}
	const struct destination key = {.name = name}, *found = x->name_count ? bsearch(&key, x->names, x->name_count, sizeof(key), by_name) : NULL;
	return found ? pdf_resolve(x->pdf, found->value) : (struct pdf_value){0};
}

/* The page that an item leads to, or 0. */
static unsigned page_of_item(struct extras *x, struct pdf_value item)
{
	struct pdf_value target = pdf_get(x->pdf, item, "Dest");
	if (target.kind == PDF_NONE)
		target = pdf_get(x->pdf, pdf_get(x->pdf, item, "A"), "D");
	if (target.kind == PDF_STRING || target.kind == PDF_HEX_STRING) {
		target = find_name(x, target.raw);
	} else if (target.kind == PDF_NAME) { /* PDF 1.1 */
		char name[128];
		if (target.raw.size >= sizeof(name))
			return 0;
		memcpy(name, target.raw.data, target.raw.size);
		name[target.raw.size] = '\0';
		target = pdf_get(x->pdf, pdf_get(x->pdf, pdf_root(x->pdf), "Dests"), name);
	}
	if (target.kind == PDF_DICTIONARY)
		target = pdf_get(x->pdf, target, "D");
	struct pdf_value page;
	if (target.kind != PDF_ARRAY || !pdf_next(x->pdf, &target.raw, &page))
		return 0;
	if (page.kind == PDF_NUMBER)
		return page.number < x->page_count ? page.number + 1 : 0;
	const struct page_number key = {.object = page.number}, *found = NULL;
	if (page.kind == PDF_REFERENCE && x->page_count > 0)
		found = bsearch(&key, x->pages, x->page_count, sizeof(key), by_object);
	return found ? found->page : 0;
}

/* Items hang in lists: /First leads down, /Next along. */
static void add_outline(struct extras *x, struct pdf_value outlines)
{
	struct pdf_value next[DEPTH];
	unsigned depth = 0;
	struct pdf_value item = pdf_entry(x->pdf, outlines, "First");
	while (spend_node(x)) {
		if (pdf_resolve(x->pdf, item).kind == PDF_DICTIONARY) {
			x->page = page_of_item(x, item);
			add_record(x, PDF_RECORD_HEADING, depth + 1, (struct pdf_value){0}, pdf_get(x->pdf, item, "Title"));
			if (depth < DEPTH) {
				next[depth++] = pdf_entry(x->pdf, item, "Next");
				item = pdf_entry(x->pdf, item, "First");
				continue;
			}
		}
		if (depth == 0)
			return;
		item = next[--depth];
	}
}

/* --- the form ------------------------------------------------------------------------------------------------------ */

/* An attribute of a field, which it may have from those above it. */
static struct pdf_value inherited(struct extras *x, struct pdf_value field, const char *key)
{
	struct pdf_value value = pdf_get(x->pdf, field, key);
	for (unsigned i = 0; i < DEPTH && value.kind == PDF_NONE; i++) {
		field = pdf_get(x->pdf, field, "Parent");
		if (field.kind != PDF_DICTIONARY)
			break;
		value = pdf_get(x->pdf, field, key);
	}
	return value;
}

/* What a person reads for a chosen value: /Opt has pairs of both where they differ. */
static struct pdf_value shown_choice(struct extras *x, struct pdf_value options, struct pdf_value value)
{
	struct pdf_value option, first, shown;
	struct span rest = options.kind == PDF_ARRAY ? options.raw : (struct span){"", 0};
	while (pdf_next(x->pdf, &rest, &option) && spend_node(x)) {
		option = pdf_resolve(x->pdf, option);
		if (option.kind == PDF_ARRAY && pdf_next(x->pdf, &option.raw, &first) && pdf_next(x->pdf, &option.raw, &shown) &&
		    span_equal(pdf_resolve(x->pdf, first).raw, value.raw))
			return pdf_resolve(x->pdf, shown);
	}
	return value;
}

/* "Address[0]" is how forms of one kind (XFA) number what is there once. */
static struct pdf_value plain_name(struct pdf_value name)
{
	if (name.kind == PDF_STRING && name.raw.size > 3 && memcmp(name.raw.data + name.raw.size - 3, "[0]", 3) == 0)
		name.raw.size -= 3;
	return name;
}

/* A leaf of the tree of fields: a field, or one of several places where it is shown. */
static void add_field(struct extras *x, struct pdf_value field)
{
	struct pdf_value type = inherited(x, field, "FT"), value = inherited(x, field, "V"), flags = inherited(x, field, "Ff");
	struct pdf_value label = inherited(x, field, "TU");
	if (!has_text(label) || label.raw.size == 0)
		label = plain_name(inherited(x, field, "T"));
	bool button = pdf_is_name(type, "Btn");
	if (button) {
		/* One place of a group of radio buttons speaks when it is the one that is on. */
		struct pdf_value state = pdf_get(x->pdf, field, "AS");
		bool push = flags.kind == PDF_NUMBER && (flags.number & 0x10000), off = pdf_is_name(value, "Off") || pdf_is_name(state, "Off");
		off = off || (state.kind == PDF_NONE && pdf_get(x->pdf, field, "T").kind == PDF_NONE);
		if (push || off || value.kind != PDF_NAME)
			return;
	}
	bool password = pdf_is_name(type, "Tx") && flags.kind == PDF_NUMBER && (flags.number & 0x2000);
	if (password || (!button && value.kind == PDF_NAME))
		return;
	struct pdf_value options = pdf_is_name(type, "Ch") ? inherited(x, field, "Opt") : (struct pdf_value){0}, one;
	if (value.kind != PDF_ARRAY) {
		add_record(x, PDF_RECORD_FIELD, 0, label, shown_choice(x, options, value));
		return;
	}
	while (pdf_next(x->pdf, &value.raw, &one) && spend_node(x))
		add_record(x, PDF_RECORD_FIELD, 0, label, shown_choice(x, options, pdf_resolve(x->pdf, one)));
}

/* Kids without a name of their own are places, not fields: what they show is said once. */
static void add_fields(struct extras *x, struct pdf_value field)
{
	struct pdf_value kids, kid;
	if (pdf_get(x->pdf, field, "T").kind == PDF_NONE && !pdf_is_name(inherited(x, field, "FT"), "Btn")) {
		kids = pdf_get(x->pdf, pdf_get(x->pdf, field, "Parent"), "Kids");
		if (kids.kind == PDF_ARRAY && pdf_next(x->pdf, &kids.raw, &kid) && kid.kind == PDF_REFERENCE && field.kind == PDF_REFERENCE &&
		    kid.number != field.number)
			return;
	}
	add_field(x, field);
}

static void add_file(struct extras *x, struct pdf_value leaf)
{
	struct pdf_value names = pdf_get(x->pdf, leaf, "Names"), name, file;
	struct span rest = names.kind == PDF_ARRAY ? names.raw : (struct span){"", 0};
	while (pdf_next(x->pdf, &rest, &name) && pdf_next(x->pdf, &rest, &file) && spend_node(x))
		add_attachment(x, file);
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static void find_all(struct extras *x)
{
	struct pdf_value root = pdf_root(x->pdf), fields = pdf_get(x->pdf, pdf_get(x->pdf, root, "AcroForm"), "Fields"), field;
	walk(x, pdf_entry(x->pdf, root, "Pages"), "Kids", add_page);
	if (x->page_count > 0)
		qsort(x->pages, x->page_count, sizeof(*x->pages), by_object);
	add_outline(x, pdf_get(x->pdf, root, "Outlines"));
	x->page = 0;
	struct span rest = fields.kind == PDF_ARRAY ? fields.raw : (struct span){"", 0};
	while (pdf_next(x->pdf, &rest, &field) && spend_node(x))
		walk(x, field, "Kids", add_fields);
	walk(x, pdf_get(x->pdf, pdf_get(x->pdf, root, "Names"), "EmbeddedFiles"), "Kids", add_file);
}

static int pdf_extras_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name, (void)about;
	struct buf records;
	buf_init(&records, RECORDS_BYTES);
	struct extras x = {.pdf = pdf_open(bytes), .out = &records, .nodes = bytes.size < NODES ? NODES_ANY + (unsigned)bytes.size : NODES};
	if (!x.pdf)
		return -ENOMEM;
	if (!pdf_is_encrypted(x.pdf))
		find_all(&x);
	/* More than the bound: what came before it counts, but for the last record, which may be cut off. */
	struct span found = buf_span(&records);
	if (buf_error(&records) == -EFBIG) {
		const char *end = found.size ? memrchr(found.data, '\n', found.size) : NULL;
		found.size = end ? (size_t)(end - found.data) + 1 : 0;
	}
	buf_add_span(text, found);
	int r = x.error ? x.error : buf_error(&records) == -ENOMEM ? -ENOMEM : 0;
	pdf_close(x.pdf);
	free(x.pages);
	free(x.names);
	buf_release(&records);
	return r;
}

const struct format format_pdf_extras = {
	.extractor = {"pdf-extras", 1, "application/pdf", TEXT_PLAIN, true, NULL},
	.extract = pdf_extras_extract,
};

static bool has(struct span bytes, const char *word)
{
	return memmem(bytes.data, bytes.size, word, strlen(word)) != NULL;
}

bool pdf_extras_wanted(struct span bytes)
{
	/* An encrypted document's strings cannot be read; what object streams hold only a look into them tells. */
	if (has(bytes, "/Encrypt"))
		return false;
	return has(bytes, "/ObjStm") || has(bytes, "/AcroForm") || has(bytes, "/Annots") || has(bytes, "/Outlines") || has(bytes, "/EmbeddedFiles");
}
