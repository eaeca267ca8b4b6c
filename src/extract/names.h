/* What a file's name says about its content: the extension, or for source code the whole name ("Makefile"). Pure. */
#ifndef CORPUSFS_EXTRACT_NAMES_H
#define CORPUSFS_EXTRACT_NAMES_H

#include "base/span.h"

enum name_kind {
	NAME_UNKNOWN, /* also plain text: .txt, .log, README */
	NAME_MARKDOWN,
	NAME_RST,
	NAME_TABLE,
	NAME_CODE,
	NAME_HTML,
	NAME_PDF,
	NAME_DOCX,
	NAME_PPTX,
	NAME_XLSX,
	NAME_ODT,
	NAME_ODS,
	NAME_ODP,
	NAME_EPUB,
	NAME_MAIL,
	NAME_MHTML,
	NAME_XML,
	NAME_ICS,
	NAME_VCF,
	NAME_LATEX,
	NAME_ORG,
	NAME_ASCIIDOC,
	NAME_DOC,
	NAME_XLS,
	NAME_PPT,
	NAME_MSG,
	NAME_SUBTITLES,
	NAME_NOTEBOOK,
	NAME_ARCHIVE, /* of many files: .tar.gz and its kin too, whatever compresses them */
	NAME_OFFICE, /* documents without an extractor */
	NAME_IMAGE,
	NAME_BINARY, /* sound, video, archives, programs, fonts, databases */
};

/* `name` may be a path; case does not matter. */
enum name_kind name_kind(struct span name);

#endif
