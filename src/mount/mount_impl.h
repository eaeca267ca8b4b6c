/* What the files of this folder share.
 *
 * A kernel request comes in through ops.c, which finds the node and its type and calls the type's function; the views (view_*.c) answer by
 * request_*(). One that must wait is parked (request.c) and answered from the thread that finishes the work, so that no libfuse thread
 * ever blocks. Nodes (inodes.c) hold names, contents (contents.c) hold what open files read from.
 *
 * Locks: each struct has its own. Inside of one only the node table's may be taken, by node_ref and the like but not by node_unref. */
#ifndef CORPUSFS_MOUNT_MOUNT_IMPL_H
#define CORPUSFS_MOUNT_MOUNT_IMPL_H

#include "base/buf.h"
#include "base/limits.h"
#include "corpusfs.h"
#include "mount/mount.h"
#include "mount/names.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { NODE_PATH_SIZE = LIMIT_PATH_BYTES + 1 };

/* Seconds that the kernel may use an answer without asking again. */
#define TIMEOUT_FOREVER 86400.0
/* What stems from the source, in derived views while changes are told to us, and otherwise. An open looks at the source in either case. */
#define TIMEOUT_WATCHED 30.0
#define TIMEOUT_UNWATCHED 1.0

/* --- nodes (inodes.c) ----------------------------------------------------------------------------------------------- */

enum node_kind {
	NODE_ROOT,
	NODE_README,
	NODE_RAW_FOLDER,
	NODE_RAW_FILE,
	NODE_RAW_LINK,
	NODE_RAW_OTHER, /* FIFO, socket, device */
	NODE_FOLDER,	/* a folder of the source in a derived view */
	NODE_DOCUMENT,	/* clean/x.txt, vectors/x.npy, meta/x.json */
	NODE_CHUNK_FOLDER,
	NODE_CHUNK,
	NODE_SEARCH_FOLDER, /* search/ and its options */
	NODE_RESULTS,	    /* search/<query>/, similar/<path>/ */
	NODE_HIT,
	NODE_FORM, /* .results.jsonl and so on */
	NODE_STATUS_FOLDER,
	NODE_STATUS,
	NODE_TABLE_FOLDER,
	NODE_TABLE,
	NODE_SIMILAR_OPTIONS, /* similar/@k=5/, which shows what similar/ shows */
	NODE_KIND_COUNT
};

/* The tops of the mount, and which of them a node is under. */
enum view { VIEW_NONE, VIEW_RAW, VIEW_CLEAN, VIEW_CHUNKS, VIEW_VECTORS, VIEW_META, VIEW_SEARCH, VIEW_SIMILAR, VIEW_TABLES, VIEW_STATUS, VIEW_COUNT };

struct content;
struct ranking;

/* One inode: a name, in one version. When the source of a file changes, a look-up finds a new node, and the old one lives until its handles
 * are closed and the kernel forgets it: so no page and no handle ever mixes versions. Only sizes, and what stands under a lock, ever change. */
struct node {
	struct node *parent; /* holds a reference */
	uint64_t ino;	     /* st_ino: a hash of the path, or of raw/ the source's own */
	uint64_t version;
	uint64_t lookups;  /* the kernel's; under the table's lock, as is all down to `next` */
	unsigned refs;	   /* children, handles and requests */
	bool retired;	   /* no look-up finds it any more */
	struct node *next; /* in its bucket */
	struct content *content; /* of a file that is open; under the lock of contents */
	struct ranking *ranking; /* of NODE_RESULTS; owned */
	/* Attributes of derived files and results, as the source had them in this version. */
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	atomic_bool exact;	     /* size is exact */
	atomic_uint_fast64_t size;   /* bytes; of a folder: the stamp of the listing that the kernel may have cached */
	atomic_uint_fast64_t mark;   /* of a folder: second in which that listing was begun; of meta/: checksum of its bytes, 0 until known; of tables/: whose it is */
	uint8_t kind, view;
	uint16_t name_size;
	char name[]; /* NUL-terminated: the source's name where the node stands for something there, else the shown one */
};

struct node_table {
	pthread_mutex_t lock;
	struct node **buckets;
	size_t bucket_count, count;
	struct node *root, *tops[VIEW_COUNT];
};

struct mount;

int nodes_init(struct node_table *t);
void nodes_release(struct mount *m);
/* What a new node begins with. */
struct node_facts {
	uint64_t ino;		   /* 0: made from the parent's and the name */
	const struct stat *source; /* owner and times; NULL: none are kept */
	mode_t mode;
	uint64_t size;
	bool exact;
};
/* Finds the node or makes it with these facts. The caller owns a reference. */
int node_get(struct mount *m, struct node *parent, enum node_kind kind, const char *name, uint64_t version, const struct node_facts *facts,
	     struct node **ret);
