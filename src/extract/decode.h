/* Character sets: any text -> UTF-8. Pure functions of the bytes; any thread. */
#ifndef CORPUSFS_EXTRACT_DECODE_H
#define CORPUSFS_EXTRACT_DECODE_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

enum { DECODE_NAME_SIZE = 32 };

/* What the first bytes say about the Unicode encoding form. */
enum decode_form { DECODE_BYTES, DECODE_UTF8, DECODE_UTF16LE, DECODE_UTF16BE, DECODE_UTF32LE, DECODE_UTF32BE };

/* By byte order mark; *ret_skip is its length. DECODE_BYTES when there is none. */
enum decode_form decode_bom(struct span s, size_t *ret_skip);
/* By byte order mark, else by pattern: a text in UTF-16 or UTF-32 without a mark. Looks at the first 4096 bytes. */
enum decode_form decode_guess_form(struct span s, size_t *ret_skip);

/* The text of `s` as UTF-8. *ret points into `s` when that is UTF-8 already, else into `store`. `declared` is a character set
 * that the document names itself, or "". In this order: byte order mark; UTF-8 when it is valid, or damaged only here and
 * there; UTF-16 and UTF-32 by pattern; the declared set; the set that uchardet finds in a sample; windows-1252. What is not
 * valid in the chosen set becomes U+FFFD. Writes the set's name to `encoding`. Returns 0, -ENOMEM or -EFBIG (store's limit). */
int decode_text(struct span s, const char *declared, struct buf *store, char encoding[DECODE_NAME_SIZE], struct span *ret);
/* The same for what can only be a form of Unicode: by mark or pattern, else UTF-8, repaired where it is not valid. Loads nothing. */
int decode_unicode(struct span s, struct buf *store, struct span *ret);
/* Converts from a named set, appending to `out`. -EINVAL when iconv does not know the set. */
int decode_from(const char *set, struct span s, struct buf *out);
/* The same for a code page of Windows, as RTF and the older Office formats give it; an unknown one is taken for 1252. Each is preloaded but UTF-8. */
void decode_code_page(int page, char set[DECODE_NAME_SIZE]);
/* iconv loads a module from a file for each set, which a parser child may not do. decode_preload loads those of the usual sets; its children
 * inherit them. Not thread-safe. */
void decode_preload(void);
/* decode_from for a set that decode_preload loads; -EINVAL for another. */
int decode_from_preloaded(const char *set, struct span s, struct buf *out);
/* The name that iconv should be asked for when a document says `label` (the WHATWG encoding standard reads several old names
 * as their supersets). -EINVAL when the label cannot be a name. */
int decode_label(struct span label, char set[DECODE_NAME_SIZE]);

#endif
