/* Unicode normalisation form C (UAX 15) in one pass: a quick check that lets nearly all text through as it is, and a composer for
 * the few characters around a place where the check says no. Runs of combining marks are kept to stream-safe length (UAX 15,
 * section 13: U+034F after 30 of them), so that memory and time stay bounded whatever the text. */
#ifndef CORPUSFS_CLEAN_NFC_H
#define CORPUSFS_CLEAN_NFC_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* What the quick check says of a code point: 0 a starter that stays as it is, 1..240 a mark of that combining class that stays
 * if it is in order, NFC_LOOK anything that needs a closer look. */
enum { NFC_LOOK = 255 };

/* 65,536 entries for the code points of the basic plane. `is_special` names further code points that are to be NFC_LOOK; it must
 * give the same answers in every call of the process. Thread-safe; the table is built at the first call (about 3 ms). */
const uint8_t *nfc_table(bool (*is_special)(uint32_t code_point));

/* Above the basic plane: true where every code point is a starter that stays (ideographs, emoji, mathematical letters). */
bool nfc_is_plain_supplementary(uint32_t code_point);

/* At most this many marks follow a starter. */
enum { NFC_MARKS_MAX = 30, NFC_SEQUENCE_MAX = NFC_MARKS_MAX + 8 };

/* A starter and its marks, decomposed, waiting for what may still combine with them. Zeroed = empty. */
struct nfc_composer {
	int32_t code_points[NFC_SEQUENCE_MAX];
	uint8_t classes[NFC_SEQUENCE_MAX];
	unsigned count;
	unsigned marks;   /* marks since the last starter, counted decomposed */
	uint32_t starter; /* the last starter fed, decomposed, U+034F not counted: the same for all equivalent texts; 0 for none */
};

/* Adds one code point; what can no longer change is appended to `out` as UTF-8. */
void nfc_feed(struct nfc_composer *c, uint32_t code_point, struct buf *out);
/* Appends what is waiting. */
void nfc_flush(struct nfc_composer *c, struct buf *out);

#endif
