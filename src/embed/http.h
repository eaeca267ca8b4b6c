/* HTTP requests on one I/O thread: many callers, one pool of kept-alive connections (libcurl's multi interface). Knows nothing of
 * embeddings. The key and what a server may have echoed of it never leave this file. Private to this folder. */
#ifndef CORPUSFS_EMBED_HTTP_H
#define CORPUSFS_EMBED_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct http;

enum http_lane {
	HTTP_BULK,	  /* at most so many at the same time, in the order they came */
	HTTP_INTERACTIVE, /* at once, past all that waits */
};

/* One request; belongs to the caller, who must not touch it between http_start and its end. */
struct http_call {
	enum http_lane lane;
	const char *path;    /* follows the base URL: "/v1/embeddings" */
	struct span body;    /* JSON to post, or data NULL for GET; must live until the end */
	unsigned timeout_ms; /* for all of it */
	size_t reply_limit;  /* a longer reply is -EMSGSIZE */

	int error; /* 0: there is a reply; -ETIMEDOUT, -EMSGSIZE, -ESHUTDOWN, -EPROTO (TLS), -EHOSTUNREACH */
	char error_text[160];
	long status;
	struct buf reply;	 /* the caller releases it */
	unsigned retry_after_ms; /* 0 when the server does not say */
	unsigned took_ms;
	char redirect[160]; /* where a 3xx points: scheme, host and path */

	bool done;
	void *handle, *headers;
	struct http_call *next;
};

struct http_options {
	const char *url; /* https://host[:port][/path], http+unix://%2Fpath%2Fto.sock[/path] or unix:/path/to.sock */
	const char *key; /* or NULL */
	const char *key_file; /* or NULL: its first line is the key; read again whenever http_reload_key is called */
	unsigned bulk;	 /* requests of the bulk lane in flight */
};

/* Starts the thread; no traffic. -EINVAL with *err for a URL or key file that cannot be used. */
int http_new(const struct http_options *options, struct http **ret, struct err *err);
/* Ends every request with -ESHUTDOWN, now and from now on. */
void http_stop(struct http *h);
void http_free(struct http *h); /* accepts NULL; no request may be under way */
void http_start(struct http *h, struct http_call *call);
/* Waits until one of the calls has ended, or `milliseconds` passed. */
void http_wait(struct http *h, struct http_call *const *calls, size_t count, unsigned milliseconds);
bool http_ended(struct http *h, const struct http_call *call);
bool http_stopping(struct http *h);
void http_call_release(struct http_call *call);
void http_reload_key(struct http *h);
/* The base URL as it may be shown: no user, password or query. */
const char *http_shown_url(const struct http *h);
/* The path of the base URL, "" or "/v1". */
const char *http_base_path(const struct http *h);
/* Overwrites the key, wherever it stands in a text, with asterisks. */
void http_redact(struct http *h, char *text);

#endif
