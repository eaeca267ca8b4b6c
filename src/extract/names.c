/* Extensions: see names.h. */
#include "extract/names.h"

#include <stdlib.h>

struct entry {
	const char *word;
	enum name_kind kind;
};

/* Sorted by word (a test holds it), for bsearch. */
static const struct entry extensions[] = {
#include "extract/extensions.inc"
};

static const struct entry whole_names[] = {
	{"brewfile", NAME_CODE},   {"build.bazel", NAME_CODE}, {"cmakelists.txt", NAME_CODE}, {"containerfile", NAME_CODE},
	{"dockerfile", NAME_CODE}, {"gemfile", NAME_CODE},     {"gnumakefile", NAME_CODE},    {"jenkinsfile", NAME_CODE},
	{"justfile", NAME_CODE},   {"kconfig", NAME_CODE},     {"makefile", NAME_CODE},	      {"meson.build", NAME_CODE},
	{"pkgbuild", NAME_CODE},   {"podfile", NAME_CODE},     {"procfile", NAME_CODE},	      {"rakefile", NAME_CODE},
	{"sconstruct", NAME_CODE}, {"vagrantfile", NAME_CODE}, {"workspace", NAME_CODE},
};

static int compare(const void *key, const void *item)
{
	return strcmp(key, ((const struct entry *)item)->word);
}

static enum name_kind look_up(struct span word, const struct entry *entries, size_t count)
{
	char lower[32];
	if (word.size == 0 || word.size >= sizeof(lower))
		return NAME_UNKNOWN;
	for (size_t i = 0; i < word.size; i++) {
		char c = word.data[i];
		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
	}
	lower[word.size] = '\0';
	const struct entry *found = bsearch(lower, entries, count, sizeof(*entries), compare);
	return found ? found->kind : NAME_UNKNOWN;
}

enum name_kind name_kind(struct span name)
{
	for (size_t i = name.size; i > 0; i--)
		if (name.data[i - 1] == '/') {
			name = (struct span){name.data + i, name.size - i};
			break;
		}
	enum name_kind kind = look_up(name, whole_names, sizeof(whole_names) / sizeof(whole_names[0]));
	if (kind != NAME_UNKNOWN)
		return kind;
	size_t dot = name.size;
	while (dot > 0 && name.data[dot - 1] != '.')
		dot--;
	/* ".profile" has no extension: its dot is the first byte. */
	if (dot <= 1)
		return NAME_UNKNOWN;
	/* "x.tar.gz" is an archive, "x.txt.gz" is a text. */
	struct span last = {name.data + dot, name.size - dot};
	if (dot > 5 && memcmp(name.data + dot - 5, ".tar.", 5) == 0)
		return NAME_ARCHIVE;
	return look_up(last, extensions, sizeof(extensions) / sizeof(extensions[0]));
}
