/* Values of spreadsheet cells: see cell.h. */
#include "extract/cell.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a number format makes of a number, by the letters outside quotes, brackets and escapes. */
enum cell_format cell_format_of_code(const char *code)
{
	bool date = false, time = false, percent = false, elapsed = false;
	for (const char *c = code; *c; c++) {
		if (*c == '"') {
			for (c++; *c && *c != '"'; c++)
				;
		} else if (*c == '[') {
			elapsed = elapsed || (c[1] && strchr("hHmMsS", c[1]));
			for (c++; *c && *c != ']'; c++)
				;
		} else if (*c == '\\' && c[1]) {
			c++;
		} else if (*c == ';') {
			break; /* what follows is for negative numbers */
		} else {
			date = date || strchr("yYdD", *c);
			time = time || strchr("hHsS", *c);
			percent = percent || *c == '%';
		}
		if (!*c)
			break;
	}
	if (elapsed)
		return CELL_ELAPSED;
	if (date || time)
		return date && time ? CELL_DATE_TIME : date ? CELL_DATE : CELL_TIME;
	return percent ? CELL_PERCENT : CELL_GENERAL;
}

/* Formats that have a number instead of a definition (18.8.30). */
enum cell_format cell_format_built_in(long id)
{
	if (id == 9 || id == 10)
		return CELL_PERCENT;
	if (id >= 14 && id <= 17)
		return CELL_DATE;
	if (id == 46)
		return CELL_ELAPSED;
	if ((id >= 18 && id <= 21) || id == 45 || id == 47)
		return CELL_TIME;
	return id == 22 ? CELL_DATE_TIME : CELL_GENERAL;
}

/* The usual era computation (proleptic Gregorian). */
void cell_print_day(long days, char *out, size_t size)
{
	long z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	long doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	long doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	long day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
	(void)snprintf(out, size, "%04ld-%02ld-%02ld", yoe + era * 400 + (month <= 2), month, day);
}

/* A serial date: days since 1899-12-30 (before March 1900 Excel counts a day that was not) or 1904-01-01; the fraction is the time. */
static void print_serial(bool date1904, double serial, enum cell_format format, char *out, size_t size)
{
	double whole = floor(serial);
	long seconds = lround((serial - whole) * 86400);
	if (seconds == 86400)
		seconds = 0, whole += 1;
	char date[64] = "", time[64] = "";
	cell_print_day((long)whole - (date1904 ? 24107 : 25569) + (!date1904 && whole < 60), date, sizeof(date));
	(void)snprintf(time, sizeof(time), seconds % 60 ? "%02ld:%02ld:%02ld" : "%02ld:%02ld", seconds / 3600, seconds / 60 % 60, seconds % 60);
	if (format == CELL_ELAPSED)
		(void)snprintf(time, sizeof(time), "%ld:%02ld:%02ld", (long)whole * 24 + seconds / 3600, seconds / 60 % 60, seconds % 60);
	bool with_date = format == CELL_DATE || format == CELL_DATE_TIME, with_time = !with_date || (format == CELL_DATE_TIME && seconds > 0);
	(void)snprintf(out, size, "%s%s%s", with_date ? date : "", with_date && with_time ? " " : "", with_time ? time : "");
}

bool cell_print(double number, enum cell_format format, bool date1904, char *out, size_t size)
{
	if (format == CELL_PERCENT)
		(void)snprintf(out, size, "%.10g%%", number * 100);
	else if (format != CELL_GENERAL && number >= 0 && number < 2958466) /* to the end of the year 9999 */
		print_serial(date1904, number, format, out, size);
	else
		return false;
	return true;
}

void *cell_append(int *error, void **array, size_t *count, size_t size, size_t most)
{
	if (*count == most || *error)
		return NULL;
	if ((*count & (*count - 1)) == 0) {
		void *grown = realloc(*array, (*count ? *count * 2 : 1) * size);
		if (!grown) {
			*error = -ENOMEM;
			return NULL;
		}
		*array = grown;
	}
	return memset((char *)*array + size * (*count)++, 0, size);
}
