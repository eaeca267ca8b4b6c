/* LaTeX -> Markdown: what the usual commands and environments mean; macros are not expanded. Formulas stay as they are written, for that is how
 * people read and search them. Own code: no library reads LaTeX, and pandoc, a program, takes seconds where this takes milliseconds. */
#include "extract/format.h"
#include "extract/table.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ARGUMENT: bytes within which a group has to end, so that unclosed ones cost little. */
enum { ENVIRONMENTS = 64, GROUPS = 12, ARGUMENT = 1 << 14, FORMULA = 1 << 16, NAME_SIZE = 32, NOTES = 64, TITLE = 2000 };

enum environment { OTHER, BULLETS, NUMBERS, TERMS, QUOTE, TABLE };

struct latex {
	struct markdown md;
	struct markdown *out; /* md, a cell of the table, or the title */
	struct extract_result *about;
	struct {
		enum environment kind;
		long number;
		bool item;
	} open[ENVIRONMENTS];
	unsigned depth; /* may exceed ENVIRONMENTS */
	struct table *table;
	bool in_title;
	unsigned table_depth, group; /* group: arguments being written inside one another */
	struct span notes[NOTES];
	size_t note_count;
	unsigned note_number;
	struct span title, author;
	int error;
};

struct input {
	struct span s;
	size_t at;
};

static void write_all(struct latex *l, struct span s);

/* --- arguments ----------------------------------------------------------------------------------------------------- */

static bool is(struct span s, const char *word)
{
	return s.size == strlen(word) && memcmp(s.data, word, s.size) == 0;
}

/* Whether a word is one of those between blanks. */
static bool is_one_of(struct span s, const char *words)
{
	char word[NAME_SIZE + 3];
	if (s.size == 0 || s.size > NAME_SIZE)
		return false;
	(void)snprintf(word, sizeof(word), " %.*s ", (int)s.size, s.data);
	return strstr(words, word) != NULL;
}

static char peek(const struct input *in)
{
	return in->at < in->s.size ? in->s.data[in->at] : '\0';
}

static void skip_blank(struct input *in)
{
	unsigned newlines = 0;
	for (size_t at = in->at; at < in->s.size && (in->s.data[at] == ' ' || in->s.data[at] == '\t' || in->s.data[at] == '\n'); at++) {
		newlines += in->s.data[at] == '\n';
		if (newlines > 1)
			return; /* the end of a paragraph is nobody's argument */
		in->at = at + 1;
	}
}

/* What stands between two marks that nest; false when there is no such group. */
static bool take_group(struct input *in, char open, char shut, struct span *ret)
{
	size_t before = in->at;
	skip_blank(in);
	if (peek(in) != open) {
		in->at = before;
		return false;
	}
	size_t end = in->at + ARGUMENT < in->s.size ? in->at + ARGUMENT : in->s.size, level = 0;
	for (size_t i = in->at; i < end; i++) {
		char c = in->s.data[i];
		if (c == '\\') {
			i++;
		} else if (c == open) {
			level++;
		} else if (c == shut && --level == 0) {
			*ret = (struct span){in->s.data + in->at + 1, i - in->at - 1};
			in->at = i + 1;
			return true;
		}
	}
	in->at = before;
	return false;
}

static struct span argument(struct input *in)
{
	struct span s = {"", 0};
	(void)take_group(in, '{', '}', &s);
	return s;
}

static void skip_options(struct input *in)
{
	struct span s;
	if (peek(in) == '*')
		in->at++;
	while (peek(in) == '[' && take_group(in, '[', ']', &s))
		;
}

static void skip_arguments(struct input *in)
{
	struct span s;
	if (peek(in) == '*')
		in->at++;
	while (take_group(in, '{', '}', &s) || take_group(in, '[', ']', &s))
		;
}

