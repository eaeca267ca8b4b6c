/* Archives: see archive.h. What is here runs in children of the helper, but for archive_read_batch and what reads its output.
 *
 * libarchive is loaded when the first archive comes, by the helper, so that its children inherit it: linked, it and the libraries that it stands on
 * would add 5 ms to every start of the program. */
#include "extract/archive.h"

#include "base/hash.h"
#include "extract/format.h"
#include "extract/helper.h"

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	HEADERS = 100000,	   /* entries of any kind that are looked at */
	PIECE = 64 << 10,
	LEAST_BYTES = 512,	   /* that a member counts for, however small */
	BATCH_BYTES = 32 << 20,	   /* a batch ends before the member that would pass this */
};

#define LIBRARY "libarchive.so.13"
#define FUNCTIONS(X)                                                                                                                       \
	X(archive_read_new)                                                                                                                \
	X(archive_read_free)                                                                                                               \
	X(archive_read_support_filter_gzip)                                                                                                \
	X(archive_read_support_filter_bzip2)                                                                                               \
	X(archive_read_support_filter_xz)                                                                                                  \
	X(archive_read_support_filter_zstd)                                                                                                \
	X(archive_read_support_format_zip)                                                                                                 \
	X(archive_read_support_format_tar)                                                                                                 \
	X(archive_read_support_format_7zip)                                                                                                \
	X(archive_read_support_format_empty)                                                                                               \
	X(archive_read_open_memory)                                                                                                        \
	X(archive_read_next_header)                                                                                                        \
	X(archive_read_data)                                                                                                               \
	X(archive_read_has_encrypted_entries)                                                                                              \
	X(archive_error_string)                                                                                                            \
	X(archive_entry_filetype)                                                                                                          \
	X(archive_entry_hardlink)                                                                                                          \
	X(archive_entry_is_encrypted)                                                                                                      \
	X(archive_entry_pathname)                                                                                                          \
	X(archive_entry_pathname_utf8)                                                                                                     \
	X(archive_entry_size)                                                                                                              \
	X(archive_entry_size_is_set)

/* The library, once for the process; set up before the first child, read-only afterwards. */
static struct {
	bool tried, complete;
	locale_t locale; /* names come out as UTF-8 */
#define MEMBER(function) __typeof__(function) *function;
	FUNCTIONS(MEMBER)
} lib;

