/* An Office document as a package: parts in a ZIP file, joined by relationships (ECMA-376 part 2). Shared by DOCX, PPTX and XLSX. */
#ifndef CORPUSFS_EXTRACT_PACKAGE_H
#define CORPUSFS_EXTRACT_PACKAGE_H

#include "extract/format.h"
#include "extract/xml.h"

#include <stdbool.h>

enum { PACKAGE_NAME = 256 };

struct relation {
	char *id, *type, *target; /* type: the last word of its URI; target: the part's name, or an address when external */
	bool external;
};

struct relations {
	struct relation *list;
	size_t count;
};

/* The relationships of a part ("" for the package's own), targets resolved against it. A part without any has an empty list. 0 or -ENOMEM. */
int relations_read(struct zip *z, const char *part, struct relations *ret);
void relations_release(struct relations *r);
/* NULL when there is none. */
const struct relation *relations_by_id(const struct relations *r, const char *id);
const struct relation *relations_by_type(const struct relations *r, const char *type);

/* The Dublin Core title in a part of metadata, if any. */
void package_title(struct zip *z, const char *part, struct extract_result *about);
/* Parses a part; a part that is missing or damaged gives what could be read. 0, -ENOMEM or -EFBIG. */
int package_parse(struct zip *z, const char *part, const struct xml_events *events, void *context);

/* What each kind of Office document does once the package is open; `part` is its main part. */
typedef int package_extract_fn(struct zip *z, const char *part, struct buf *text, struct extract_result *about);
package_extract_fn docx_extract, pptx_extract, xlsx_extract;

#endif