/* "\end{NAME}" from here on; what is before it, and the input after it. */
static struct span until_end(struct input *in, struct span name)
{
	char mark[NAME_SIZE + 8];
	(void)snprintf(mark, sizeof(mark), "\\end{%.*s}", (int)(name.size < NAME_SIZE ? name.size : NAME_SIZE), name.data);
	struct span rest = {in->s.data + in->at, in->s.size - in->at < FORMULA ? in->s.size - in->at : FORMULA};
	const char *end = memmem(rest.data, rest.size, mark, strlen(mark));
	size_t size = end ? (size_t)(end - rest.data) : rest.size;
	/* One that is cut off ends between two characters. */
	while (!end && size > 0 && in->at + size < in->s.size && ((unsigned char)rest.data[size] & 0xc0) == 0x80)
		size--;
	in->at += size + (end ? strlen(mark) : 0);
	return (struct span){rest.data, size};
}

/* --- paragraphs ---------------------------------------------------------------------------------------------------- */

/* NOLINTNEXTLINE(misc-no-recursion): GROUPS bounds it */
static void end_paragraph(struct latex *l)
{
	if (l->table) {
		markdown_break(l->out, 1);
		return;
	}
	markdown_break(l->out, 2);
	if (l->group > 0)
		return;
	for (size_t i = 0; i < l->note_count; i++) {
		char mark[24];
		(void)snprintf(mark, sizeof(mark), "[^%u]: ", l->note_number - (unsigned)(l->note_count - i) + 1);
		markdown_mark(l->out, mark);
		write_all(l, l->notes[i]);
		markdown_break(l->out, 2);
	}
	l->note_count = 0;
}

static void write_heading(struct latex *l, unsigned level, struct span text)
{
	end_paragraph(l);
	markdown_heading(l->out, level);
	write_all(l, text);
	end_paragraph(l);
}

static void write_code(struct latex *l, struct span code)
{
	while (code.size > 0 && code.data[0] == '\n')
		code.data++, code.size--;
	while (code.size > 0 && (unsigned char)code.data[code.size - 1] <= ' ')
		code.size--;
	end_paragraph(l);
	markdown_code_begin(l->out, (struct span){"", 0});
	markdown_text(l->out, code);
	markdown_code_end(l->out);
}

/* A formula on a line of its own, as it stands. */
static void write_formula(struct latex *l, const char *before, struct span formula, const char *after)
{
	end_paragraph(l);
	markdown_mark(l->out, before);
	markdown_text(l->out, formula);
	markdown_mark(l->out, after);
	end_paragraph(l);
}

static void add_note(struct latex *l, struct span note)
{
	char mark[24];
	if (l->note_count == NOTES || l->group > 0) {
		markdown_text(l->out, span_of(" ("));
		write_all(l, note);
		markdown_text(l->out, span_of(")"));
		return;
	}
	l->notes[l->note_count++] = note;
	(void)snprintf(mark, sizeof(mark), "[^%u]", ++l->note_number);
	markdown_text(l->out, span_of(mark));
}

/* --- environments -------------------------------------------------------------------------------------------------- */

static void end_table(struct latex *l)
{
	table_cell_end(l->table, 1, 1);
	table_row_end(l->table);
	table_end(l->table);
	free(l->table);
	l->table = NULL;
	l->out = &l->md;
	end_paragraph(l);
}

static void begin_table(struct latex *l)
{
	end_paragraph(l);
	l->table = malloc(sizeof(*l->table));
	if (!l->table) {
		l->error = -ENOMEM;
		return;
	}
	table_begin(l->table, l->out, 0);
	l->out = table_cell_begin(l->table);
	l->table_depth = l->depth;
}

static void next_cell(struct latex *l, unsigned across, bool row)
{
	table_cell_end(l->table, across, 1);
	if (row)
		table_row_end(l->table);
	l->out = table_cell_begin(l->table);
}

