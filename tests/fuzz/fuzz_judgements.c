/* Files of queries and relevance judgements. */
#include "cli/judgements.c" /* cli/ is not in the library */

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct judged_queries q = {0};
	struct span text = {(const char *)data, size};
	struct err err;
	if (judgements_parse_queries(text, "queries", &q, &err) == 0)
		(void)judgements_parse_qrels(text, "qrels", &q, &err);
	for (size_t i = 0; i < q.count; i++) {
		size_t index;
		(void)judgements_gain(&q.queries[i], "folder/name.txt", &index);
	}
	judgements_release(&q);
	return 0;
}
