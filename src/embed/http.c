/* One thread drives all transfers, so that connections are shared and no caller polls. */
#include "embed/http.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	MAX_KEY_BYTES = 4096,
	CONNECT_MS = 5000,	/* DNS, TCP and TLS to the other side of the world */
	LOW_SPEED_SECONDS = 30, /* without a byte: as long as servers take to load a model */
	LOW_SPEED_BYTES = 64,	/* a second; a server that drips is as good as none */
	POLL_MS = 1000,
};

struct http {
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool started, stopping;
	struct http_call *first[2], **last[2]; /* queue of each lane */
	struct http_call *running;
	unsigned bulk, bulk_running;
	char *base, *socket, *shown, *path, *key_file; /* base has no slash at its end */
	char *key;				       /* guarded by lock */
};

/* --- URL and key --------------------------------------------------------------------------------------------------- */

static int percent_decode(char *text)
{
	char *out = text;
	for (; *text; text++) {
		unsigned value;
		char hex[3] = {0};
		if (*text == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
			memcpy(hex, text + 1, 2);
			value = (unsigned)strtoul(hex, NULL, 16);
			text += 2;
			if (value == 0)
				return -EINVAL;
			*out++ = (char)value;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
	return 0;
}

static void trim_slashes(char *text)
{
	for (size_t n = strlen(text); n && text[n - 1] == '/'; n--)
		text[n - 1] = '\0';
}

/* unix:/path/to.sock, or http+unix://%2Fpath%2Fto.sock/v1. */
static int set_socket(struct http *h, const char *url, struct err *err)
{
	bool packed = strncmp(url, "http+unix://", 12) == 0;
	char *CLEANUP_FREE socket = strdup(url + (packed ? 12 : 5));
	if (!socket)
		return err_fail(err, -ENOMEM, "out of memory");
	char *slash = packed ? strchr(socket, '/') : NULL;
	h->path = strdup(slash ? slash : "");
	if (slash)
		*slash = '\0';
	if (percent_decode(socket) < 0 || socket[0] != '/')
		return err_fail(err, -EINVAL, "embed: the socket is unix:/path or http+unix://%%2Fpath");
	if (!h->path)
		return err_fail(err, -ENOMEM, "out of memory");
	trim_slashes(h->path);
	if (asprintf(&h->base, "http://localhost%s", h->path) < 0)
		h->base = NULL;
	if (asprintf(&h->shown, "unix:%s%s%s", socket, *h->path ? " " : "", h->path) < 0)
		h->shown = NULL;
	h->socket = STEAL(socket);
	return h->base && h->shown ? 0 : err_fail(err, -ENOMEM, "out of memory");
}

/* The URL without user, password, query and fragment. */
static char *shown_url(const char *url)
{
	CURLU *u = curl_url();
	char *out = NULL, *copy = NULL;
	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		(void)curl_url_set(u, CURLUPART_USER, NULL, 0);
		(void)curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
		(void)curl_url_set(u, CURLUPART_QUERY, NULL, 0);
		(void)curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
		if (curl_url_get(u, CURLUPART_URL, &out, 0) == CURLUE_OK)
			copy = strdup(out);
	}
	curl_free(out);
	curl_url_cleanup(u);
	return copy;
}

static int set_url(struct http *h, const char *url, struct err *err)
{
	if (strncmp(url, "unix:", 5) == 0 || strncmp(url, "http+unix://", 12) == 0)
		return set_socket(h, url, err);
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return err_fail(err, -EINVAL, "embed: the server's address begins with http://, https:// or unix:");
	h->shown = shown_url(url);
	h->base = strdup(url);
	if (!h->shown || !h->base || strpbrk(url, "?#"))
		return err_fail(err, -EINVAL, "embed: this is no address of a server: http://host:port or https://host/v1");
	trim_slashes(h->base);
	trim_slashes(h->shown);
	const char *host = strstr(h->base, "://") + 3, *slash = strchr(host, '/');
	h->path = strdup(slash ? slash : "");
	return h->path ? 0 : err_fail(err, -ENOMEM, "out of memory");
}

/* A key is one line of printable ASCII: anything else would end the header it stands in. */
static bool key_is_clean(const char *key)
{
	for (const char *c = key; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return *key != '\0';
}

static char *read_key_file(const char *path)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	char *key = calloc(1, MAX_KEY_BYTES);
	if (key && !fgets(key, MAX_KEY_BYTES, file)) {
		free(key);
		key = NULL;
	}
	(void)fclose(file);
	if (key)
		key[strcspn(key, "\r\n")] = '\0';
	return key;
}

static int set_key(struct http *h, const struct http_options *o, struct err *err)
{
	if (o->key_file) {
		h->key_file = strdup(o->key_file);
		h->key = h->key_file ? read_key_file(o->key_file) : NULL;
		if (!h->key)
			return err_fail(err, -EINVAL, "%s: no key can be read from it", o->key_file);
	} else if (o->key) {
		h->key = strdup(o->key);
		if (!h->key)
			return err_fail(err, -ENOMEM, "out of memory");
	}
	if (h->key && !key_is_clean(h->key))
		return err_fail(err, -EINVAL, "embed: the key is empty, or holds blanks or characters that no key has");
	return 0;
}

void http_reload_key(struct http *h)
{
	char *key = h->key_file ? read_key_file(h->key_file) : NULL;
	if (!key || !key_is_clean(key)) {
		free(key);
		return;
	}
	(void)pthread_mutex_lock(&h->lock);
	free(h->key);
	h->key = key;
	(void)pthread_mutex_unlock(&h->lock);
}

void http_redact(struct http *h, char *text)
{
	(void)pthread_mutex_lock(&h->lock);
	size_t n = h->key ? strlen(h->key) : 0;
	for (char *at = text; n >= 4 && (at = strstr(at, h->key)) != NULL; at += n)
		memset(at, '*', n);
	/* A text that was cut off within the key. */
	size_t size = strlen(text);
	for (size_t cut = n < size ? n : size; n >= 4 && cut >= 4; cut--)
		if (strncmp(text + size - cut, h->key, cut) == 0) {
			memset(text + size - cut, '*', cut);
			break;
		}
	(void)pthread_mutex_unlock(&h->lock);
}

const char *http_shown_url(const struct http *h)
{
	return h->shown;
}

const char *http_base_path(const struct http *h)
{
	return h->path;
}

/* --- one transfer -------------------------------------------------------------------------------------------------- */

static size_t take_bytes(char *data, size_t size, size_t count, void *context)
{
	struct http_call *call = context;
	buf_add(&call->reply, data, size * count);
	return buf_error(&call->reply) ? 0 : size * count; /* a short count ends the transfer */
}

static int error_of(CURLcode code, const struct http_call *call)
{
	if (buf_error(&call->reply) == -EFBIG)
		return -EMSGSIZE;
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
		return -EPROTO;
	default:
		return -EHOSTUNREACH;
	}
}

