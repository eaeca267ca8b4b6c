/* The baseline of keyword search: SQLite FTS5, the same chunks, Porter stemming, bm25(), words of the query joined by OR.
 *
 * Commands: index TEXTS DATABASE | open DATABASE | query FILE */
#include "bench.h"

#include <ctype.h>
#include <sqlite3.h>

static sqlite3 *database;

static void check(int code, int wanted, const char *what)
{
	if (code != wanted)
		fail("%s: %s", what, sqlite3_errmsg(database));
}

static void run_sql(const char *sql)
{
	check(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK, sql);
}

/* More generous than the defaults: nobody who measures would leave them. */
static void open_database(const char *path)
{
	if (database)
		(void)sqlite3_close(database);
	check(sqlite3_open(path, &database), SQLITE_OK, path);
	run_sql("pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -262144; pragma mmap_size = "
	        "4294967296");
}

static void insert_all(const struct texts *t)
{
	sqlite3_stmt *insert;
	run_sql("begin");
	check(sqlite3_prepare_v2(database, "insert into chunk(rowid, text) values (?, ?)", -1, &insert, NULL), SQLITE_OK, "insert");
	for (size_t i = 0; i < t->count; i++) {
		(void)sqlite3_bind_int64(insert, 1, (sqlite3_int64)i + 1);
		(void)sqlite3_bind_text(insert, 2, t->text[i], (int)t->size[i], SQLITE_STATIC);
		check(sqlite3_step(insert), SQLITE_DONE, "insert");
		(void)sqlite3_reset(insert);
	}
	(void)sqlite3_finalize(insert);
	run_sql("commit");
}

static void make_index(int count, char **argument)
{
	if (count != 3)
		fail("index TEXTS DATABASE");
	struct texts t = texts_read(argument[1]);
	(void)remove(argument[2]);
	double start = wall_seconds(), cpu = cpu_seconds();
	open_database(argument[2]);
	run_sql("create virtual table chunk using fts5(text, tokenize = 'porter unicode61')");
	insert_all(&t);
	double took = wall_seconds() - start;
	char more[128];
	(void)snprintf(more, sizeof(more), "\"cpu_s\": %.3f, \"chunks\": %zu, \"bytes\": %zu", cpu_seconds() - cpu, t.count,
	               t.bytes);
	print_ms(&took, 1, more);
	free(t.data);
	free(t.text);
	free(t.size);
}

static void open_command(int count, char **argument)
{
	if (count != 2)
		fail("open DATABASE");
	open_database(argument[1]);
	printf("{}\n");
}

/* "one" OR "two" OR ... */
static void match_expression(const char *query, char *expression, size_t size)
{
	size_t at = 0;
	bool inside = false;
	for (const char *c = query; *c && at + 16 < size; c++) {
		if (isalnum((unsigned char)*c) || (unsigned char)*c >= 128) {
			if (!inside)
				at += (size_t)snprintf(expression + at, size - at, "%s\"", at ? " OR " : "");
			expression[at++] = *c;
			inside = true;
		} else if (inside) {
			expression[at++] = '"';
			inside = false;
		}
	}
	if (inside)
		expression[at++] = '"';
	expression[at] = '\0';
}

static void query_all(int count, char **argument)
{
	if (count != 2)
		fail("query FILE");
	struct lines l = lines_read(argument[1]);
	double *took = allocate(l.count * sizeof(*took));
	sqlite3_stmt *select;
	size_t bytes = 0;
	check(sqlite3_prepare_v2(database, "select rowid, rank, text from chunk where chunk match ? order by rank limit 10", -1,
	                         &select, NULL),
	      SQLITE_OK, "select");
	for (size_t i = 0; i < l.count; i++) {
		char expression[4096];
		double start = wall_seconds();
		match_expression(l.line[i], expression, sizeof(expression));
		(void)sqlite3_bind_text(select, 1, expression, -1, SQLITE_STATIC);
		int code;
		while ((code = sqlite3_step(select)) == SQLITE_ROW)
			bytes += (size_t)sqlite3_column_bytes(select, 2);
		check(code, SQLITE_DONE, expression);
		(void)sqlite3_reset(select);
		took[i] = wall_seconds() - start;
	}
	(void)sqlite3_finalize(select);
	char more[64];
	(void)snprintf(more, sizeof(more), "\"text_bytes\": %zu", bytes);
	print_ms(took, l.count, more);
	free(took);
	lines_free(&l);
}

int main(void)
{
	static const struct command commands[] = {{"index", make_index}, {"open", open_command}, {"query", query_all}};
	return serve(commands, sizeof(commands) / sizeof(*commands));
}