static void begin_environment(struct latex *l, struct input *in)
{
	static const char code[] = " verbatim Verbatim lstlisting minted alltt verbatim* BVerbatim ";
	static const char formulas[] = " equation equation* align align* gather gather* multline multline* eqnarray eqnarray* displaymath math "
					"flalign flalign* ";
	struct span name = argument(in);
	if (is_one_of(name, code)) {
		skip_options(in);
		if (is(name, "minted"))
			(void)argument(in);
		write_code(l, until_end(in, name));
		return;
	}
	if (is_one_of(name, formulas)) {
		char before[NAME_SIZE + 12], after[NAME_SIZE + 12];
		(void)snprintf(before, sizeof(before), "\\begin{%.*s}", (int)name.size, name.data);
		(void)snprintf(after, sizeof(after), "\\end{%.*s}", (int)name.size, name.data);
		write_formula(l, before, until_end(in, name), after);
		return;
	}
	if (is_one_of(name, " comment tikzpicture picture filecontents filecontents* ")) {
		(void)until_end(in, name);
		return;
	}
	enum environment kind = is_one_of(name, " itemize thebibliography ")			  ? BULLETS
				: is_one_of(name, " enumerate ")				  ? NUMBERS
				: is_one_of(name, " description ")				  ? TERMS
				: is_one_of(name, " quote quotation verse ")			  ? QUOTE
				: is_one_of(name, " tabular tabular* tabularx longtable array ") ? TABLE
												  : OTHER;
	end_paragraph(l);
	skip_options(in);
	if (is_one_of(name, " tabular longtable array minipage thebibliography multicols wrapfigure tabular* tabularx "))
		(void)argument(in);
	if (is_one_of(name, " tabular* tabularx wrapfigure "))
		(void)argument(in);
	l->depth++;
	if (l->depth > ENVIRONMENTS)
		return;
	l->open[l->depth - 1].kind = kind;
	l->open[l->depth - 1].number = 1;
	l->open[l->depth - 1].item = false;
	if (kind == QUOTE)
		markdown_push_quote(l->out);
	else if (kind == TABLE && !l->table && l->group == 0) /* in an argument, whose end may not be the table's, it is text */
		begin_table(l);
}

static void end_environment(struct latex *l, struct input *in)
{
	(void)argument(in);
	if (l->depth == 0)
		return;
	if (l->table && l->depth == l->table_depth)
		end_table(l);
	end_paragraph(l);
	if (l->depth == 0) /* the paragraph's notes have ended it */
		return;
	if (l->depth <= ENVIRONMENTS) {
		if (l->open[l->depth - 1].item || l->open[l->depth - 1].kind == QUOTE)
			markdown_pop(l->out);
		markdown_break(l->out, l->depth > 1 && l->open[l->depth - 2].item ? 1 : 2);
	}
	l->depth--;
}

static void write_item(struct latex *l, struct input *in, bool bibliography)
{
	struct span label = {"", 0};
	bool labelled = take_group(in, '[', ']', &label);
	if (bibliography)
		(void)argument(in);
	if (l->depth == 0 || l->depth > ENVIRONMENTS || l->table) {
		end_paragraph(l);
		return;
	}
	char marker[24] = "- ";
	if (l->open[l->depth - 1].item) {
		markdown_break(l->out, 1);
		markdown_pop(l->out);
	}
	if (l->open[l->depth - 1].kind == NUMBERS && !labelled)
		(void)snprintf(marker, sizeof(marker), "%ld. ", l->open[l->depth - 1].number++);
	markdown_push_item(l->out, marker);
	l->open[l->depth - 1].item = true;
	if (labelled && !bibliography) {
		/* The label may itself end the list. */
		bool term = l->open[l->depth - 1].kind == TERMS;
		write_all(l, label);
		markdown_text(l->out, span_of(term ? ": " : " "));
	}
}

/* --- commands ------------------------------------------------------------------------------------------------------ */

