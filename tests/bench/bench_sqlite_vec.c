/* The baseline of nearest neighbours: sqlite-vec's int8 table, in memory, which is its best case.
 *
 * Commands: load EXTENSION | fill FOLDER | scan. FOLDER holds what bench_vec exported. */
#include "bench.h"

#include <sqlite3.h>

enum { DIMS = 256 };

static sqlite3 *database;
static char *queries;
static size_t query_count, asked;

static void check(int code, int wanted, const char *what)
{
	if (code != wanted)
		fail("%s: %s", what, sqlite3_errmsg(database));
}

static void load(int count, char **argument)
{
	char *error = NULL;
	if (count != 2)
		fail("load EXTENSION");
	check(sqlite3_open(":memory:", &database), SQLITE_OK, "open");
	check(sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL), SQLITE_OK, "extensions");
	if (sqlite3_load_extension(database, argument[1], NULL, &error) != SQLITE_OK)
		fail("%s: %s", argument[1], error);
	printf("{}\n");
}

static char *read_rows(const char *folder, const char *name, size_t *ret_count)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	char *rows = read_file(path, ret_count);
	*ret_count /= DIMS;
	return rows;
}

static void fill(int count, char **argument)
{
	if (count != 2)
		fail("fill FOLDER");
	size_t row_count;
	char *rows = read_rows(argument[1], "rows.i8", &row_count);
	sqlite3_stmt *insert;
	check(sqlite3_exec(database, "create virtual table v using vec0(e int8[256] distance_metric=cosine); begin", NULL, NULL,
	                   NULL),
	      SQLITE_OK, "create");
	check(sqlite3_prepare_v2(database, "insert into v(e) values (vec_int8(?))", -1, &insert, NULL), SQLITE_OK, "insert");
	for (size_t i = 0; i < row_count; i++) {
		(void)sqlite3_bind_blob(insert, 1, rows + i * DIMS, DIMS, SQLITE_STATIC);
		check(sqlite3_step(insert), SQLITE_DONE, "insert");
		(void)sqlite3_reset(insert);
	}
	(void)sqlite3_finalize(insert);
	check(sqlite3_exec(database, "commit", NULL, NULL, NULL), SQLITE_OK, "commit");
	free(rows);
	queries = read_rows(argument[1], "queries.i8", &query_count);
	printf("{\"rows\": %zu}\n", row_count);
}

static void scan(int count, char **argument)
{
	(void)count, (void)argument;
	sqlite3_stmt *select;
	char more[64];
	sqlite3_int64 best = 0;
	double start = wall_seconds();
	check(sqlite3_prepare_v2(database, "select rowid from v where e match vec_int8(?) and k = 10 order by distance", -1,
	                         &select, NULL),
	      SQLITE_OK, "select");
	(void)sqlite3_bind_blob(select, 1, queries + asked++ % query_count * DIMS, DIMS, SQLITE_STATIC);
	int code;
	while ((code = sqlite3_step(select)) == SQLITE_ROW)
		best = best ? best : sqlite3_column_int64(select, 0);
	check(code, SQLITE_DONE, "select");
	(void)sqlite3_finalize(select);
	double took = wall_seconds() - start;
	(void)snprintf(more, sizeof(more), "\"best\": %lld", (long long)best - 1);
	print_ms(&took, 1, more);
}

int main(void)
{
	static const struct command commands[] = {{"load", load}, {"fill", fill}, {"scan", scan}};
	return serve(commands, sizeof(commands) / sizeof(*commands));
}