/* The same, only if it is there; NULL otherwise. */
struct node *node_find(struct mount *m, struct node *parent, enum node_kind kind, const char *name, uint64_t version);
struct node *node_ref(struct mount *m, struct node *n);
void node_unref(struct mount *m, struct node *n);
/* The kernel was given the node once more, or forgets it so many times. */
void node_remember(struct mount *m, struct node *n);
void node_forget(struct mount *m, struct node *n, uint64_t count);
/* A look-up will not find it any more. */
void node_retire(struct mount *m, struct node *n);
/* The nodes that the kernel has of one name, whatever their kind and version, each with a reference; how many there are, at most `size`. */
size_t nodes_named(struct mount *m, struct node *parent, const char *name, struct node **out, size_t size);
/* Nodes under which anything from the source is shown, each with a reference, in a malloc'ed array. For "everything changed". */
int nodes_mirrored(struct mount *m, struct node ***ret, size_t *ret_count);
/* The inode number that a child will have. */
uint64_t node_child_ino(const struct node *parent, const char *name);
struct node *node_of(struct mount *m, fuse_ino_t ino);
fuse_ino_t node_id(struct mount *m, const struct node *n);
/* Path in the source of a node that stands for something there. -ENAMETOOLONG when it does not fit. */
int node_path(const struct node *n, char out[NODE_PATH_SIZE]);
/* The same of a child. */
int node_child_path(const struct node *parent, const char *name, char out[NODE_PATH_SIZE]);

/* --- attributes (attributes.c) --------------------------------------------------------------------------------------- */

/* Gives a new node owner, mode, time and size. */
void attributes_keep(struct node *n, const struct node_facts *facts);
/* The attributes kept in a node. */
void attributes_of(const struct node *n, struct stat *ret);
void attributes_set_size(struct stat *st, uint64_t size);
/* Turns the stat of a source folder into that of a folder that is shown. */
void attributes_of_folder(struct stat *st, uint64_t ino);
/* Permission bits: of a file without those to write; of a folder made from a file, which can be entered by whoever may read the file. */
mode_t attributes_file_mode(mode_t source);
mode_t attributes_folder_mode(mode_t source);
/* Equal while no byte of the file changed. */
bool attributes_same_bytes(const struct stat *a, const struct stat *b);
uint64_t attributes_stamp(const struct stat *st);

/* --- contents (contents.c) ------------------------------------------------------------------------------------------- */

/* What the handles of an open file read from; shared by all handles of a node. */
struct content {
	struct node *node;
	unsigned refs; /* handles; under the lock of contents */
	struct corpus_blob *blob;
	struct corpus_results *results; /* keeps `text` alive */
	const char *text;
	uint64_t size;
	int fd; /* raw/: -1 otherwise */
	struct stat opened;
	int backing; /* kernel's id of fd for passthrough; 0: none */
	struct content *next, *previous; /* among all; under the lock of contents */
};

/* Takes over blob, results or fd; the node is referenced. NULL: out of memory, and everything was released. */
struct content *content_new(struct mount *m, struct node *n, struct corpus_blob *blob, struct corpus_results *results, int fd);
/* Makes it the content of its node, if it is not yet, or gives the one that is there already and frees this. */
struct content *content_share(struct mount *m, struct content *c);
/* One more handle of what the node has open, or NULL. */
struct content *content_of(struct mount *m, struct node *n);
void content_ref(struct mount *m, struct content *c);
void content_unref(struct mount *m, struct content *c);
/* How many different nodes of this kind and mark are open. */
size_t contents_count(struct mount *m, enum node_kind kind, uint64_t mark);
/* For the end of the mount: what is still open, which the kernel will not release any more. */
void contents_release(struct mount *m);

/* --- requests (request.c) -------------------------------------------------------------------------------------------- */

enum { CALLER_GROUPS = 1024 };

/* Who asks, where that matters. */
struct caller {
	struct corpus_caller who;
	gid_t groups[CALLER_GROUPS];
	uint64_t hash; /* 0: everything is one caller's */
};

/* One kernel request. It is answered exactly once, by one of request_reply_*(), which also end it.
 *
 * One that waits can be answered by completion, by an interrupt or by the end of the mount. Who takes the wait back (corpus_cancel, or
 * the reporter's like) answers; `state` only covers the moment in which the wait is not handed over yet. */
enum request_state {
	REQUEST_STARTING,    /* the wait is being handed to whoever does the work */
	REQUEST_WAITING,     /* it was */
	REQUEST_INTERRUPTED, /* an interrupt came while starting: the starter takes the wait back */
};

struct report_job;