static void archive_load(void)
{
	if (lib.tried)
		return;
	lib.tried = true;
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return;
	lib.complete = true;
	void *symbol;
#define FIND(function)                                                                                                                     \
	symbol = dlsym(library, #function);                                                                                                \
	memcpy(&lib.function, &symbol, sizeof(symbol));                                                                                    \
	lib.complete = lib.complete && symbol;
	FUNCTIONS(FIND)
	lib.locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	/* Times of members are not used, but made by mktime, which reads the time zone's file once. */
	(void)setenv("TZ", "UTC0", 1);
	tzset();
}

const char *archive_library(void)
{
	void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
	if (library)
		(void)dlclose(library);
	return library ? LIBRARY : NULL;
}

static struct archive *open_archive(struct span bytes)
{
	struct archive *a = lib.archive_read_new();
	if (!a)
		return NULL;
	(void)lib.archive_read_support_filter_gzip(a);
	(void)lib.archive_read_support_filter_bzip2(a);
	(void)lib.archive_read_support_filter_xz(a);
	(void)lib.archive_read_support_filter_zstd(a);
	(void)lib.archive_read_support_format_zip(a);
	(void)lib.archive_read_support_format_tar(a);
	(void)lib.archive_read_support_format_7zip(a);
	(void)lib.archive_read_support_format_empty(a);
	if (lib.archive_read_open_memory(a, bytes.data, bytes.size) == ARCHIVE_OK)
		return a;
	(void)lib.archive_read_free(a);
	return NULL;
}

/* Runs `body` with the library loaded and names in UTF-8. */
struct reading {
	struct span bytes;
	struct archive *archive;
	struct buf *out;
	struct extract_result *about;
};

static int with_archive(struct span bytes, struct buf *out, struct extract_result *about, int (*body)(struct reading *r, void *context), void *context)
{
	archive_load();
	if (!lib.complete)
		return format_fail(about, "no-library", "libarchive, which reads archives, is not installed");
	locale_t before = lib.locale ? uselocale(lib.locale) : (locale_t)0;
	struct reading r = {bytes, open_archive(bytes), out, about};
	int result = r.archive ? body(&r, context) : format_fail(about, "damaged", "the archive is damaged");
	if (r.archive)
		(void)lib.archive_read_free(r.archive);
	if (before)
		(void)uselocale(before);
	return result;
}

/* A file whose content is in the archive itself. */
static bool is_file(struct archive_entry *e)
{
	return lib.archive_entry_filetype(e) == AE_IFREG && !lib.archive_entry_hardlink(e);
}

/* --- the catalogue --------------------------------------------------------------------------------------------------- */

struct listing {
	struct catalogue_entry *entries;
	size_t count, capacity;
	uint64_t total, allowed;
	size_t left_out;
	size_t name_bytes;
	const char *code, *message; /* why the listing ends early, or NULL */
};

static void end_early(struct listing *l, const char *code, const char *message)
{
	if (!l->code) {
		l->code = code;
		l->message = message;
	}
}

static int add_member(struct listing *l, struct span raw, struct buf *path, uint32_t ordinal, uint64_t size, uint8_t state)
{
	if (!catalogue_clean_name(raw, path)) {
		l->left_out++;
		return buf_error(path) == -ENOMEM ? -ENOMEM : 0;
	}
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 256;
		struct catalogue_entry *entries = reallocarray(l->entries, capacity, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		l->entries = entries;
		l->capacity = capacity;
	}
	char *copy = strdup(path->data);
	if (!copy)
		return -ENOMEM;
	l->name_bytes += path->size + 64;
	l->entries[l->count++] = (struct catalogue_entry){copy, checksum64(raw.data, raw.size), size, ordinal, state};
	return 0;
}

/* The size of a member that does not say it: by reading it. */
static uint64_t measure(struct archive *a, uint64_t most)
{
	char piece[PIECE];
	uint64_t size = 0;
	la_ssize_t n;
	while (size <= most && (n = lib.archive_read_data(a, piece, sizeof(piece))) > 0)
		size += (uint64_t)n;
	return size;
}

static int list_member(struct listing *l, struct archive *a, struct archive_entry *e, uint32_t ordinal, struct buf *path)
{
	const char *name = lib.archive_entry_pathname(e);
	if (!name)
		name = lib.archive_entry_pathname_utf8(e);
	if (!name || l->count == LIMIT_MEMBERS || l->name_bytes > LIMIT_CATALOGUE_BYTES) {
		l->left_out++;
		if (name)
			end_early(l, "too-many", "the archive has more members than are shown of one (10,000)");
		return 0;
	}
	bool encrypted = lib.archive_entry_is_encrypted(e) == 1;
	struct buf raw; /* the name is the entry's, which measuring may change */
	buf_init(&raw, (size_t)1 << 20);
	buf_add_string(&raw, name);
	uint64_t size = 0;
	if (lib.archive_entry_size_is_set(e))
		size = lib.archive_entry_size(e) > 0 ? (uint64_t)lib.archive_entry_size(e) : 0;
	else if (!encrypted)
		size = measure(a, LIMIT_MEMBER_BYTES);
	/* What is not unpacked does not count. */
	bool large = size > LIMIT_MEMBER_BYTES;
	l->total += encrypted || large || size < LEAST_BYTES ? LEAST_BYTES : size;
	int r = buf_error(&raw) == -ENOMEM ? -ENOMEM : 0;
	if (l->total > l->allowed)
		end_early(l, "expansion", "the archive's members come to many times its size; those that come after are not shown");
	else if (r == 0)
		r = add_member(l, buf_span(&raw), path, ordinal, size, encrypted ? MEMBER_ENCRYPTED : large ? MEMBER_TOO_LARGE : MEMBER_OK);
	buf_release(&raw);
	return r;
}

static int list_members(struct reading *rd, struct listing *l)
{
	struct archive_entry *e;
	struct buf path;
	buf_init(&path, (size_t)1 << 20);
	int r = 0, code = ARCHIVE_OK;
	uint32_t ordinal = 0;
	for (; r == 0 && !l->code; ordinal++) {
		code = lib.archive_read_next_header(rd->archive, &e);
		if (code == ARCHIVE_EOF || code == ARCHIVE_FATAL || ordinal == HEADERS)
			break;
		if (code == ARCHIVE_OK || code == ARCHIVE_WARN)
			r = is_file(e) ? list_member(l, rd->archive, e, ordinal, &path) : 0;
	}
	buf_release(&path);
	if (ordinal == HEADERS)
		end_early(l, "too-many", "the archive has more entries than are looked at (100,000)");
	else if (code == ARCHIVE_FATAL && lib.archive_read_has_encrypted_entries(rd->archive) > 0 && l->count == 0)
		end_early(l, "encrypted", "the archive's list of members is encrypted");
	else if (code == ARCHIVE_FATAL)
		end_early(l, "damaged", "the archive is damaged; what comes before the damage is shown");
	return r;
}

static int catalogue_body(struct reading *rd, void *context)
{
	struct listing *l = context;
	int r = list_members(rd, l);
	size_t left_out = 0;
	if (r == 0 && l->count == 0 && l->code)
		(void)format_fail(rd->about, l->code, strcmp(l->code, "damaged") == 0 ? "the archive is damaged" : l->message);
	else if (r == 0)
		r = catalogue_write(l->entries, l->count, rd->out, &left_out);
	for (size_t i = 0; i < l->count; i++)
		free(l->entries[i].path);
	free(l->entries);
	l->left_out += left_out;
	if (r < 0 || rd->about->state != EXTRACT_OK)
		return r;
	if (!l->code && l->left_out)
		end_early(l, "names", "some members are not shown: their names are too long, too deep, or already taken");
	if (l->code) {
		(void)snprintf(rd->about->code, sizeof(rd->about->code), "%s", l->code);
		(void)snprintf(rd->about->message, sizeof(rd->about->message), "%s", l->message);
	}
	return 0;
}

int archive_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	uint64_t times = LIMIT_EXPANSION_TIMES * (uint64_t)bytes.size;
	struct listing l = {.allowed = times > LIMIT_EXPANSION_ANY ? times : LIMIT_EXPANSION_ANY};
	if (l.allowed > LIMIT_EXPANSION_BYTES)
		l.allowed = LIMIT_EXPANSION_BYTES;
	return with_archive(bytes, text, about, catalogue_body, &l);
}

