/* What the files of this folder share: the composition of all parts behind include/corpusfs.h.
 *
 * Threads: job threads in three lanes (jobs.h), the store's writer, the watcher, the indexer and a clock for deadlines. `lock` guards the
 * job table and every wait; it is held for moments only, never over I/O. Lock order: lock before anything of the store. */
#ifndef CORPUSFS_CORPUS_IMPL_H
#define CORPUSFS_CORPUS_IMPL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/path.h"
#include "chunk/chunk.h"
#include "corpusfs.h"
#include "embed/embed.h"
#include "extract/extract.h"
#include "source/ignore.h"
#include "source/source.h"
#include "store/store.h"
#include "token/words.h"

#include <pthread.h>
#include <stdatomic.h>

struct jobs;
struct indexer;
struct remote;
struct tree;
struct job;

enum { CHANGE_LISTENERS = 4, META_SIZES = 4096 };

struct corpus {
	struct corpus_options options; /* strings in it are not kept */
	struct source *source;
	struct ignore *ignore;
	struct tree *tree; /* archives as folders (tree.h) */
	struct buf opened; /* archives that were read and whose members are to be looked at: paths, each with a NUL; guarded by lock */
	struct hash exclusion_keys[IGNORE_RULE + 1]; /* exclusion_key() of each reason */
	struct store *store;
	struct embedder *embedder; /* NULL when the model could not be loaded: keyword search goes on */
	struct embed_space space;
	uint32_t space_number; /* in the store */
	struct hash recipe;    /* of chunker, passages and words */
	uint64_t own_fingerprint; /* short form of extractors, cleaner, recipe and built-in model */
	atomic_uint_fast64_t fingerprint; /* the same with the embedding server's model, part of every version */
	struct words *writer_words; /* only for operations on the store's writer thread */
	struct jobs *jobs;
	struct indexer *indexer;
	struct remote *remote; /* the embedding server's space, or NULL (remote.h) */
	char *mountpoint; /* as told by corpus_set_mountpoint; guarded by lock */
	time_t started;

	pthread_mutex_t lock;
	struct {
		void (*changed)(void *context, const char *path);
		void *context;
	} listeners[CHANGE_LISTENERS];
	unsigned listener_count;

	/* Sizes of meta files that were made, so that a later stat is exact: direct-mapped by version. Guarded by lock. */
	struct {
		uint64_t version, size;
	} meta_sizes[META_SIZES];

	/* Counters for status and metrics. */
	atomic_uint_fast64_t searches, extractions, embedded_chunks, source_bytes, failures, store_errors;
	char reset_reason[256]; /* why the store was begun anew at this open, or "" */
};

void corpus_log(struct corpus *c, int priority, const char *format, ...) __attribute__((format(printf, 3, 4)));
struct store_stamp corpus_stamp(const struct stat *st);
bool corpus_stamp_equal(const struct store_stamp *a, const struct store_stamp *b);
/* The version number of a source stamp under the current fingerprints. */
uint64_t corpus_version_of(const struct corpus *c, const struct store_stamp *stamp);

/* --- exclusion (exclude.c) ------------------------------------------------------------------------------------------- */

/* The extraction key of everything that stays out of the derived views for this reason. */
struct hash exclusion_key(enum ignore_reason reason);
/* True when a record made under `key` does not fit today's rules: it was excluded and is not any more, the other way round, or for another
 * reason. */
bool exclusion_outdated(struct corpus *c, const char *path, const struct hash *key);
/* Stable word and sentence for status and meta. */
const char *exclusion_code(enum ignore_reason reason);
const char *exclusion_message(enum ignore_reason reason);
/* Notes an excluded folder in the store, as the path with a slash at its end. */
int exclusion_put_folder(struct corpus *c, const char *path, enum ignore_reason reason);

/* --- blobs (blob.c) ------------------------------------------------------------------------------------------------- */