struct request {
	struct corpus_wait wait; /* first: completion casts it back */
	struct mount *mount;
	fuse_req_t fuse;
	struct node *node;
	struct fuse_file_info info; /* of open and opendir */
	/* Goes on when what was waited for is there (0 and the object, which is now the view's) or will not come (-errno). */
	void (*then)(struct request *r, int result, void *object);
	void (*again)(struct request *r); /* what is tried again when an archive was read */
	bool (*cancel)(struct request *r);
	struct report_job *job; /* with job_next: the reporter's */
	struct request *job_next;
	atomic_int state, refs;
	unsigned archives; /* that were waited for */
	bool parked;
	struct request *next, *previous; /* among the parked */
	char name[];			 /* of a look-up */
};

struct request *request_new(struct mount *m, fuse_req_t fuse, struct node *n, const char *name, const struct fuse_file_info *info);
/* Begins anew with a request whose wait is over, so that it can wait again: whoever started the first wait may still be about to look at that
 * one's state. NULL: out of memory, which was answered. */
struct request *request_renew(struct request *r);
/* What a look-up found: a node with a reference, which the reply takes over. */
struct found {
	struct node *node;
	struct stat st;
	double attr_timeout, entry_timeout;
};
void request_reply_error(struct request *r, int error); /* negative errno */
void request_reply_found(struct request *r, const struct found *f);
/* Nothing has that name, and nothing will. */
void request_reply_never(struct request *r);
void request_reply_open(struct request *r, struct content *c);
/* Of bytes that may be others when the file is opened again: no handle gets what the kernel kept for an earlier one. Handles that are open at the same
 * time share one content, or each has its own, so that the file cannot be mapped. */
void request_reply_open_snapshot(struct request *r, struct content *c);
void request_reply_open_unshared(struct request *r, struct content *c);
struct folder;
void request_reply_folder(struct request *r, struct folder *f, bool keep_listing);

/* Asks for a document, a search, and so on; `then` is called once, perhaps before this returns. */
void request_document(struct request *r, const char *path, enum corpus_view view, void (*then)(struct request *, int, void *));
void request_search(struct request *r, const struct corpus_query *q, const struct caller *caller, void (*then)(struct request *, int, void *));
void request_similar(struct request *r, const char *path, const struct corpus_query *q, const struct caller *caller,
		     void (*then)(struct request *, int, void *));
void request_report(struct request *r, enum corpus_report report, const struct caller *caller, void (*then)(struct request *, int, void *));
void request_table(struct request *r, enum corpus_table table, const struct caller *caller, void (*then)(struct request *, int, void *));
/* Completion by whoever took the wait out of cancel's reach. */
void request_complete(struct request *r, int result, void *object);
/* Ends all that wait, for the end of the mount; returns when none is left. */
void requests_end(struct mount *m);

void request_caller(struct request *r, struct caller *ret);

/* --- reports (reporter.c) -------------------------------------------------------------------------------------------- */

enum report_lane { LANE_REPORTS, LANE_TABLES, REPORT_LANES };

struct report_thread {
	struct reporter *reporter;
	pthread_t thread;
	struct report_job *first; /* being made, and those after it; under the lock */
	bool started;
};

struct reporter {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct report_thread lanes[REPORT_LANES];
	bool initialised, stop;
};

int reporter_start(struct mount *m);
/* Every request must have ended. */
void reporter_stop(struct mount *m);
/* Hands a request over: -EINPROGRESS, or -ENOMEM. `what` is an enum corpus_report or an enum corpus_table, by the lane. */
int reporter_add(struct request *r, enum report_lane lane, int what, const struct caller *caller);
/* Takes it back, as corpus_cancel does. */
bool reporter_cancel(struct request *r);

/* --- changes of the source (changes.c) ------------------------------------------------------------------------------- */

struct changes {
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_t thread;
	struct buf paths; /* NUL-terminated */
	bool started, stop, everything;
};

/* Tells the kernel what changed, from a thread of its own. */
int changes_start(struct mount *m);
void changes_stop(struct mount *m);
void changes_add(struct mount *m, const char *path);

/* --- views ------------------------------------------------------------------------------------------------------------ */

/* One entry of a listing. */
struct listed {
	const char *name; /* valid until the next entry */
	uint64_t ino;
	mode_t type;	    /* S_IFMT bits */
	struct found found; /* where the caller asked for it: node NULL when the kernel had better look the name up */
};

/* An open folder. */
struct folder {
	struct node *node;
	struct corpus_doc *doc;		/* of a chunk folder */
	struct corpus_results *results; /* of a result folder */
	uint64_t id, serial;		/* likewise: the versions of its hits and of its dot-files */
	struct buf names;		/* of a source folder, as it was when the listing began: type, inode number, name, one after the other */
	size_t *starts;
	size_t count;
	bool listed;
	char name[NODE_PATH_SIZE + NAMES_SUFFIX_SIZE];
	struct folder *next, *previous; /* among all; under the lock of contents */
};

