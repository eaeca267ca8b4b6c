/* Extraction: the bytes of one source document -> raw text. First half of the deterministic side; the result depends on the
 * bytes, the kind and the extractor's version, never on clock, locale, thread order or machine.
 *
 * Formats with hostile parsers (HTML, PDF, ...) run in disposable child processes forked from a helper, which is itself
 * forked before threads and the store exist: call extract_helper_start() first thing in main. Plain text is decoded in the
 * calling thread. Adding a format is one file and one line in registry.c. */
#ifndef CORPUSFS_EXTRACT_EXTRACT_H
#define CORPUSFS_EXTRACT_EXTRACT_H

#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* How the text is laid out; decides how clean/ and chunk/ treat it. */
enum text_syntax {
	TEXT_PLAIN,    /* prose or unknown; paragraphs end at blank lines */
	TEXT_MARKDOWN, /* Markdown, also what HTML and PDF become; page markers are HTML comments, see TEXT_PAGE_MARKER */
	TEXT_RST,      /* reStructuredText: headings are underlined */
	TEXT_CODE,     /* source code: line breaks and indentation are meaning */
	TEXT_TABLE,    /* one record a line (CSV, TSV, JSONL) */
	TEXT_CATALOGUE, /* no text: the members of an archive, extract/archive.h; `code` and `message` may say why some are missing */
};

/* The marker before the text of page N of a paged document: a line of its own, "<!-- page 12 -->". */
#define TEXT_PAGE_MARKER "<!-- page %u -->"

/* One format. Static, immutable; identified across runs by name and version (they are part of the fingerprint). */
struct extractor {
	const char *name;	/* "text", "html", "pdf" */
	unsigned version;	/* raise when the output for some bytes changes */
	const char *media_type; /* for meta/ */
	enum text_syntax syntax;
	bool isolated; /* runs in a child process */
	const char *revision; /* of a configured program: changes when its output may change; NULL: the version says it all */
};

enum extract_state {
	EXTRACT_OK,
	EXTRACT_SKIPPED, /* a kind without text or without an extractor; `code` and `message` say which */
	EXTRACT_FAILED,	 /* damaged, encrypted, over a limit, crashed, timed out */
};

struct extract_result {
	enum extract_state state;
	enum text_syntax syntax;
	char *text; /* owned; UTF-8 not guaranteed normal form; NULL unless OK */
	size_t text_size;
	char title[LIMIT_TITLE_BYTES + 1];	/* from the document's own metadata, UTF-8, or "" */
	unsigned pages;				/* 0 when the kind has none */
	char encoding[32];			/* source character set of text, or "" */
	char code[32];				/* stable word for SKIPPED and FAILED: "binary", "encrypted", "timeout", ... */
	char message[256];			/* one line for a person, names no path */
};

/* Reads the file in which a user names programs for kinds of files; see rules.h for what stands in it. Call before extract_helper_start. 0 or -errno
 * with a line that names file, line and remedy. */
int extract_use_rules(const char *file, struct err *err);
/* Tells of every program so named: what for, its path or what was looked for, whether it is there. */
void extract_each_rule(void (*each)(void *context, const char *pattern, const char *program, bool found), void *context);

/* Starts the helper process. Call once, before any thread, descriptor or map that a child must not inherit. Without it
 * isolated kinds fail with code "no-helper". Returns 0 or a negative errno. */
int extract_helper_start(struct err *err);
/* Ends the helper and waits for it. Safe to call without a start. */
void extract_helper_stop(void);
/* One line that says which protections are active ("rlimits, no-new-privs, seccomp, landlock 7"); static storage. */
const char *extract_sandbox_describe(void);

/* Guess from the name alone, without I/O: false when the name's extension is one that has no text (jpg, mp4, zip, so ...).
 * Used for listings of documents that nobody has looked at yet. */
bool extract_name_may_have_text(struct span name);

/* True when the name's extension is that of an archive whose members are read (zip, tar, tar.gz, 7z, ...). A guess like the one above. */
bool extract_name_may_be_archive(struct span name);

/* Chooses by content first (the first bytes of the file, up to 4096), by name second. Never NULL: kinds without an extractor
 * get an entry with name "none" and a version, for which extract_run gives SKIPPED with the reason. */
const struct extractor *extract_choose(struct span head, struct span name);

/* Of the extractors that are called `extractor` now, the first for which `fits` is true, for a file of this name whose kind was `media_type` when
 * it was extracted; NULL when there is none, which is when the file is to be extracted anew. */
const struct extractor *extract_find(struct span extractor, struct span media_type, struct span name,
				     bool (*fits)(const void *context, const struct extractor *x), const void *context);

/* Extracts. `bytes` is the whole document (already read, so that text and hash are of the same bytes). Blocks up to the
 * deadlines (10 s without progress, 60 s in all). Any number of threads. Returns 0 with *ret filled (also for SKIPPED and
 * FAILED), or -ENOMEM, or -EAGAIN when the machine lacks a resource for now (fork failed, helper gone): such a result must
 * not be cached. The caller frees with extract_result_release. */
int extract_run(const struct extractor *x, struct span bytes, struct span name, struct extract_result *ret);
void extract_result_release(struct extract_result *r);

/* A stable string of all extractors' names and versions and of the outside programs' versions used ("pdftotext 22.12.0"). */
const char *extract_fingerprint(void);

#endif
