/* corpusfs: a folder of documents as text, chunks, vectors and search results.
 *
 * The library behind the mount and the command; both are clients of this header and of nothing else. A struct corpus is one
 * source folder with its store. Every path is relative to the source folder, without a leading slash, any bytes but NUL.
 *
 * Where work happens. Functions that return at once never extract, embed or rank: they look at the source (stat, open, list)
 * and at the store. Work is asked for with a struct corpus_wait, whose `done` is called exactly once, on a job thread, unless
 * corpus_cancel() took it back. One job serves all who wait for the same thing.
 *
 * Thread safety: everything but corpus_open, corpus_close and the option setters may be called from any thread. Errors are
 * negative errno. Strings and arrays inside a returned object live as long as the object. */
#ifndef CORPUSFS_H
#define CORPUSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define CORPUS_API __attribute__((visibility("default")))

/* --- life ---------------------------------------------------------------------------------------------------------- */

struct corpus;

enum corpus_access {
	CORPUS_DAEMON,	  /* own the store, watch the source, index in the background */
	CORPUS_BATCH,	  /* own the store, work only when asked (index, verify) */
	CORPUS_READ_ONLY, /* look at an existing store, compute nothing; works beside an owner */
};

struct corpus_options {
	const char *source;    /* the folder; must exist */
	const char *store;     /* store folder, or NULL: under $XDG_CACHE_HOME or ~/.cache, one per source */
	enum corpus_access access;
	unsigned threads;      /* job threads, 0: one a processor */
	unsigned deadline_ms;  /* a waiting request ends with -ETIMEDOUT after this, 0: never; the job goes on */
	bool fail_fast;	       /* needs that would start work end with -EAGAIN instead */
	bool no_index;	       /* CORPUS_DAEMON: no background indexer */
	const uid_t *uid;      /* everything counts as this user's, for what is shown and for who may read it; NULL: as the source says */
	const gid_t *gid;      /* the same for the group */
	/* An embedding server beside the built-in model, docs/embedding-servers.md; embed_url NULL: none. */
	const char *embed_url, *embed_model;
	const char *embed_key, *embed_key_file; /* the key itself, or a file whose first line it is */
	const char *embed_query_prefix, *embed_passage_prefix;
	unsigned embed_dims;   /* asked of the server, 0: its own */
	unsigned embed_rate;   /* requests a minute, 0: no bound */
	unsigned embed_budget; /* texts a day, 0: no bound */
	bool embed_dry_run;    /* send nothing: corpus_embedding_cost() says what would be */
	void (*log)(void *context, int priority, const char *line); /* syslog priorities; NULL: silent */
	void *log_context;
};

/* Reads a file that names outside programs for extensions or media types (docs/formats.md). Call before corpus_start_helper. 0 or -errno with a line
 * in `error` that names file, line and remedy. */
CORPUS_API int corpus_use_extractors(const char *file, char *error, size_t error_size);
/* Starts the helper process in which documents are parsed. Call first thing in main(), before threads exist and after any
 * daemonising fork. 0 or -errno with a line in `error`. */
CORPUS_API int corpus_start_helper(char *error, size_t error_size);
/* Opens source and store. On failure *ret is untouched and `error` holds one line that names the file and the remedy. -EBUSY: another
 * process owns the store. Fast whatever the size of the folder: reads no document and walks nothing. */
CORPUS_API int corpus_open(const struct corpus_options *options, struct corpus **ret, char *error, size_t error_size);
/* Cancels waits (each gets -ESHUTDOWN), commits what is done, closes. Objects taken from the corpus must have been released. */
CORPUS_API void corpus_close(struct corpus *c);
/* Version of the program, "0.1.0". */
CORPUS_API const char *corpus_version(void);
/* Says how others find us (a mountpoint), kept beside the store's lock. */
CORPUS_API int corpus_set_mountpoint(struct corpus *c, const char *mountpoint, dev_t device);
/* The mountpoint of the process that owns the store of this source, if any: 0, -ENOENT when nobody owns it, -ENODATA when its owner has no
 * mount. */
CORPUS_API int corpus_find_owner(const struct corpus_options *options, char *mountpoint, size_t size);
/* The store folder in use for these options. */
CORPUS_API int corpus_store_path(const struct corpus_options *options, char *path, size_t size);
CORPUS_API const char *corpus_source_path(const struct corpus *c);

/* Called from a watcher thread when a source path changed ("" for everything), so that a client can drop what it cached. */
CORPUS_API int corpus_on_change(struct corpus *c, void (*changed)(void *context, const char *path), void *context);
/* True while every folder of the source is watched, so that a change is told within moments; false where that cannot be done. */
CORPUS_API bool corpus_watching(struct corpus *c);

