/* The unit tests' only tool: CHECK prints one TAP line a check; tap_done() prints the plan and gives the exit code. */
#ifndef CORPUSFS_TESTS_TAP_H
#define CORPUSFS_TESTS_TAP_H

#include <stdarg.h>
#include <stdio.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static int tap_check(int good, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	if (!good)
		tap_failed++;
	fflush(stdout);
	return good;
}

/* CHECK(condition): the condition's own text is the name of the check. */
#define CHECK(condition) tap_check(!!(condition), "%s:%d %s", __func__, __LINE__, #condition)
/* CHECK_NAMED(condition, "format", ...) */
#define CHECK_NAMED(condition, ...) tap_check(!!(condition), __VA_ARGS__)

__attribute__((unused)) static void tap_skip(const char *reason)
{
	printf("ok %d # SKIP %s\n", ++tap_count, reason);
}

__attribute__((unused)) static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif
