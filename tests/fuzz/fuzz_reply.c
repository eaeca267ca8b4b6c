/* Replies of embedding servers: vectors, refusals, stated limits. */
#include "embed/reply.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span body = {(const char *)data, size};
	struct reply r;
	struct err err;
	char message[64], code[16];
	struct reply_limits limits;
	for (size_t count = 1; count <= 3; count++)
		if (reply_parse(body, count, 0, &r, &err) == 0) {
			for (size_t i = 0; i < count * r.dims; i++)
				if (!isfinite(r.rows[i]) || fabsf(r.rows[i]) > 1.001f)
					abort();
			free(r.rows);
		}
	reply_message(body, message, sizeof(message), code, sizeof(code));
	reply_limits(body, &limits);
	return 0;
}