/* --- the source tree: these return at once ------------------------------------------------------------------------- */

/* An archive (ZIP, TAR, 7z) is a file of the source; a path that goes on below it names what is in it. Owner and times of that are the archive's.
 * Functions that get such a path return -EINPROGRESS while an archive on the way was not read in its present version: its document has to be
 * got first (corpus_unread_archive says which, corpus_get with CORPUS_META gets it), or the question asked again later. */
CORPUS_API int corpus_stat(struct corpus *c, const char *path, struct stat *ret);	     /* as lstat(2) */
/* The same as the derived views show it: an archive is a folder. -EINPROGRESS also for a file that has the name of an archive and was not read. */
CORPUS_API int corpus_stat_shown(struct corpus *c, const char *path, struct stat *ret);
/* The archive that has to be read before questions about `path` can be answered; -ENOENT when there is none. */
CORPUS_API int corpus_unread_archive(struct corpus *c, const char *path, char *archive, size_t size);
CORPUS_API void corpus_apply_rights(const struct corpus *c, int fd, struct stat *st); /* the same in the fstat of what corpus_open_raw gave */
CORPUS_API int corpus_open_raw(struct corpus *c, const char *path, int *ret_fd);	     /* regular files only */
CORPUS_API int corpus_read_link(struct corpus *c, const char *path, char *target, size_t size); /* NUL-terminated */
/* Entries without "." and ".."; `type` is a DT_ value; `each` returns non-zero to end the walk, which is then returned. */
typedef int corpus_entry_fn(void *context, const char *name, unsigned char type, uint64_t ino);
CORPUS_API int corpus_list(struct corpus *c, const char *path, corpus_entry_fn *each, void *context);

/* --- documents ----------------------------------------------------------------------------------------------------- */

enum corpus_view { CORPUS_CLEAN, CORPUS_CHUNKS, CORPUS_VECTORS, CORPUS_META };

/* What a view of this document looks like without doing any work. */
struct corpus_look {
	struct stat source; /* lstat of the source file */
	bool has_text;	    /* false: a kind known or guessed to have no text; then only CORPUS_META exists */
	bool known;	    /* this version was looked at before; what follows is no guess but where it says so */
	bool exact;	    /* size is the view's exact size for this version of the source */
	int error;	    /* known failure of extraction: opening gives this (-EIO), else 0 */
	uint64_t size;	    /* bytes (CORPUS_CHUNKS: of all chunks); a non-zero estimate unless exact */
	uint32_t chunks;    /* number of chunks, when exact */
	uint64_t version;   /* changes when the view's bytes may have changed; equal for equal source versions */
};
/* -ENOENT and so on as lstat; -EISDIR for a folder, and but for CORPUS_META for an archive, whose members are documents; -EINVAL for anything else
 * that is not a regular file; -EINPROGRESS as corpus_stat_shown, but for CORPUS_META. */
CORPUS_API int corpus_look(struct corpus *c, const char *path, enum corpus_view view, struct corpus_look *ret);

/* True for a folder that the derived views leave out (.git and the like, folders that .gitignore or .corpusfsignore exclude); it is in raw/. */
CORPUS_API bool corpus_hides_folder(struct corpus *c, const char *path);

/* Someone who waits. Embed it in a larger struct; it belongs to the caller and must live until `done` ran or corpus_cancel returned true. */
struct corpus_wait {
	/* `result`: 0 with `object` (a reference the callee owns), or -errno and NULL. Must not block. */
	void (*done)(struct corpus_wait *wait, int result, void *object);
	void *private_data; /* the library's */
	bool background;    /* not a person: give way to others */
};
/* True when `done` has not run and will not. False when it has run or is about to. Never blocks for long; safe from `done`'s own thread. */
CORPUS_API bool corpus_cancel(struct corpus *c, struct corpus_wait *wait);

/* One version of one document, immutable and reference-counted: what an open handle holds for its life. */
struct corpus_doc;
/* Asks for the document as the source is now, with at least what `view` needs computed. Returns 0 with *ret at once when nothing has to be
 * computed; -EINPROGRESS: `wait->done` will be called with a struct corpus_doc *; or -errno: -EIO for a document that cannot be extracted
 * (at once when that is known), -ENOTSUP for a kind without text, -EAGAIN under fail_fast, -EBUSY when the file keeps changing, -EISDIR for a folder or an archive. CORPUS_META
 * succeeds for failed and skipped documents too. */
