/* Page markers: see page_marker.h. */
#include "base/page_marker.h"

bool page_marker_parse(struct span line, uint32_t *ret)
{
	static const char before[] = "<!-- page ", after[] = " -->";
	const size_t fixed = sizeof(before) - 1 + sizeof(after) - 1;
	if (line.size < fixed + 1 || line.size > fixed + 9 || !span_starts_with(line, before))
		return false;
	if (memcmp(line.data + line.size - (sizeof(after) - 1), after, sizeof(after) - 1) != 0)
		return false;
	uint32_t number = 0;
	for (size_t i = sizeof(before) - 1; i < line.size - (sizeof(after) - 1); i++) {
		if (line.data[i] < '0' || line.data[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(line.data[i] - '0');
	}
	if (number == 0)
		return false;
	*ret = number;
	return true;
}