struct folder *folder_new(struct mount *m, struct node *n);
void folder_free(struct mount *m, struct folder *f);
void folders_release(struct mount *m);

/* What each kind of node can do. A function that is missing is answered with ENOTDIR, EISDIR and the like. `stat` and `entry` never wait. */
struct node_type {
	/* Fetches what `entry` gives, when a listing begins. */
	int (*list)(struct mount *m, struct folder *f);
	void (*look)(struct request *r);
	int (*stat)(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout);
	void (*open)(struct request *r);
	void (*open_folder)(struct request *r);
	/* Entry *index or the next one that is shown, and moves *index behind it. 1, 0 at the end, or -errno. `want`: fill found. */
	int (*entry)(struct mount *m, struct folder *f, size_t *index, bool want, struct listed *ret);
	int (*read_link)(struct mount *m, struct node *n, char out[NODE_PATH_SIZE]);
	/* Value of one extended attribute, or, where name is NULL, the list of names, into `out`. */
	int (*attribute)(struct mount *m, struct node *n, const char *name, struct buf *out);
};

extern const struct node_type *const node_types[NODE_KIND_COUNT];
extern const struct node_type root_type, readme_type, raw_folder_type, raw_file_type, raw_link_type, raw_other_type, folder_type, document_type,
	chunk_folder_type, chunk_type, search_folder_type, results_type, hit_type, form_type, status_folder_type, status_type, table_folder_type, table_type;

extern const char *const view_names[VIEW_COUNT];
/* ".txt" and so on, or NULL where documents have no suffix. */
const char *view_suffix(enum view v);
enum corpus_view view_of_library(enum view v);
/* The stat of a path as this view shows it: raw/ the source's own, the others with archives as folders. */
int view_stat(struct mount *m, enum view v, const char *path, struct stat *ret);
/* Goes on with `again` when the archive was read without which nothing can be said about a child of the request's node (`name`), or about the node
 * itself (NULL). */
void view_await_archive(struct request *r, const char *name, void (*again)(struct request *r));
/* How long the kernel may keep what the source says. */
double view_source_timeout(struct mount *m);
/* Attributes of a top folder: the source folder's. */
int view_top_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout);
/* Opens a folder that always lists the same. */
void view_open_fixed_folder(struct request *r);
int view_found(struct mount *m, struct node *n, double entry_timeout, struct found *ret);
int view_readme(struct mount *m, struct node *parent, struct found *ret);
/* Fills the listing of a source folder; entries are then read by view_source_entry. */
int view_list_source(struct mount *m, struct folder *f);
struct source_entry {
	const char *name;
	unsigned char type; /* DT_ */
	uint64_t ino;
};
bool view_source_entry(const struct folder *f, size_t index, struct source_entry *ret);
/* Opens a folder that stands for one of the source, with the listing kept by the kernel where nothing changed. */
void view_open_source_folder(struct request *r);
/* Chunk folders keep a few documents at hand (view_chunks.c). */
struct doc_cache {
	pthread_mutex_t lock;
	struct kept_doc *newest, *oldest;
	size_t count;
	uint64_t bytes;
};
void doc_cache_init(struct doc_cache *d);
void doc_cache_release(struct mount *m);
int view_chunk_folder(struct mount *m, struct node *parent, const char *name, const struct corpus_look *look, struct found *ret);

/* Result folders (view_search.c). */
struct rankings {
	pthread_mutex_t lock;
	struct ranking *newest, *oldest; /* those that hold results */
	size_t count, hits;
	uint64_t last_id;
};
void rankings_init(struct rankings *k);
void rankings_release(struct rankings *k);
/* For a node that goes. */
void ranking_free(struct ranking *k);
void view_look_similar(struct request *r, const struct corpus_look *look);
/* The options that a folder under search/ or similar/ stands for, outermost first; `name` (or NULL) is one more. -EINVAL when one is wrong. */
int view_options(const struct node *folder, const char *name, struct corpus_query **ret);

/* --- the mount (session.c) -------------------------------------------------------------------------------------------- */

struct mount {
	struct corpus *corpus;
	const struct mount_options *options;
	struct fuse_session *session;
	struct node_table nodes;
	pthread_mutex_t contents_lock;
	struct content *contents;
	struct folder *folders;
	pthread_mutex_t requests_lock;
	pthread_cond_t requests_ended;
	struct request *parked;
	struct reporter reporter;
	struct changes changes;
	struct doc_cache docs;
	struct rankings rankings;
	struct corpus_blob *readme;
	struct timespec started;
	atomic_bool passthrough;
};

extern const struct fuse_lowlevel_ops mount_ops;

void mount_log(const struct mount *m, int priority, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