CORPUS_API int corpus_get(struct corpus *c, const char *path, enum corpus_view view, struct corpus_wait *wait, struct corpus_doc **ret);
CORPUS_API struct corpus_doc *corpus_doc_ref(struct corpus_doc *d);
CORPUS_API void corpus_doc_unref(struct corpus_doc *d); /* accepts NULL */
/* The source version this document was made from: equal to corpus_look.version. */
CORPUS_API uint64_t corpus_doc_version(const struct corpus_doc *d);
/* The lstat of the source that goes with this version. Lives as long as the document. */
CORPUS_API const struct stat *corpus_doc_source(const struct corpus_doc *d);
CORPUS_API uint32_t corpus_doc_chunk_count(const struct corpus_doc *d);
/* Size of chunk `i` (from 0) in bytes. */
CORPUS_API uint32_t corpus_doc_chunk_size(const struct corpus_doc *d, uint32_t i);

/* Immutable bytes, reference-counted: a file's content as an open handle sees it. */
struct corpus_blob;
/* The bytes of a view of the document; `chunk` (from 0) is used by CORPUS_CHUNKS. CORPUS_VECTORS gives the .npy file, CORPUS_META the JSON.
 * Does not wait; the document must have been got with this view (or CORPUS_VECTORS / CORPUS_CHUNKS for CORPUS_CLEAN). -ENOENT for a chunk
 * that does not exist. */
CORPUS_API int corpus_doc_blob(struct corpus_doc *d, enum corpus_view view, uint32_t chunk, struct corpus_blob **ret);
CORPUS_API uint64_t corpus_blob_size(const struct corpus_blob *b);
/* The bytes themselves, valid while the reference is held. */
CORPUS_API const char *corpus_blob_data(const struct corpus_blob *b);
CORPUS_API struct corpus_blob *corpus_blob_ref(struct corpus_blob *b);
CORPUS_API void corpus_blob_unref(struct corpus_blob *b); /* accepts NULL */

/* --- search -------------------------------------------------------------------------------------------------------- */

enum corpus_mode { CORPUS_HYBRID, CORPUS_KEYWORD, CORPUS_VECTOR };

/* Who asks: only documents that this user may read in the source are found. NULL stands for the owner of the process. */
struct corpus_caller {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	bool everything; /* may read whatever the modes say, as root does */
};

/* A question with its options. Opaque; made from the words that stand on the mount and on the command line. */
struct corpus_query;
CORPUS_API int corpus_query_new(struct corpus_query **ret);
CORPUS_API struct corpus_query *corpus_query_copy(const struct corpus_query *q); /* NULL: out of memory */
CORPUS_API void corpus_query_free(struct corpus_query *q);
/* Sets one option from "@k=50", "@mode=keyword", "@in=handbook", "@type=pdf", "@min=0.4", "@since=2026-01-31", "@per=3", "@as=link",
 * "@budget=2000", as they stand as a component under search/ (already percent-decoded). -EINVAL for an unknown or malformed one, with one
 * line in `error` that lists what is possible. */
CORPUS_API int corpus_query_option(struct corpus_query *q, const char *option, char *error, size_t error_size);
/* The question, `size` raw bytes (already percent-decoded); invalid UTF-8 is taken as U+FFFD. -ENAMETOOLONG over 1000 bytes, -EINVAL when
 * nothing but blanks. */
CORPUS_API int corpus_query_text(struct corpus_query *q, const char *text, size_t size);
CORPUS_API bool corpus_query_as_link(const struct corpus_query *q);
/* Percent-decodes a component of the mount: "%2F" and any other two hex digits (but not "%00"); a percent sign followed by anything else is
 * literal. `out` needs size + 1 bytes; returns the decoded length. */
CORPUS_API size_t corpus_decode_component(const char *component, size_t size, char *out);

struct corpus_hit {
	uint32_t rank; /* from 1 */
	const char *path;
	uint32_t chunk; /* from 1, as in chunks/<path>/0001.txt */
	float score, bm25, cosine; /* cosine NaN where no vector took part */
	uint64_t first, end; /* byte range in clean text, end exclusive */
	uint32_t line_first, line_last;
	uint32_t page;		 /* 0 when the document has none */
	const char *heading;	 /* path of headings, "Leave > Parental leave", or "" */
	const char *title;	 /* or "" */
	const char *text;	 /* the chunk, NUL-terminated */
	size_t text_size;
	const char *name;	 /* entry name under search/: "01-leave.pdf-0003.txt" (similar/: "01-leave.pdf.txt") */
	struct stat source;	 /* of the source file, for owner, mode and times */
};

/* A frozen, reference-counted result set. */
struct corpus_results;
/* Ranks. Always asynchronous: returns -EINPROGRESS and calls `wait->done` with a struct corpus_results *, or returns -errno. The query is
 * copied. `caller` may be NULL. */
