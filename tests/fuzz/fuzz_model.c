/* The model file: any bytes, with the checksum made right so that the checks behind it are reached. */
#include "embed/embedder.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_SIZE = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *memory = NULL;
	if (size == 0 || size > MAX_SIZE || posix_memalign(&memory, 64, size))
		return 0;
	char *model = memory;
	memcpy(model, data, size);
	if (size > 8) {
		uint64_t checksum = checksum64(model, size - 8);
		memcpy(model + size - 8, &checksum, sizeof checksum);
	}
	struct embedder *e;
	if (embed_static_from((struct span){model, size}, &e, NULL) == 0) {
		uint32_t dims = embed_space(e)->dims;
		float *out = calloc(dims, sizeof *out);
		struct span text = {model, size};
		if (!out || embed_texts(e, EMBED_PASSAGE, &text, 1, out, NULL))
			abort();
		for (uint32_t d = 0; d < dims; d++)
			if (!isfinite(out[d]) || fabsf(out[d]) > 1.001f)
				abort();
		free(out);
		embedder_free(e);
	}
	free(model);
	return 0;
}
