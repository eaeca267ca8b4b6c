/* What a document format is to the rest of extract/. Private to this folder and its tests.
 *
 * A format runs in one of three places: in the calling thread (plain text), in a disposable child of the helper (our parsers of
 * hostile formats), or as an outside program that the helper runs. `prepare` and `finish` always run in the calling thread. */
#ifndef CORPUSFS_EXTRACT_FORMAT_H
#define CORPUSFS_EXTRACT_FORMAT_H

#include "base/buf.h"
#include "extract/extract.h"

/* Writes the text to `text` (whose limit is LIMIT_CLEAN_BYTES) and what else is known to `about`, which comes zeroed but for
 * the format's own syntax. Returns 0, also for documents that cannot be read (see format_fail), or -ENOMEM or -EFBIG, which
 * the caller turns into results of their own. */
typedef int format_extract_fn(struct span bytes, struct span name, struct buf *text, struct extract_result *about);
/* Gives the bytes that the isolated half shall see. `store` is scratch space that *ret may point into. Errors as above. */
typedef int format_prepare_fn(struct span bytes, struct buf *store, struct extract_result *about, struct span *ret);
/* Turns an outside program's output into text. `status` is its exit status. */
typedef int format_finish_fn(struct span bytes, int status, struct span output, struct buf *text, struct extract_result *about);

/* An outside program: reads the document from standard input, writes to standard output. */
struct format_program {
	const char *name;	     /* looked up in PATH when the helper starts */
	const char *package;	     /* where people get it */
	const char *const *arguments; /* argv, NULL-terminated, argv[0] included */
	const char *const *version_arguments;
};

struct format;

/* A second look at the same document by a parser of ours, for what the first does not give. */
struct format_beside {
	const struct format *format;	    /* isolated; its failure leaves the document as it is */
	bool (*wanted)(struct span bytes); /* a cheap look */
	/* Works what it found into the text; also called for a document that failed as "no-text". 0, -ENOMEM or -EFBIG. */
	int (*join)(struct span found, struct buf *text, struct extract_result *about);
};

struct format {
	struct extractor extractor;
	format_extract_fn *extract; /* NULL with a program, and for kinds without an extractor */
	void (*load)(void); /* or NULL; called in the helper before a child is forked: loads what children may not open */
	format_prepare_fn *prepare; /* may be NULL: the bytes as they are */
	const struct format_program *program;
	format_finish_fn *finish; /* with a program */
	const struct format_beside *beside; /* may be NULL */
	const char *skip_code, *skip_message; /* kinds without an extractor */
};

/* Sets the result to FAILED with a stable code and one line for people; always 0, so that a format can return it. */
int format_fail(struct extract_result *about, const char *code, const char *message);
/* The same for the two codes of format_extract_fn and anything else negative. */
void format_fail_errno(struct extract_result *about, int code);
/* Copies a title: blanks squeezed, control characters dropped, invalid UTF-8 replaced, cut between code points. */
void format_set_title(struct extract_result *about, struct span title);

/* Every format with an extractor, in the order of the table in registry.c; ends with NULL. */
extern const struct format *const extract_formats[];

extern const struct format format_text_plain, format_text_markdown, format_text_rst, format_text_code, format_text_table;
extern const struct format format_html, format_pdf, format_pdf_extras, format_docx, format_pptx, format_xlsx;
extern const struct format format_odt, format_ods, format_odp, format_epub, format_mail, format_rtf, format_subtitles, format_notebook;
extern const struct format format_mhtml, format_doc, format_xls, format_ppt, format_msg;
extern const struct format format_xml, format_ics, format_vcf, format_latex, format_org, format_asciidoc;
extern const struct format format_gzip, format_bzip2, format_xz, format_zstd;
extern const struct format format_archive, format_nested, format_members;

/* Halves of formats that tests and fuzzers run in their own process. */
format_extract_fn html_extract, mail_extract, mhtml_extract, ole_extract, rtf_extract, xml_extract, cards_extract, latex_extract, org_extract, asciidoc_extract;
format_extract_fn compressed_extract, notebook_extract, archive_extract;
format_prepare_fn html_prepare, xml_prepare;
/* Decodes text in any character set; for formats that have no way of naming theirs. */
format_prepare_fn text_prepare;

#endif
