/* The helper process itself, and the messages between it and the calling threads. Private to helper.c and server.c. */
#ifndef CORPUSFS_EXTRACT_SERVER_H
#define CORPUSFS_EXTRACT_SERVER_H

#include "extract/helper.h"

#include <stdint.h>
#include <stdnoreturn.h>

/* Descriptors that come with a request: document, text, reply pipe. */
enum { SERVER_FDS = 3 };

/* Sent once, when the helper is ready. */
struct server_hello {
	char protections[128];
	char versions[HELPER_FORMATS][HELPER_VERSION_SIZE]; /* by format; "" for formats without a program */
};

struct server_request {
	uint32_t format;
	uint32_t page; /* for HELPER_PAGE among the arguments; 0: none */
	uint32_t name_size;
	char name[256];
};

enum server_end {
	SERVER_ENDED,	   /* by itself: `status` as from wait(2) */
	SERVER_STUCK,	   /* killed: no progress */
	SERVER_LATE,	   /* killed: total deadline */
	SERVER_LACKING,	   /* fork failed */
	SERVER_NO_PROGRAM, /* not installed */
};

struct server_reply {
	int32_t end;
	int32_t status;
};

/* Exit statuses of our own children; 0: a result was written. */
enum { SERVER_EXIT_MEMORY = 101, SERVER_EXIT_TOO_LARGE = 102, SERVER_EXIT_LACKING = 103 };

/* Serves requests from `control` until it is closed, then kills what still runs and exits. */
noreturn void server_main(int control, const struct format *const *formats, const struct helper_limits *limits);

#endif
