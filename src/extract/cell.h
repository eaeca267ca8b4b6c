/* How the cells of Excel's two formats (XLSX, XLS) show their numbers: dates and times as ISO 8601, percentages as such. Pure functions. And the lists that
 * both readers keep. */
#ifndef CORPUSFS_EXTRACT_CELL_H
#define CORPUSFS_EXTRACT_CELL_H

#include <stdbool.h>
#include <stddef.h>

enum cell_format { CELL_GENERAL, CELL_DATE, CELL_TIME, CELL_ELAPSED, CELL_DATE_TIME, CELL_PERCENT };

/* From a number format's definition ("yyyy-mm-dd"), or its number when that is one of the built-in ones. */
enum cell_format cell_format_of_code(const char *code);
enum cell_format cell_format_built_in(long id);
/* Writes a finite number as a date, a time or a percentage; false when it is to be shown as a plain number. `date1904`: the workbook counts days
 * from 1904. */
bool cell_print(double number, enum cell_format format, bool date1904, char *out, size_t size);
/* Days since 1970-01-01 as "2024-05-03"; the library's own conversion reads the machine's time zone from a file, which a parser may not. */
void cell_print_day(long days, char *out, size_t size);

/* One more item at the end of a list of at most `most`, all zero; the caller frees *array. NULL when it is full, when *error is set, or when
 * memory ran out, which sets it. */
void *cell_append(int *error, void **array, size_t *count, size_t size, size_t most);

#endif
