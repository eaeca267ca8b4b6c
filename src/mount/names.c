/* Names of the derived views: see names.h. */
#include "mount/names.h"

#include <stdio.h>
#include <string.h>

static const char aside[] = ".d";

static bool ends_with(const char *name, size_t size, const char *suffix)
{
	size_t n = strlen(suffix);
	return size > n && memcmp(name + size - n, suffix, n) == 0;
}

size_t names_document(const char *shown, const char *suffix)
{
	size_t size = strlen(shown);
	return ends_with(shown, size, suffix) ? size - strlen(suffix) : 0;
}

size_t names_rival(const char *name, const char *suffix)
{
	size_t size = strlen(name);
	while (ends_with(name, size, aside))
		size -= strlen(aside);
	return ends_with(name, size, suffix) ? size - strlen(suffix) : 0;
}

bool names_pushed_aside(const char *shown)
{
	return ends_with(shown, strlen(shown), aside);
}

uint32_t names_chunk_number(const char *shown)
{
	size_t digits = strspn(shown, "0123456789");
	if (digits < 4 || digits > 9 || strcmp(shown + digits, ".txt") != 0 || (digits > 4 && shown[0] == '0'))
		return 0;
	uint32_t number = 0;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint32_t)(shown[i] - '0');
	return number;
}

void names_chunk(uint32_t number, char out[NAMES_CHUNK_SIZE])
{
	(void)snprintf(out, NAMES_CHUNK_SIZE, "%04u.txt", number);
}

bool names_may_be_hit(const char *shown)
{
	size_t digits = strspn(shown, "0123456789");
	return digits > 0 && shown[digits] == '-';
}
