/* Runs a fuzz target over files: `fuzz_x FILE...`. Stands in for libFuzzer where the corpus is only replayed. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		if (!f || fseek(f, 0, SEEK_END) != 0) {
			perror(argv[i]);
			return 2;
		}
		long size = ftell(f);
		rewind(f);
		uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
		if (size < 0 || !data || fread(data, 1, (size_t)size, f) != (size_t)size) {
			perror(argv[i]);
			return 2;
		}
		(void)fclose(f);
		(void)LLVMFuzzerTestOneInput(data, (size_t)size);
		free(data);
	}
	return 0;
}
