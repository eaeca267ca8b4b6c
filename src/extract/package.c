/* Office packages: see package.h. Which of the three kinds a package is, its content says. */
#include "extract/package.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* --- relationships ------------------------------------------------------------------------------------------------- */

enum { RELATIONS = 100000 };

struct relations_parse {
	struct relations *out;
	const char *part;
	int error;
};

static char *copy(struct relations_parse *p, const char *s)
{
	char *c = strdup(s ? s : "");
	if (!c)
		p->error = -ENOMEM;
	return c;
}

/* "../media/x.png" seen from "ppt/slides/slide1.xml" is "ppt/media/x.png". */
static void resolve(const char *part, const char *target, char out[PACKAGE_NAME])
{
	const char *slash = target[0] == '/' ? NULL : strrchr(part, '/');
	size_t size = slash ? (size_t)(slash - part) : 0;
	if (size >= PACKAGE_NAME)
		size = 0;
	memcpy(out, part, size);
	out[size] = '\0';
	while (*target) {
		size_t n = strcspn(target, "/");
		if (n == 2 && memcmp(target, "..", 2) == 0) {
			char *last = strrchr(out, '/');
			*(last ? last : out) = '\0';
		} else if (n > 0 && !(n == 1 && target[0] == '.')) {
			size = strlen(out);
			(void)snprintf(out + size, PACKAGE_NAME - size, "%s%.*s", size ? "/" : "", (int)(n < PACKAGE_NAME ? n : PACKAGE_NAME), target);
		}
		target += n + (target[n] == '/');
	}
}

static void relation_start(void *context, const char *name, const char **attributes)
{
	struct relations_parse *p = context;
	const char *target = xml_attribute(attributes, "Target"), *type = xml_attribute(attributes, "Type");
	const char *mode = xml_attribute(attributes, "TargetMode");
	if (strcmp(name, "Relationship") != 0 || !target || !type || p->error || p->out->count == RELATIONS)
		return;
	size_t count = p->out->count;
	if ((count & (count - 1)) == 0) {
		struct relation *grown = realloc(p->out->list, (count ? count * 2 : 1) * sizeof(*grown));
		if (!grown) {
			p->error = -ENOMEM;
			return;
		}
		p->out->list = grown;
	}
	struct relation *r = &p->out->list[p->out->count++];
	const char *word = strrchr(type, '/');
	char resolved[PACKAGE_NAME];
	bool external = mode && strcmp(mode, "External") == 0;
	resolve(p->part, target, resolved);
	*r = (struct relation){copy(p, xml_attribute(attributes, "Id")), copy(p, word ? word + 1 : type), copy(p, external ? target : resolved), external};
}

static void ignore_end(void *context, const char *name)
{
	(void)context, (void)name;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct relation *)a)->id, ((const struct relation *)b)->id);
}

int relations_read(struct zip *z, const char *part, struct relations *ret)
{
	static const struct xml_events events = {relation_start, ignore_end, NULL};
	const char *slash = strrchr(part, '/');
	int folder = slash ? (int)(slash - part) + 1 : 0;
	char name[PACKAGE_NAME + 16];
	*ret = (struct relations){0};
	if (snprintf(name, sizeof(name), "%.*s_rels/%s.rels", folder, part, part + folder) >= (int)sizeof(name))
		return 0;
	struct relations_parse p = {.out = ret, .part = part};
	int r = package_parse(z, name, &events, &p);
	r = p.error ? p.error : r;
	if (r < 0)
		relations_release(ret);
	else if (ret->count > 0)
		qsort(ret->list, ret->count, sizeof(*ret->list), by_id);
	return r;
}

void relations_release(struct relations *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->list[i].id);
		free(r->list[i].type);
		free(r->list[i].target);
	}
	free(r->list);
	*r = (struct relations){0};
}