/* Takes ownership of malloc'ed data, also on failure (NULL: out of memory). */
struct corpus_blob *blob_new(char *data, size_t size);
/* A part of another blob, which it keeps alive. */
struct corpus_blob *blob_slice(struct corpus_blob *whole, size_t first, size_t size);
/* Maps a file that nobody else can reach: it must not be cut short while the blob lives. The descriptor stays the caller's. */
int blob_from_file(int fd, struct corpus_blob **ret);
/* Takes a buffer's contents; -ENOMEM or -EFBIG when the buffer failed. The buffer is empty afterwards. */
int blob_from_buf(struct buf *b, struct corpus_blob **ret);

/* --- documents (document.c) ----------------------------------------------------------------------------------------- */

struct corpus_doc {
	atomic_uint refs;
	struct corpus *corpus;
	char *path;
	struct store_stamp stamp;
	struct stat source; /* as of reading */
	uint64_t version;
	uint8_t state;	/* enum store_state */
	uint8_t syntax; /* enum text_syntax */
	uint32_t id;	/* in the store, 0 while not committed */
	uint32_t pages;
	struct hash source_hash, extraction, clean;
	bool has_source_hash; /* false for kinds that are not read */
	bool rechunked;	      /* loaded, but its chunks were made anew: the store has none of this recipe */
	struct corpus_blob *text; /* NULL unless state is STORE_OK */
	struct chunk_list *chunks; /* NULL unless state is STORE_OK */
	float *vectors;		   /* chunks->count * vector_dims once computed, set before the document is handed out for CORPUS_VECTORS */
	uint32_t vector_dims;
	char *extractor, *media_type, *encoding, *title, *code, *message; /* never NULL */
};

struct corpus_doc *document_new(struct corpus *c, const char *path);
/* The document of a path as the store knows it, if that is current for this stat (`racy_too`: even if its stamp is so young that a second change could
 * carry the same): 0, -ENOENT (unknown or outdated), -EIO, -ENOMEM. */
int document_load(struct corpus *c, const char *path, const struct stat *st, bool racy_too, struct corpus_doc **ret);
/* The document that a file's record leads to, current or not; its `source` is not set. 0, -ENOENT, -EIO, -ENOMEM. */
int document_load_stored(struct corpus *c, const char *path, const struct store_file *file, struct store_read *r, struct corpus_doc **ret);
/* Fills everything but path, stamp and source hash from an extraction record. 0, -ENOENT, -EIO, -ENOMEM. */
int document_load_extraction(struct corpus_doc *d, struct store_read *r, const struct hash *key);
/* Computes the float rows of a document's chunks by the built-in model into d->vectors. 0, or -errno of the embedder. */
int document_embed(struct corpus_doc *d);
/* What vectors/ shows into d->vectors: the embedding server's rows where one is used, else the built-in model's. */
int document_vectors(struct corpus_doc *d);
/* True when the file would be extracted otherwise today: its extractor has another version, or another one is configured for it (ingest.c). */
bool extraction_outdated(struct corpus *c, struct store_read *r, const char *path, const struct store_file *file);
/* The error that opening a text view of this document gives: 0, -EIO, -ENOTSUP. */
int document_error(const struct corpus_doc *d, enum corpus_view view);
struct span document_text(const struct corpus_doc *d); /* clean */
struct span document_chunk_text(const struct corpus_doc *d, uint32_t chunk);
/* meta/<path>.json (meta.c). */
int document_meta(const struct corpus_doc *d, struct corpus_blob **ret);
/* The catalogue of an archive: it has no text and no chunks of its own. */
bool document_is_archive(const struct corpus_doc *d);
/* "ok", "skipped", "failed". */
const char *document_state_name(const struct corpus_doc *d);
/* True for the code of a failure that lay in the machine's state, perhaps, and not in the document. */
bool document_failure_may_pass(struct span code);
enum chunk_syntax document_chunk_syntax(uint8_t text_syntax);
/* True when an indexed document has its vectors, or none can be made. Not so for one that was indexed while there was no model. */
bool document_has_vectors(struct corpus *c, struct store_read *r, const struct store_doc *doc);

/* --- ingest (ingest.c) ---------------------------------------------------------------------------------------------- */

/* What one pass over a document made, on its way to the store. */
struct product;
struct worker;