static int nested_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct listing l = {.allowed = LIMIT_EXPANSION_TIMES_NESTED * (uint64_t)bytes.size};
	return with_archive(bytes, text, about, catalogue_body, &l);
}

/* --- batches --------------------------------------------------------------------------------------------------------- */

/* Before each member's bytes. */
struct frame {
	uint64_t size;
	uint32_t ordinal;
	uint32_t state;
};

/* Appends one member. A frame is completed when its size is known. */
static int unpack_member(struct reading *rd, struct archive_entry *e, uint32_t ordinal)
{
	struct frame f = {.ordinal = ordinal, .state = MEMBER_OK};
	size_t start = rd->out->size;
	uint64_t most = LIMIT_MEMBER_BYTES;
	if (lib.archive_entry_size_is_set(e) && lib.archive_entry_size(e) >= 0 && (uint64_t)lib.archive_entry_size(e) < most)
		most = (uint64_t)lib.archive_entry_size(e);
	buf_add(rd->out, &f, sizeof(f));
	la_ssize_t n = 0;
	char piece[PIECE];
	while (buf_error(rd->out) == 0 && (n = lib.archive_read_data(rd->archive, piece, sizeof(piece))) > 0) {
		if ((uint64_t)n > most - f.size) {
			f.state = most == LIMIT_MEMBER_BYTES ? MEMBER_TOO_LARGE : MEMBER_DAMAGED;
			break;
		}
		buf_add(rd->out, piece, (size_t)n);
		f.size += (uint64_t)n;
	}
	if (n < 0) {
		/* There is no code for it: methods of the eighties, and new ones. */
		const char *error = lib.archive_error_string(rd->archive);
		f.state = error && strstr(error, "nsupported") ? MEMBER_UNSUPPORTED : MEMBER_DAMAGED;
	}
	if (buf_error(rd->out))
		return buf_error(rd->out);
	if (f.state != MEMBER_OK) {
		f.size = 0;
		buf_truncate(rd->out, start + sizeof(f));
	}
	memcpy(rd->out->data + start, &f, sizeof(f));
	return 0;
}

