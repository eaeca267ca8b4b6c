/* corpusfs status: the mount's status.json, or the store's, for people or as it is. */
#include "cli/cmd.h"

#include "base/limits.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/where.h"

#include <errno.h>
#include <string.h>

static enum exit_code print_status(const struct config *config, struct span json)
{
	if (!config->json) {
		report_print(stdout, json);
		return EXIT_FINE;
	}
	(void)fwrite(json.data, 1, json.size, stdout);
	return EXIT_FINE;
}

static enum exit_code status_of_mount(const struct config *config, const char *mountpoint)
{
	char path[PATH_MAX + 32];
	struct buf text;
	enum exit_code code = EXIT_ERROR;
	(void)snprintf(path, sizeof(path), "%s/status/status.json", mountpoint);
	buf_init(&text, LIMIT_JSON_BYTES);
	int r = out_read_file(path, &text);
	if (r < 0)
		where_explain(path, -r);
	else
		code = print_status(config, buf_span(&text));
	buf_release(&text);
	return code;
}

static enum exit_code status_of_source(const struct config *config, const char *source)
{
	struct corpus *corpus = NULL;
	struct corpus_blob *blob = NULL;
	bool owned = false;
	if (open_source(config, source, OPEN_READ, &corpus, &owned) < 0)
		return EXIT_ERROR;
	enum exit_code code = EXIT_ERROR;
	int r = corpus_report(corpus, CORPUS_STATUS_JSON, NULL, &blob);
	if (r < 0)
		out_error("%s: %s", source, strerror(-r));
	else
		code = print_status(config, (struct span){corpus_blob_data(blob), corpus_blob_size(blob)});
	corpus_blob_unref(blob);
	corpus_close(corpus);
	return code;
}

enum exit_code cmd_status(const struct config *config)
{
	struct where where;
	if (where_find(config->arguments[0], config, &where) < 0)
		return EXIT_ERROR;
	return *where.mountpoint ? status_of_mount(config, where.mountpoint) : status_of_source(config, where.source);
}
