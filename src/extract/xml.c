/* Streamed XML: see xml.h. */
#include "extract/xml.h"

#include <errno.h>
#include <expat.h>

enum { SEPARATOR = '\n' };

struct parse {
	XML_Parser parser;
	const struct xml_events *events;
	void *context;
	unsigned depth;
	bool stopped; /* expat still reports the end of the element at which it was stopped */
};

const char *xml_attribute(const char **attributes, const char *name)
{
	for (size_t i = 0; attributes[i]; i += 2)
		if (strcmp(attributes[i], name) == 0)
			return attributes[i + 1];
	return NULL;
}

static const char *local(const char *name)
{
	const char *at = strrchr(name, SEPARATOR);
	return at ? at + 1 : name;
}

static void on_start(void *user, const char *name, const char **attributes)
{
	struct parse *p = user;
	if (++p->depth > XML_DEPTH) {
		p->stopped = true;
		(void)XML_StopParser(p->parser, XML_FALSE);
		return;
	}
	for (size_t i = 0; attributes[i]; i += 2)
		attributes[i] = local(attributes[i]);
	p->events->start(p->context, local(name), attributes);
}

static void on_end(void *user, const char *name)
{
	struct parse *p = user;
	p->depth--;
	if (!p->stopped)
		p->events->end(p->context, local(name));
}

static void on_text(void *user, const char *text, int size)
{
	struct parse *p = user;
	if (p->events->text && !p->stopped)
		p->events->text(p->context, (struct span){text, (size_t)size});
}

static void on_entity(void *user, const char *name, int is_parameter, const char *value, int size, const char *base, const char *system_id,
		      const char *public_id, const char *notation)
{
	(void)name, (void)is_parameter, (void)value, (void)size, (void)base, (void)system_id, (void)public_id, (void)notation;
	struct parse *p = user;
	p->stopped = true;
	(void)XML_StopParser(p->parser, XML_FALSE);
}

static int feed(void *context, struct span piece, bool last)
{
	struct parse *p = context;
	if (piece.size > INT32_MAX)
		return -EFBIG;
	if (XML_Parse(p->parser, piece.data, (int)piece.size, last) == XML_STATUS_OK)
		return 0;
	return XML_GetErrorCode(p->parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EBADMSG;
}

static int start_parse(struct parse *p, const char *encoding, const struct xml_events *events, void *context)
{
	*p = (struct parse){.parser = XML_ParserCreateNS(encoding, SEPARATOR), .events = events, .context = context};
	if (!p->parser)
		return -ENOMEM;
	XML_SetUserData(p->parser, p);
	XML_SetElementHandler(p->parser, on_start, on_end);
	XML_SetCharacterDataHandler(p->parser, on_text);
	XML_SetEntityDeclHandler(p->parser, on_entity);
	return 0;
}

int xml_parse_entry(struct zip *z, const struct zip_entry *e, const struct xml_events *events, void *context)
{
	struct parse p;
	int r = start_parse(&p, NULL, events, context);
	if (r < 0)
		return r;
	r = zip_read(z, e, feed, &p);
	XML_ParserFree(p.parser);
	return r;
}

static int parse_bytes(struct span bytes, const char *encoding, const struct xml_events *events, void *context)
{
	struct parse p;
	int r = start_parse(&p, encoding, events, context);
	if (r < 0)
		return r;
	r = feed(&p, bytes, true);
	XML_ParserFree(p.parser);
	return r;
}

int xml_parse(struct span bytes, const struct xml_events *events, void *context)
{
	return parse_bytes(bytes, NULL, events, context);
}

int xml_parse_utf8(struct span bytes, const struct xml_events *events, void *context)
{
	return parse_bytes(bytes, "UTF-8", events, context);
}