/* The body of a redirect is not asked for: neither texts nor key go where the user did not send them. */
static void note_redirect(struct http_call *call)
{
	char *url = NULL;
	if (call->status < 300 || call->status > 399 || curl_easy_getinfo(call->handle, CURLINFO_REDIRECT_URL, &url) != CURLE_OK || !url)
		return;
	char *CLEANUP_FREE shown = shown_url(url);
	(void)snprintf(call->redirect, sizeof(call->redirect), "%s", shown ? shown : "");
}

static void read_result(struct http_call *call, CURLcode code)
{
	curl_off_t retry = 0, took = 0;
	(void)curl_easy_getinfo(call->handle, CURLINFO_RESPONSE_CODE, &call->status);
	(void)curl_easy_getinfo(call->handle, CURLINFO_RETRY_AFTER, &retry);
	(void)curl_easy_getinfo(call->handle, CURLINFO_TOTAL_TIME_T, &took);
	call->retry_after_ms = retry > 0 ? (unsigned)(retry < 86400 ? retry * 1000 : 86400000) : 0;
	call->took_ms = (unsigned)(took / 1000);
	call->error = error_of(code, call);
	if (call->error)
		(void)snprintf(call->error_text, sizeof(call->error_text), "%s",
			       call->error == -EMSGSIZE ? "the reply is too long" : curl_easy_strerror(code));
	note_redirect(call);
}

