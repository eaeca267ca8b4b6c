/* Errors in words: see err.h. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_fail(struct err *err, int code, const char *format, ...)
{
	if (!err)
		return code;
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, arguments);
	va_end(arguments);
	/* File names may hold anything; one error is one line whatever they hold. */
	for (char *c = err->text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return code;
}