/* An accent is written before its letter; a combining mark after it is what cleaning joins to one character. */
static bool write_accent(struct latex *l, struct input *in, struct span name)
{
	static const struct {
		const char *name;
		uint32_t mark;
	} accents[] = {{"'", 0x301}, {"`", 0x300}, {"^", 0x302}, {"\"", 0x308}, {"~", 0x303}, {"=", 0x304}, {".", 0x307},
		       {"c", 0x327}, {"v", 0x30c}, {"H", 0x30b}, {"u", 0x306},  {"r", 0x30a}, {"k", 0x328}, {"d", 0x323}};
	for (size_t i = 0; i < sizeof(accents) / sizeof(accents[0]); i++) {
		if (!is(name, accents[i].name))
			continue;
		struct span letter;
		char bytes[4];
		skip_blank(in);
		if (!take_group(in, '{', '}', &letter)) {
			uint32_t c;
			size_t n = utf8_decode(in->s, in->at, &c);
			letter = (struct span){in->s.data + in->at, n};
			in->at += n;
			/* The letters without a dot, which only serve to carry another mark. */
			if (n == 1 && letter.data[0] == '\\' && (peek(in) == 'i' || peek(in) == 'j'))
				letter = (struct span){in->s.data + in->at++, 1};
		}
		if (letter.size == 2 && letter.data[0] == '\\')
			letter.data++, letter.size--;
		markdown_text(l->out, letter);
		markdown_text(l->out, (struct span){bytes, utf8_encode(accents[i].mark, bytes)});
		return true;
	}
	return false;
}

static const char *character_of(struct span name)
{
	static const struct {
		const char *name, *text;
	} characters[] = {{"ss", "ß"},	   {"ae", "æ"},		{"AE", "Æ"},	   {"oe", "œ"},		  {"OE", "Œ"},	       {"o", "ø"},
			  {"O", "Ø"},	   {"aa", "å"},		{"AA", "Å"},	   {"l", "ł"},		  {"L", "Ł"},	       {"i", "ı"},
			  {"S", "§"},	   {"P", "¶"},		{"dots", "…"},	   {"ldots", "…"},	  {"textendash", "–"}, {"textemdash", "—"},
			  {"LaTeX", "LaTeX"}, {"TeX", "TeX"},	{"copyright", "©"}, {"pounds", "£"},	  {"euro", "€"},       {"textbackslash", "\\"},
			  {"%", "%"},	   {"&", "&"},		{"$", "$"},	   {"#", "#"},		  {"_", "_"},	       {"{", "{"},
			  {"}", "}"},	   {",", " "},		{";", " "},	   {":", " "},		  {" ", " "},	       {"\n", " "},
			  {"quad", " "},   {"qquad", " "},	{"textasciitilde", "~"}, {"today", ""}};
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++)
		if (is(name, characters[i].name))
			return characters[i].text;
	return NULL;
}

static void write_link(struct latex *l, struct input *in)
{
	char target[512];
	struct span address = argument(in), text = argument(in);
	(void)snprintf(target, sizeof(target), "%.*s", (int)(address.size < sizeof(target) ? address.size : sizeof(target) - 1), address.data);
	markdown_link_begin(l->out);
	write_all(l, text);
	markdown_link_end(l->out, target);
}

static void write_cells(struct latex *l, struct input *in)
{
	struct span count = argument(in);
	(void)argument(in);
	struct span text = argument(in);
	unsigned across = count.size > 0 && count.data[0] >= '1' && count.data[0] <= '9' ? (unsigned)(count.data[0] - '0') : 1;
	write_all(l, text);
	skip_blank(in);
	if (l->table && l->group == 0 && peek(in) == '&') {
		in->at++;
		next_cell(l, across, false);
	}
}

static void write_title(struct latex *l)
{
	/* A title that has \maketitle in it twice would double at each level. */
	if (l->in_title)
		return;
	l->in_title = true;
	if (l->title.size > 0)
		write_heading(l, 1, l->title);
	write_all(l, l->author);
	end_paragraph(l);
	l->in_title = false;
}