/* Under the lock. */
static CURLcode prepare(struct http *h, struct http_call *call)
{
	char header[MAX_KEY_BYTES + 64], *CLEANUP_FREE url = NULL;
	if (asprintf(&url, "%s%s", h->base, call->path) < 0)
		return CURLE_OUT_OF_MEMORY;
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Accept: application/json");
	headers = curl_slist_append(headers, "Expect:"); /* no extra round trip before the body */
	if (h->key) {
		(void)snprintf(header, sizeof(header), "Authorization: Bearer %s", h->key);
		headers = curl_slist_append(headers, header);
	}
	call->headers = headers;
	CURL *e = call->handle;
	CURLcode code = CURLE_OK;
#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(e, option, value) : code
	SET(CURLOPT_URL, url);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)LOW_SPEED_BYTES);
	SET(CURLOPT_LOW_SPEED_TIME, (long)LOW_SPEED_SECONDS);
	SET(CURLOPT_ACCEPT_ENCODING, "");
	SET(CURLOPT_WRITEFUNCTION, take_bytes);
	SET(CURLOPT_WRITEDATA, call);
	SET(CURLOPT_PRIVATE, call);
	SET(CURLOPT_USERAGENT, "corpusfs");
	if (h->socket)
		SET(CURLOPT_UNIX_SOCKET_PATH, h->socket);
	if (call->body.data) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDS, call->body.data);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size);
	}
#undef SET
	return code;
}

/* --- the thread ---------------------------------------------------------------------------------------------------- */

/* Under the lock: the call belongs to its owner again. */
static void finish(struct http *h, struct http_call *call)
{
	if (call->handle)
		curl_easy_cleanup(call->handle);
	curl_slist_free_all(call->headers);
	call->handle = call->headers = NULL;
	call->done = true;
	(void)pthread_cond_broadcast(&h->ended);
}

/* Under the lock. */
static void launch(struct http *h, struct http_call *call)
{
	call->handle = curl_easy_init();
	CURLcode code = call->handle ? prepare(h, call) : CURLE_OUT_OF_MEMORY;
	if (code != CURLE_OK || curl_multi_add_handle(h->multi, call->handle) != CURLM_OK) {
		call->error = -ENOMEM;
		(void)snprintf(call->error_text, sizeof(call->error_text), "%s", curl_easy_strerror(code));
		finish(h, call);
		return;
	}
	h->bulk_running += call->lane == HTTP_BULK;
	call->next = h->running;
	h->running = call;
}

static struct http_call *take(struct http *h, enum http_lane lane)
{
	struct http_call *call = h->first[lane];
	if (!call || (lane == HTTP_BULK && h->bulk_running >= h->bulk))
		return NULL;
	h->first[lane] = call->next;
	if (!call->next)
		h->last[lane] = &h->first[lane];
	return call;
}

/* Under the lock. */
static void retire(struct http *h, struct http_call *call)
{
	struct http_call **at = &h->running;
	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	h->bulk_running -= call->lane == HTTP_BULK;
	(void)curl_multi_remove_handle(h->multi, call->handle);
	finish(h, call);
}

static void collect(struct http *h)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(h->multi, &left));) {
		struct http_call *call;
		if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&call) != CURLE_OK)
			continue;
		read_result(call, m->data.result);
		(void)pthread_mutex_lock(&h->lock);
		retire(h, call);
		(void)pthread_mutex_unlock(&h->lock);
	}
}

/* Under the lock. */
static void abandon_all(struct http *h)
{
	while (h->running) {
		h->running->error = -ESHUTDOWN;
		retire(h, h->running);
	}
	for (int lane = HTTP_BULK; lane <= HTTP_INTERACTIVE; lane++)
		while (h->first[lane]) {
			struct http_call *call = h->first[lane];
			h->first[lane] = call->next;
			call->error = -ESHUTDOWN;
			finish(h, call);
		}
}

