/* See asked.h. Fields are filters, as people know them from mail and code search: path:x is a part of the path or a glob over it, title:x
 * words of the title. Case does not count in either. */
#include "asked.h"

#include "token/fold.h"
#include "token/phrase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		if ((unsigned char)s.data[i] > ' ')
			return false;
	return true;
}

static int add_field(struct asked *a, const struct syntax_field *f)
{
	struct asked_field field = {.title = f->title, .without = f->without};
	int r = 0;
	if (f->title) {
		r = phrase_new(f->value.text, &field.phrase);
		r = r == -EINVAL ? 0 : r;
	} else {
		struct buf folded;
		buf_init(&folded, 3 * LIMIT_QUERY_BYTES + LIMIT_QUERY_BYTES);
		r = fold_text(f->value.text, &folded);
		field.path = r == 0 ? buf_take(&folded, NULL) : NULL;
		r = field.path ? 0 : -ENOMEM;
		buf_release(&folded);
	}
	if (r == 0)
		a->fields[a->field_count++] = field;
	return r;
}

int asked_init(struct asked *a, struct span query)
{
	struct syntax whole;
	int r = syntax_parse(query, &whole);
	if (r < 0)
		return r;
	struct asked made = {0};
	buf_init(&made.text, 3 * LIMIT_QUERY_BYTES + ASKED_MENDED * ASKED_WORD_BYTES);
	buf_init(&made.folded, (size_t)4 * (LIMIT_PATH_BYTES + 1));
	for (uint32_t i = 0; r == 0 && i < whole.field_count; i++)
		r = add_field(&made, &whole.fields[i]);
	buf_add_span(&made.text, whole.rest);
	r = r < 0 ? r : buf_error(&made.text);
	if (r == 0)
		r = syntax_parse(buf_span(&made.text), &made.syntax);
	made.bare = r == 0 && is_blank(made.syntax.words);
	syntax_release(&whole);
	if (r < 0)
		asked_release(&made);
	else
		*a = made;
	return r;
}

void asked_release(struct asked *a)
{
	for (uint32_t i = 0; i < a->field_count; i++) {
		free(a->fields[i].path);
		phrase_free(a->fields[i].phrase);
	}
	buf_release(&a->text);
	buf_release(&a->folded);
	syntax_release(&a->syntax);
	*a = (struct asked){0};
}

static bool has_path(const struct asked_field *f, const char *folded)
{
	return strpbrk(f->path, "*?[") ? query_path_matches(f->path, folded) : strstr(folded, f->path) != NULL;
}

bool asked_fits_path(struct asked *a, const char *path)
{
	bool made = false;
	for (uint32_t i = 0; i < a->field_count; i++) {
		const struct asked_field *f = &a->fields[i];
		if (f->title)
			continue;
		if (!made) {
			buf_reset(&a->folded);
			if (fold_text(span_of(path), &a->folded) < 0)
				return false;
			made = true;
		}
		if (has_path(f, buf_span(&a->folded).data) == f->without)
			return false;
	}
	return true;
}

bool asked_fits_title(struct asked *a, struct span title)
{
	for (uint32_t i = 0; i < a->field_count; i++) {
		const struct asked_field *f = &a->fields[i];
		bool found;
		if (f->phrase && (phrase_find(f->phrase, title, &found) < 0 || found == f->without))
			return false;
	}
	return true;
}

void asked_explain(const struct asked *a, struct jsonw *j)
{
	if (!a->mend_count)
		return;
	jsonw_key(j, "corrections");
	jsonw_array(j);
	for (uint32_t i = 0; i < a->mend_count; i++) {
		jsonw_object(j);
		jsonw_key(j, "typed");
		jsonw_string(j, a->mends[i].typed);
		jsonw_key(j, "searched");
		jsonw_string(j, a->mends[i].searched);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}