CORPUS_API int corpus_search(struct corpus *c, const struct corpus_query *q, const struct corpus_caller *caller, struct corpus_wait *wait);
/* The nearest documents to a document; options of `q` (may be NULL) apply, its text does not. One hit a document, the best chunk shown. */
CORPUS_API int corpus_similar(struct corpus *c, const char *path, const struct corpus_query *q, const struct corpus_caller *caller,
			      struct corpus_wait *wait);
CORPUS_API uint32_t corpus_results_count(const struct corpus_results *r);
CORPUS_API const struct corpus_hit *corpus_results_hit(const struct corpus_results *r, uint32_t i); /* NULL beyond count */
CORPUS_API bool corpus_results_degraded(const struct corpus_results *r);
/* Why, in one line; "" when they are not. Lives as long as the results. */
CORPUS_API const char *corpus_results_degraded_reason(const struct corpus_results *r);
/* Changes whenever a search could find something else; compare with corpus_results_generation. */
CORPUS_API uint64_t corpus_generation(struct corpus *c);
CORPUS_API uint64_t corpus_results_generation(const struct corpus_results *r);
enum corpus_form { CORPUS_RESULTS_JSONL, CORPUS_RESULTS_JSON, CORPUS_CONTEXT_MD, CORPUS_EXPLAIN_JSON };
CORPUS_API int corpus_results_blob(struct corpus_results *r, enum corpus_form form, struct corpus_blob **ret);
CORPUS_API struct corpus_results *corpus_results_ref(struct corpus_results *r);
CORPUS_API void corpus_results_unref(struct corpus_results *r); /* accepts NULL */

/* --- status and whole-corpus work ---------------------------------------------------------------------------------- */

enum corpus_report { CORPUS_STATUS_JSON, CORPUS_ERRORS_JSONL, CORPUS_SKIPPED_JSONL, CORPUS_METRICS, CORPUS_README };
/* A snapshot as a file. Lists only what `caller` may read. May walk the store: ask from a thread that may take a moment. */
CORPUS_API int corpus_report(struct corpus *c, enum corpus_report report, const struct corpus_caller *caller, struct corpus_blob **ret);

/* tables/ (docs/tables.md): the index as JSON lines, one row a document or a chunk, in byte order of paths, of one moment, and only of what `caller` may
 * read. Takes as long as reading all text of the index, in memory that does not grow with it: the blob maps a file without a name in the store's
 * folder, which has to have room for it (-ENOSPC). `wanted` (may be NULL) is asked now and then, and ends the work with -ECANCELED when false. */
enum corpus_table { CORPUS_TABLE_DOCUMENTS, CORPUS_TABLE_CHUNKS };
CORPUS_API int corpus_table(struct corpus *c, enum corpus_table table, const struct corpus_caller *caller, bool (*wanted)(void *context),
			    void *context, struct corpus_blob **ret);

struct corpus_progress {
	uint64_t files_total, files_done; /* total grows while the tree is being walked; `walked` says that it is final */
	bool walked;
	uint64_t bytes_total, bytes_done;
	uint64_t skipped, failed, unchanged;
	const char *current; /* a path being worked on, or NULL */
};
struct corpus_index_summary {
	uint64_t files, unchanged, computed, skipped, failed, removed, bytes;
	uint64_t not_embedded; /* chunks that wait for the embedding server */
};
/* Does all pending work and returns when it is committed. `ret` may be NULL. `progress` (may be NULL) is called a few times a second; a non-zero return ends
 * the work with -EINTR, what was done is kept. */
CORPUS_API int corpus_index(struct corpus *c, int (*progress)(void *context, const struct corpus_progress *p), void *context,
			    struct corpus_index_summary *ret, char *error, size_t error_size);

/* What is still to be sent to the embedding server, for documents that are indexed. Sends nothing. -ENOENT when there is no such server. */
struct corpus_embedding_cost {
	uint64_t chunks, missing, bytes, tokens, requests; /* bytes, tokens and requests: about */
};
CORPUS_API int corpus_embedding_cost(struct corpus *c, struct corpus_embedding_cost *ret);

struct corpus_difference {
	const char *path;
	const char *stage;   /* "source", "extract", "clean", "chunks", "vectors" */
	const char *message; /* one line */
};
/* Recomputes every current document and compares with the store. Returns 0 when all agree, 1 with differences reported, or -errno. */
CORPUS_API int corpus_verify(struct corpus *c, int (*progress)(void *context, const struct corpus_progress *p),
			     void (*difference)(void *context, const struct corpus_difference *d), void *context,
			     uint64_t *ret_checked, char *error, size_t error_size);

/* Facts about this machine, for `doctor`: each item is named, good or not, with a line of explanation. Needs no corpus. */
CORPUS_API void corpus_doctor(void (*item)(void *context, const char *name, bool good, const char *text), void *context);

#endif