static void take_command(struct latex *l, struct input *in, struct span name)
{
	static const char *const headings[] = {" part chapter ", " section ", " subsection ", " subsubsection ", " paragraph ", " subparagraph "};
	static const char ignored[] = " label usepackage documentclass bibliographystyle bibliography newcommand renewcommand providecommand def "
				      "setlength addtolength vspace hspace pagestyle thispagestyle setcounter addtocounter definecolor hypersetup "
				      "newtheorem graphicspath includegraphics input include newenvironment renewenvironment "
				      "DeclareMathOperator color pagenumbering hyphenation "
				      "cline cmidrule index rule RequirePackage newlength geometry lstset addcontentsline ";
	const char *character = character_of(name);
	for (unsigned i = 0; i < sizeof(headings) / sizeof(headings[0]); i++)
		if (is_one_of(name, headings[i])) {
			skip_options(in);
			write_heading(l, i + 1, argument(in));
			return;
		}
	if (is(name, "begin")) {
		begin_environment(l, in);
	} else if (is(name, "end")) {
		end_environment(l, in);
	} else if (is(name, "item") || is(name, "bibitem")) {
		write_item(l, in, is(name, "bibitem"));
	} else if (is(name, "\\") || is_one_of(name, " tabularnewline newline ")) {
		skip_options(in);
		if (l->table && l->group == 0)
			next_cell(l, 1, true);
		else
			markdown_line_break(l->out);
	} else if (is(name, "par")) {
		end_paragraph(l);
	} else if (is(name, "title")) {
		skip_options(in);
		l->title = argument(in);
	} else if (is(name, "author")) {
		l->author = argument(in);
	} else if (is(name, "maketitle")) {
		write_title(l);
	} else if (is_one_of(name, " footnote footnotetext endnote ")) {
		skip_options(in);
		add_note(l, argument(in));
	} else if (is(name, "href")) {
		write_link(l, in);
	} else if (is(name, "url")) {
		markdown_text(l->out, argument(in));
	} else if (is(name, "multicolumn")) {
		write_cells(l, in);
	} else if (is_one_of(name, " cite citep citet ref eqref pageref autoref cref parencite textcite ")) {
		skip_options(in);
		markdown_text(l->out, span_of("["));
		markdown_text(l->out, argument(in));
		markdown_text(l->out, span_of("]"));
	} else if (is(name, "and")) {
		markdown_text(l->out, span_of(" and "));
	} else if (is_one_of(name, " caption thanks ")) {
		/* Text of its own. */
		skip_options(in);
		struct span text = argument(in);
		end_paragraph(l);
		write_all(l, text);
		end_paragraph(l);
	} else if (is_one_of(name, ignored)) {
		skip_arguments(in);
	} else if (character) {
		markdown_text(l->out, span_of(character));
	} else if (!write_accent(l, in, name)) {
		/* Another command: its name goes, its arguments are text. */
		skip_options(in);
	}
}

static void write_verb(struct latex *l, struct input *in)
{
	char mark = peek(in);
	const char *end = in->at + 1 < in->s.size ? memchr(in->s.data + in->at + 1, mark, in->s.size - in->at - 1) : NULL;
	if (!end || mark == '\n' || (unsigned char)mark >= 0x80)
		return;
	size_t to = (size_t)(end - in->s.data);
	markdown_text(l->out, (struct span){in->s.data + in->at + 1, to - in->at - 1});
	in->at = to + 1;
}

