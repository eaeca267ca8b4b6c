#include "cli/output.h"

#include "base/cleanup.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

/* Length of the character at text[at]; *ret_code_point is U+FFFD for a byte that is no UTF-8, '?' for a control character. */
static size_t next_character(struct span text, size_t at, uint32_t *ret_code_point)
{
	size_t size = utf8_decode(text, at, ret_code_point);
	if (size == 0) {
		*ret_code_point = 0xfffd;
		return 1;
	}
	if ((*ret_code_point < 0x20 && *ret_code_point != '\t') || (*ret_code_point >= 0x7f && *ret_code_point < 0xa0))
		*ret_code_point = '?';
	return size;
}

void out_clean(FILE *out, const char *text, size_t size)
{
	struct span s = {text, size};
	for (size_t at = 0; at < size;) {
		uint32_t code_point = 0;
		size_t length = next_character(s, at, &code_point);
		if (code_point == '?')
			(void)fputc('?', out);
		else
			(void)fwrite(text + at, 1, length, out);
		at += length;
	}
}

void out_error(const char *format, ...)
{
	char line[2048];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	(void)fputs("corpusfs: ", stderr);
	out_clean(stderr, line, strlen(line));
	(void)fputc('\n', stderr);
}

static unsigned character_columns(uint32_t code_point)
{
	int width = utf8proc_charwidth((utf8proc_int32_t)code_point);
	return code_point == '\t' ? 8 : width < 0 ? 0 : (unsigned)width;
}

size_t out_fit(const char *text, size_t size, unsigned columns)
{
	struct span s = {text, size};
	size_t at = 0;
	while (at < size) {
		uint32_t code_point = 0;
		size_t length = next_character(s, at, &code_point);
		unsigned width = character_columns(code_point);
		if (width > columns)
			break;
		columns -= width;
		at += length;
	}
	return at;
}

unsigned out_columns(const char *text, size_t size)
{
	struct span s = {text, size};
	unsigned columns = 0;
	for (size_t at = 0; at < size;) {
		uint32_t code_point = 0;
		at += next_character(s, at, &code_point);
		columns += character_columns(code_point);
	}
	return columns;
}

const char *out_size(double bytes, char text[OUT_SIZE_TEXT])
{
	static const char units[][3] = {"B", "kB", "MB", "GB", "TB", "PB"};
	size_t unit = 0;
	while (bytes >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1000;
		unit++;
	}
	(void)snprintf(text, OUT_SIZE_TEXT, unit && bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return text;
}

const char *out_count(uint64_t count, const char *one, const char *many, char text[OUT_COUNT_TEXT])
{
	(void)snprintf(text, OUT_COUNT_TEXT, "%llu %s", (unsigned long long)count, count == 1 ? one : many);
	return text;
}

enum exit_code out_finish(enum exit_code code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	out_error("standard output: %s", strerror(errno));
	return EXIT_ERROR;
}

int out_read_fd(int fd, struct buf *b)
{
	char block[16 << 10];
	ssize_t n;
	while ((n = read(fd, block, sizeof(block))) > 0)
		buf_add(b, block, (size_t)n);
	return n < 0 ? -errno : buf_error(b);
}

int out_read_file(const char *path, struct buf *b)
{
	int CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : out_read_fd(fd, b);
}
