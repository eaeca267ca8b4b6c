/* What this machine has and lacks, for `corpusfs doctor`. */
#include "corpus_impl.h"

#include "extract/archive.h"
#include "vec/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

typedef void item_fn(void *context, const char *name, bool good, const char *text);

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool good = f && fgets(line, (int)size, f);
	if (f)
		(void)fclose(f);
	if (good)
		line[strcspn(line, "\n")] = '\0';
	return good;
}

static void check_fuse(item_fn *item, void *context)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		(void)close(fd);
		item(context, "/dev/fuse", true, "can be opened");
		return;
	}
	char text[200];
	(void)snprintf(text, sizeof(text), "%s; load the fuse module, or in a container add --device /dev/fuse --cap-add SYS_ADMIN", strerror(errno));
	item(context, "/dev/fuse", false, text);
}

static void check_program(item_fn *item, void *context, const char *name, const char *without)
{
	static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/bin"};
	char path[100];
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folders[i], name);
		if (access(path, X_OK) == 0) {
			item(context, name, true, path);
			return;
		}
	}
	item(context, name, false, without);
}

static void check_watches(item_fn *item, void *context)
{
	char line[64], text[160];
	if (!read_line("/proc/sys/fs/inotify/max_user_watches", line, sizeof(line))) {
		item(context, "inotify", false, "not available: changes are found by looking again every half minute");
		return;
	}
	(void)snprintf(text, sizeof(text), "%.20s folders can be watched (fs.inotify.max_user_watches)", line);
	item(context, "inotify", true, text);
}

struct rules_report {
	item_fn *item;
	void *context;
};

static void report_rule(void *context, const char *pattern, const char *program, bool found)
{
	struct rules_report *r = context;
	char name[80], text[4200];
	(void)snprintf(name, sizeof(name), "extractor %.60s", pattern);
	(void)snprintf(text, sizeof(text), "%.4096s%s", program, found ? "" : ": not found; its files have no text until it is installed");
	r->item(r->context, name, found, text);
}

void corpus_doctor(item_fn *item, void *context)
{
	struct utsname u;
	char text[300];
	if (uname(&u) == 0) {
		(void)snprintf(text, sizeof(text), "%s %s %s", u.sysname, u.release, u.machine);
		item(context, "kernel", true, text);
	}
	check_fuse(item, context);
	if (geteuid() != 0)
		check_program(item, context, "fusermount3", "not found: without it only root can mount; install the package fuse3");
	check_program(item, context, "pdftotext", "not found: PDF files have no text; install the package poppler-utils");
	const char *archives = archive_library();
	item(context, "archives", archives != NULL, archives ? archives : "libarchive not found: what is in ZIP, TAR and 7z files is not read; install the package libarchive13");
	item(context, "sandbox", strstr(extract_sandbox_describe(), "seccomp") != NULL, extract_sandbox_describe());
	struct rules_report rules = {item, context};
	extract_each_rule(report_rule, &rules);
	check_watches(item, context);
	(void)snprintf(text, sizeof(text), "vector kernels: %s", vec_level_name());
	item(context, "processor", true, text);
	struct embedder *e;
	struct err err;
	if (embed_static_new(&e, &err) == 0) {
		(void)snprintf(text, sizeof(text), "%s, %u dimensions", embed_space(e)->name, embed_space(e)->dims);
		item(context, "model", true, text);
		embedder_free(e);
	} else {
		item(context, "model", false, err.text);
	}
}