/* After the backslash. */
static void write_command(struct latex *l, struct input *in)
{
	size_t start = in->at;
	while ((peek(in) >= 'a' && peek(in) <= 'z') || (peek(in) >= 'A' && peek(in) <= 'Z') || peek(in) == '@')
		in->at++;
	bool word = in->at > start;
	uint32_t c;
	if (!word && in->at < in->s.size)
		in->at += utf8_decode(in->s, in->at, &c) > 1 ? utf8_decode(in->s, in->at, &c) : 1;
	struct span name = {in->s.data + start, in->at - start};
	if (is(name, "(") || is(name, "[")) {
		const char *mark = name.data[0] == '(' ? "\\)" : "\\]";
		struct span rest = {in->s.data + in->at, in->s.size - in->at < FORMULA ? in->s.size - in->at : FORMULA};
		const char *end = memmem(rest.data, rest.size, mark, 2);
		struct span formula = {rest.data, end ? (size_t)(end - rest.data) : 0};
		if (!end)
			return;
		in->at += formula.size + 2;
		if (name.data[0] == '[') {
			write_formula(l, "\\[", formula, "\\]");
			return;
		}
		markdown_text(l->out, span_of("$"));
		markdown_text(l->out, formula);
		markdown_text(l->out, span_of("$"));
		return;
	}
	if (is(name, "verb")) {
		write_verb(l, in);
		return;
	}
	/* The blank after a command's name only ends it. */
	if (word && (peek(in) == ' ' || peek(in) == '\n') && !(peek(in) == '\n' && in->at + 1 < in->s.size && in->s.data[in->at + 1] == '\n'))
		in->at++;
	take_command(l, in, name);
}

/* --- text ---------------------------------------------------------------------------------------------------------- */

/* "$...$" and "$$...$$" as they stand. */
static void write_dollars(struct latex *l, struct input *in)
{
	size_t marks = in->at + 1 < in->s.size && in->s.data[in->at + 1] == '$' ? 2 : 1, from = in->at + marks;
	size_t end = in->at + FORMULA < in->s.size ? in->at + FORMULA : in->s.size;
	for (size_t i = from; i < end; i++) {
		if (in->s.data[i] == '\\') {
			i++;
		} else if (in->s.data[i] == '$') {
			struct span formula = {in->s.data + from, i - from};
			in->at = i + marks < in->s.size ? i + marks : in->s.size;
			if (marks == 2) {
				write_formula(l, "$$", formula, "$$");
				return;
			}
			markdown_text(l->out, span_of("$"));
			markdown_text(l->out, formula);
			markdown_text(l->out, span_of("$"));
			return;
		}
	}
	in->at += marks;
}

/* To the end of the line, with the line break and the blanks that begin the next. */
static void skip_comment(struct input *in)
{
	const char *newline = memchr(in->s.data + in->at, '\n', in->s.size - in->at);
	in->at = newline ? (size_t)(newline - in->s.data) + 1 : in->s.size;
	while (peek(in) == ' ' || peek(in) == '\t')
		in->at++;
}

/* Quotes and dashes are runs of ASCII marks. Returns how many bytes were one, 0 for none. */
static size_t write_mark(struct latex *l, const struct input *in)
{
	static const struct {
		const char *from, *to;
	} marks[] = {{"---", "—"}, {"--", "–"}, {"``", "“"}, {"''", "”"}, {"~", " "}, {"`", "‘"}, {"'", "’"}};
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		size_t n = strlen(marks[i].from);
		if (in->s.size - in->at >= n && memcmp(in->s.data + in->at, marks[i].from, n) == 0) {
			markdown_text(l->out, span_of(marks[i].to));
			return n;
		}
	}
	return 0;
}

static void write_newline(struct latex *l, struct input *in)
{
	size_t at = in->at + 1;
	while (at < in->s.size && (in->s.data[at] == ' ' || in->s.data[at] == '\t' || in->s.data[at] == '\r'))
		at++;
	if (at < in->s.size && in->s.data[at] == '\n') {
		end_paragraph(l);
		in->at = at;
		while (peek(in) == '\n' || peek(in) == ' ' || peek(in) == '\t' || peek(in) == '\r')
			in->at++;
		return;
	}
	markdown_text(l->out, span_of(" "));
	in->at = at;
}