static void *http_main(void *argument)
{
	struct http *h = argument;
	(void)pthread_mutex_lock(&h->lock);
	while (!h->stopping) {
		for (struct http_call *call; (call = take(h, HTTP_INTERACTIVE)) || (call = take(h, HTTP_BULK));)
			launch(h, call);
		(void)pthread_mutex_unlock(&h->lock);
		int running;
		(void)curl_multi_perform(h->multi, &running);
		collect(h);
		(void)pthread_mutex_lock(&h->lock);
		bool more = h->first[HTTP_INTERACTIVE] || (h->first[HTTP_BULK] && h->bulk_running < h->bulk);
		(void)pthread_mutex_unlock(&h->lock);
		if (!more)
			(void)curl_multi_poll(h->multi, NULL, 0, POLL_MS, NULL);
		(void)pthread_mutex_lock(&h->lock);
	}
	abandon_all(h);
	(void)pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* --- callers ------------------------------------------------------------------------------------------------------- */

void http_start(struct http *h, struct http_call *call)
{
	buf_init(&call->reply, call->reply_limit);
	call->error = 0;
	call->done = false;
	call->status = 0;
	call->retry_after_ms = 0;
	call->redirect[0] = call->error_text[0] = '\0';
	call->next = NULL;
	(void)pthread_mutex_lock(&h->lock);
	if (h->stopping) {
		call->error = -ESHUTDOWN;
		call->done = true;
	} else {
		*h->last[call->lane] = call;
		h->last[call->lane] = &call->next;
	}
	(void)pthread_mutex_unlock(&h->lock);
	(void)curl_multi_wakeup(h->multi);
}

bool http_ended(struct http *h, const struct http_call *call)
{
	(void)pthread_mutex_lock(&h->lock);
	bool done = call->done;
	(void)pthread_mutex_unlock(&h->lock);
	return done;
}

bool http_stopping(struct http *h)
{
	(void)pthread_mutex_lock(&h->lock);
	bool stopping = h->stopping;
	(void)pthread_mutex_unlock(&h->lock);
	return stopping;
}

void http_wait(struct http *h, struct http_call *const *calls, size_t count, unsigned milliseconds)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += milliseconds / 1000;
	until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&h->lock);
	for (int r = 0; r == 0 && !(h->stopping && count == 0);) {
		bool any = false;
		for (size_t i = 0; i < count; i++)
			any = any || calls[i]->done;
		if (any)
			break;
		r = pthread_cond_timedwait(&h->ended, &h->lock, &until);
	}
	(void)pthread_mutex_unlock(&h->lock);
}

void http_call_release(struct http_call *call)
{
	buf_release(&call->reply);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

int http_new(const struct http_options *o, struct http **ret, struct err *err)
{
	(void)pthread_once(&curl_once, start_curl);
	struct http *h = calloc(1, sizeof(*h));
	if (!h)
		return err_fail(err, -ENOMEM, "out of memory");
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_cond_init(&h->ended, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	h->bulk = o->bulk;
	for (int lane = HTTP_BULK; lane <= HTTP_INTERACTIVE; lane++)
		h->last[lane] = &h->first[lane];
	int r = set_url(h, o->url, err);
	if (r == 0)
		r = set_key(h, o, err);
	if (r == 0) {
		h->multi = curl_multi_init();
		h->started = h->multi && pthread_create(&h->thread, NULL, http_main, h) == 0;
		if (!h->started)
			r = err_fail(err, -ENOMEM, "out of memory");
	}
	if (r < 0) {
		http_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void http_stop(struct http *h)
{
	(void)pthread_mutex_lock(&h->lock);
	h->stopping = true;
	(void)pthread_cond_broadcast(&h->ended);
	(void)pthread_mutex_unlock(&h->lock);
	(void)curl_multi_wakeup(h->multi);
	if (h->started)
		(void)pthread_join(h->thread, NULL);
	h->started = false;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->started)
		http_stop(h);
	(void)curl_multi_cleanup(h->multi);
	if (h->key)
		explicit_bzero(h->key, strlen(h->key));
	free(h->key);
	free(h->key_file);
	free(h->base);
	free(h->socket);
	free(h->shown);
	free(h->path);
	(void)pthread_mutex_destroy(&h->lock);
	(void)pthread_cond_destroy(&h->ended);
	free(h);
}
