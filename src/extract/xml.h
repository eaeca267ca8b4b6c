/* XML of a document's parts, streamed: expat behind a few rules of ours. Names come without their namespace ("p" for "w:p"): what a part is
 * decides which vocabulary it speaks, and producers differ in namespaces (strict and transitional) more than in local names.
 *
 * Entities that a document declares, the stuff of bombs and of reads from elsewhere, end the parse; so does nesting beyond XML_DEPTH. */
#ifndef CORPUSFS_EXTRACT_XML_H
#define CORPUSFS_EXTRACT_XML_H

#include "base/span.h"
#include "extract/zip.h"

enum { XML_DEPTH = 2000 };

struct xml_events {
	/* `attributes`: name, value, name, value, ..., NULL; names without their namespace too. */
	void (*start)(void *context, const char *name, const char **attributes);
	void (*end)(void *context, const char *name);
	void (*text)(void *context, struct span text); /* may be NULL */
};

/* Value of an attribute, NULL when there is none. */
const char *xml_attribute(const char **attributes, const char *name);
/* Parses one entry of a ZIP file. 0, or as zip_read; -EBADMSG too for XML that is not well-formed (events up to there have been given). */
int xml_parse_entry(struct zip *z, const struct zip_entry *e, const struct xml_events *events, void *context);
/* The same for bytes. */
int xml_parse(struct span bytes, const struct xml_events *events, void *context);
/* The same for bytes that are UTF-8, whatever they declare. */
int xml_parse_utf8(struct span bytes, const struct xml_events *events, void *context);

#endif