static bool fits(const struct reading *rd, struct archive_entry *e)
{
	uint64_t size = lib.archive_entry_size_is_set(e) && lib.archive_entry_size(e) > 0 ? (uint64_t)lib.archive_entry_size(e) : 0;
	return rd->out->size == 0 || (rd->out->size < BATCH_BYTES && size < BATCH_BYTES - rd->out->size);
}

static int batch_body(struct reading *rd, void *context)
{
	const uint32_t first = *(const uint32_t *)context;
	struct archive_entry *e;
	int r = 0;
	for (uint32_t ordinal = 0; r == 0 && ordinal < HEADERS; ordinal++) {
		int code = lib.archive_read_next_header(rd->archive, &e);
		if (code == ARCHIVE_EOF || code == ARCHIVE_FATAL)
			break;
		if (ordinal < first || (code != ARCHIVE_OK && code != ARCHIVE_WARN) || !is_file(e))
			continue;
		if (!fits(rd, e))
			break;
		if (lib.archive_entry_is_encrypted(e) != 1)
			r = unpack_member(rd, e, ordinal);
	}
	return r;
}

/* The name is the number of the first member. */
static int members_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	uint32_t first = 0;
	for (size_t i = 0; i < name.size && name.data[i] >= '0' && name.data[i] <= '9'; i++)
		first = first * 10 + (uint32_t)(name.data[i] - '0');
	return with_archive(bytes, text, about, batch_body, &first);
}

int archive_read_batch(struct span archive, uint32_t first, struct buf *batch, struct extract_result *about)
{
	char name[16];
	(void)snprintf(name, sizeof(name), "%u", first);
	return helper_run(&format_members, archive, span_of(name), batch, about);
}

int archive_find_in_batch(struct span batch, uint32_t ordinal, uint8_t *ret_state, struct span *ret)
{
	for (size_t at = 0; at < batch.size;) {
		struct frame f;
		if (batch.size - at < sizeof(f))
			return -EIO;
		memcpy(&f, batch.data + at, sizeof(f));
		at += sizeof(f);
		if (f.size > batch.size - at || f.state >= MEMBER_STATES)
			return -EIO;
		if (f.ordinal == ordinal) {
			*ret_state = (uint8_t)f.state;
			*ret = (struct span){batch.data + at, (size_t)f.size};
			return 0;
		}
		at += (size_t)f.size;
	}
	return -ENOENT;
}

const struct extractor *archive_nested_extractor(void)
{
	return &format_nested.extractor;
}

#define ARCHIVE_FORMAT(name, function)                                                                                                     \
	{                                                                                                                                  \
		.extractor = {name, 1, "application/x-archive", TEXT_CATALOGUE, true, NULL}, .load = archive_load, .extract = function           \
	}
const struct format format_archive = ARCHIVE_FORMAT("archive", archive_extract);
const struct format format_nested = ARCHIVE_FORMAT("nested-archive", nested_extract);
/* Not a kind of document: how the helper is asked for a batch. */
const struct format format_members = ARCHIVE_FORMAT("members", members_extract);