const struct relation *relations_by_id(const struct relations *r, const char *id)
{
	union {
		const char *in;
		char *out;
	} key = {.in = id};
	struct relation wanted = {.id = key.out};
	return id && r->count > 0 ? bsearch(&wanted, r->list, r->count, sizeof(*r->list), by_id) : NULL;
}

const struct relation *relations_by_type(const struct relations *r, const char *type)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->list[i].type, type) == 0)
			return &r->list[i];
	return NULL;
}

int package_parse(struct zip *z, const char *part, const struct xml_events *events, void *context)
{
	const struct zip_entry *e = zip_find(z, span_of(part));
	int r = e ? xml_parse_entry(z, e, events, context) : 0;
	if (r != -EBADMSG)
		return r;
	z->damaged = true;
	return 0;
}

/* --- title --------------------------------------------------------------------------------------------------------- */

struct title_parse {
	bool inside;
	char text[LIMIT_TITLE_BYTES];
	size_t size;
};

static void title_start(void *context, const char *name, const char **attributes)
{
	(void)attributes;
	struct title_parse *p = context;
	p->inside = p->size == 0 && strcmp(name, "title") == 0;
}

static void title_end(void *context, const char *name)
{
	(void)name;
	struct title_parse *p = context;
	p->inside = false;
}

static void title_text(void *context, struct span text)
{
	struct title_parse *p = context;
	size_t room = sizeof(p->text) - p->size, n = text.size < room ? text.size : room;
	if (p->inside) {
		memcpy(p->text + p->size, text.data, n);
		p->size += n;
	}
}

void package_title(struct zip *z, const char *part, struct extract_result *about)
{
	static const struct xml_events events = {title_start, title_end, title_text};
	struct title_parse p = {0};
	(void)package_parse(z, part, &events, &p);
	format_set_title(about, (struct span){p.text, p.size});
}

/* --- the three kinds ----------------------------------------------------------------------------------------------- */

static int choose_kind(struct zip *z, struct buf *text, struct extract_result *about)
{
	static const struct {
		const char *part;
		package_extract_fn *extract;
	} kinds[] = {{"word/document.xml", docx_extract}, {"ppt/presentation.xml", pptx_extract}, {"xl/workbook.xml", xlsx_extract}};
	struct relations root;
	int r = relations_read(z, "", &root);
	if (r < 0)
		return r;
	const struct relation *main_part = relations_by_type(&root, "officeDocument");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		/* The relationship names the main part; where it is missing or points nowhere, the usual name does. */
		const char *part = main_part && zip_find(z, span_of(main_part->target)) ? main_part->target : kinds[i].part;
		size_t folder = strcspn(kinds[i].part, "/") + 1;
		if (strncasecmp(part[0] == '/' ? part + 1 : part, kinds[i].part, folder) != 0 || !zip_find(z, span_of(part)))
			continue;
		package_title(z, "docProps/core.xml", about);
		r = kinds[i].extract(z, part, text, about);
		relations_release(&root);
		return r;
	}
	relations_release(&root);
	return format_fail(about, "damaged", "the file is a ZIP archive, but not an Office document, or its main part is missing");
}

static int package_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct zip z;
	int r = zip_open(bytes, &z);
	if (r == -EBADMSG)
		return format_fail(about, "damaged", "the document's ZIP container is damaged");
	if (r < 0)
		return r;
	r = choose_kind(&z, text, about);
	zip_release(&z);
	if (r != 0 || about->state != EXTRACT_OK || text->size > 0 || buf_error(text))
		return r;
	if (z.damaged)
		return format_fail(about, "damaged", "the document's XML is damaged, or declares entities, which Office documents do not");
	return format_fail(about, "no-text", "the document has no text");
}

#define OFFICE(name, media_type)                                                                                                           \
	{                                                                                                                                  \
		.extractor = {name, 1, media_type, TEXT_MARKDOWN, true, NULL}, .extract = package_extract                                        \
	}

const struct format format_docx = OFFICE("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document");
const struct format format_pptx = OFFICE("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation");
const struct format format_xlsx = OFFICE("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