/* Reads a document and takes it through every stage up to its chunks: source, extract, clean, chunk. On 0 *ret_doc is what readers get and
 * *ret_product is what ingest_finish needs. -EINPROGRESS: another job is extracting the same bytes; this one is to be run again after
 * it (ingest registered it). Otherwise -errno of reading. */
int ingest_read(struct job *job, struct worker *w, struct corpus_doc **ret_doc, struct product **ret_product);
/* The rest: words, embed, store. Ends with jobs_committed(job) from the store's writer. */
void ingest_store(struct job *job, struct worker *w, struct corpus_doc *doc, struct product *product);
/* Takes a document through the deterministic stages again without looking into the store, for verify. 0 or -errno. */
int ingest_again(struct corpus *c, const char *path, struct corpus_doc **ret);
/* Takes a path out of the store, as an operation. */
int ingest_remove(struct corpus *c, const char *path);
/* Lets the store drop documents that no path leads to, if they are many. Called when nothing else is to be done. */
void ingest_collect(struct corpus *c);

/* --- indexer (refresh.c) -------------------------------------------------------------------------------------------- */

int indexer_start(struct corpus *c);
void indexer_stop(struct corpus *c);
void indexer_changed(struct corpus *c, const char *path);
/* Archives were read: refresh_members has something to do. */
void indexer_wake(struct corpus *c);

struct refresh_progress {
	atomic_uint_fast64_t files, done, unchanged, computed, skipped, failed, removed, bytes, bytes_total;
	atomic_bool walked;
};
/* Brings the store up to date with the source at and below `path`; returns when everything is queued. `progress` gets counts as jobs end. */
int refresh_tree(struct corpus *c, const char *path, struct refresh_progress *progress, bool (*stop)(void *context), void *context);
/* An archive was read, or something that bears the name of one: its members are to be looked at by refresh_members. Any thread. */
void refresh_note_archive(struct corpus *c, const char *path);
/* Brings the members of archives that were noted up to date. Returns how many archives there were, or -errno. */
int refresh_members(struct corpus *c, struct refresh_progress *progress, bool (*stop)(void *context), void *context);
/* Counts of the background indexer, for status. */
struct refresh_progress *indexer_progress(struct corpus *c);
bool indexer_idle(struct corpus *c);

/* --- search (query.c, results.c) ------------------------------------------------------------------------------------ */

enum { QUERY_FILTERS = 16 };

struct corpus_query {
	struct buf text;
	char *in[QUERY_FILTERS];
	unsigned in_count;
	char *type[QUERY_FILTERS];
	unsigned type_count;
	enum corpus_mode mode;
	uint32_t k, per, budget;
	double min;
	time_t since;
	bool as_link;
};

/* True when a path passes @in and @type. */
bool query_matches_path(const struct corpus_query *q, const char *path);
/* A filter is a folder, a file, or a glob over the whole path; a glob without a slash is also tried on the file name. '*' crosses slashes. */
bool query_path_matches(const char *filter, const char *path);

/* --- exact names (exact.c) ------------------------------------------------------------------------------------------ */

/* Notes the names of a document in the store: its title, this path, its file name with and without extension. */
int exact_note(struct store_write *w, const char *path, const char *title, uint32_t doc);
/* Findable documents one of whose names the query is, at most `capacity`; returns how many. A path that `access` may not read is no name. */
struct access;
size_t exact_find(struct store_read *read, struct span query, struct access *access, uint32_t *docs, size_t capacity);

/* --- permissions (access.c) ----------------------------------------------------------------------------------------- */

/* Answers whether a caller may read a path of the source; remembers folders for one pass. */
struct access;
int access_new(struct corpus *c, const struct corpus_caller *caller, struct access **ret);
void access_free(struct access *a);
/* No document is hidden from this caller by permissions. */
bool access_sees_everything(const struct access *a);
/* May know that a name exists: the folders above it let the caller pass. */
bool access_may_see(struct access *a, const char *path);
bool access_may_read(struct access *a, const char *path, struct stat *ret_st);
/* Counts of what a caller may read, and of its findable chunks (counts.c). Looks at every file: not for a thread that must not wait. */
int counts_visible(struct store_read *read, struct access *access, struct store_counts *ret, uint64_t *ret_chunks);

#endif