static void write_next(struct latex *l, struct input *in)
{
	static const char special[] = "\\%$&{}~-`'\n\r";
	size_t start = in->at, n;
	while (in->at < in->s.size && (in->s.data[in->at] == '\0' || !strchr(special, in->s.data[in->at])))
		in->at++;
	if (in->at > start)
		markdown_text(l->out, (struct span){in->s.data + start, in->at - start});
	if (in->at >= in->s.size)
		return;
	switch (in->s.data[in->at]) {
	case '\\':
		in->at++;
		write_command(l, in);
		return;
	case '%':
		skip_comment(in);
		return;
	case '$':
		write_dollars(l, in);
		return;
	case '&':
		in->at++;
		if (l->table && l->group == 0)
			next_cell(l, 1, false);
		return;
	case '\n':
		write_newline(l, in);
		return;
	case '{':
	case '}':
	case '\r':
		in->at++;
		return;
	default:
		n = write_mark(l, in);
		if (n == 0)
			markdown_text(l->out, (struct span){in->s.data + in->at, 1});
		in->at += n ? n : 1;
		return;
	}
}

/* An argument's text. NOLINTNEXTLINE(misc-no-recursion): GROUPS bounds it */
static void write_all(struct latex *l, struct span s)
{
	struct input in = {.s = s};
	if (l->group >= GROUPS || l->error)
		return;
	l->group++;
	while (in.at < s.size && !buf_error(l->md.out))
		write_next(l, &in);
	l->group--;
}

static void take_title(struct latex *l)
{
	struct buf text;
	struct markdown md, *before = l->out;
	struct span title = {l->title.data, l->title.size < TITLE ? l->title.size : TITLE};
	buf_init(&text, 1 << 16);
	markdown_init(&md, &text, false);
	l->out = &md;
	l->in_title = true;
	write_all(l, title);
	l->in_title = false;
	l->out = before;
	format_set_title(l->about, buf_span(&text));
	buf_release(&text);
}

/* What stands before the document is for the program, but for the title. */
static size_t read_preamble(struct latex *l, struct span s)
{
	static const char begin[] = "\\begin{document}";
	const char *found = memmem(s.data, s.size, begin, sizeof(begin) - 1);
	size_t end = found ? (size_t)(found - s.data) : 0;
	static const char *const names[] = {"\\title", "\\author"};
	for (size_t i = 0; i < 2; i++) {
		const char *at = memmem(s.data, end, names[i], strlen(names[i]));
		if (!at)
			continue;
		struct input in = {.s = {s.data, end}, .at = (size_t)(at - s.data) + strlen(names[i])};
		skip_options(&in);
		*(i == 0 ? &l->title : &l->author) = argument(&in);
	}
	return found ? end + sizeof(begin) - 1 : 0;
}

int latex_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct latex *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	static const char end[] = "\\end{document}";
	l->about = about;
	l->out = &l->md;
	markdown_init(&l->md, text, false);
	struct input in = {.s = bytes};
	in.at = read_preamble(l, bytes);
	const char *last = memmem(bytes.data + in.at, bytes.size - in.at, end, sizeof(end) - 1);
	if (last)
		in.s.size = (size_t)(last - bytes.data);
	while (in.at < in.s.size && !buf_error(text) && !l->error)
		write_next(l, &in);
	if (l->table)
		end_table(l);
	end_paragraph(l);
	take_title(l);
	int r = l->error;
	free(l);
	if (r == 0 && text->size == 0 && !buf_error(text))
		return format_fail(about, "no-text", "the document has no text");
	if (r == 0)
		buf_add_char(text, '\n');
	return r < 0 ? r : buf_error(text);
}

const struct format format_latex = {
	.extractor = {"latex", 1, "application/x-latex", TEXT_MARKDOWN, true, NULL},
	.prepare = text_prepare,
	.extract = latex_extract,
};
