/* Makes a folder of Markdown documents for the benchmarks, the same bytes for the same arguments everywhere.
 *
 *     bench_corpus FOLDER DOCUMENTS WORDS SEED [WORDLIST]
 *
 * Words follow Zipf's law with Mandelbrot's offset (rank + 2.7)^-1.07, about what English text has, over 120,000 words: the
 * commonest are English function words, the rest comes from WORDLIST (one a line, common ones first) and then from syllables, rarer
 * words being longer. Each document is about one of 2,000 subjects, from whose own 1,500 words a third of its words is taken:
 * without that, no query would have good answers and every posting list would be spread evenly. WORDS is the mean length of a
 * document; lengths are log-normal, as those of files are. */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>

enum { VOCABULARY = 120000, SUBJECTS = 2000, SUBJECT_WORDS = 1500, TABLE = 1 << 20, FOLDER_DOCUMENTS = 200 };

static const char *const function_words[] = {
        "the",   "of",    "and",  "to",   "in",   "a",     "is",   "that", "for",   "it",   "as",    "with",   "be",
        "on",    "by",    "are",  "this", "or",   "not",   "from", "at",   "which", "an",   "can",   "if",     "when",
        "will",  "you",   "have", "has",  "was",  "all",   "may",  "but",  "one",   "more", "other", "used",   "any",
        "there", "these", "they", "we",   "its",  "use",   "only", "than", "new",   "such", "into",  "should", "also",
        "time",  "some",  "each", "no",   "file", "value", "must", "set",  "first", "two",  "then",  "how",
};

static char vocabulary[VOCABULARY][24];
static uint32_t zipf[TABLE];         /* a uniform number -> rank */
static uint32_t subject_zipf[TABLE]; /* the same over SUBJECT_WORDS */
static uint64_t state;

static double uniform(void)
{
	return (double)(random_next(&state) >> 11) * 0x1p-53;
}

static size_t below(size_t n)
{
	return (size_t)(random_next(&state) % n);
}

static void make_zipf(uint32_t *table, size_t words)
{
	double total = 0, sum = 0;
	for (size_t r = 0; r < words; r++)
		total += pow((double)r + 3.7, -1.07);
	size_t at = 0;
	for (size_t r = 0; r < words; r++) {
		sum += pow((double)r + 3.7, -1.07);
		for (size_t end = (size_t)(sum / total * TABLE); at < end && at < TABLE; at++)
			table[at] = (uint32_t)r;
	}
	while (at < TABLE)
		table[at++] = (uint32_t)(words - 1);
}

static void make_word(char *word, size_t rank)
{
	static const char *const onset[] = {"b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr"};
	static const char *const vowel[] = {"a", "e", "i", "o", "u", "ea"};
	static const char *const coda[] = {"", "", "", "", "", "n", "r", "s"};
	size_t syllables = 1 + (rank > 2000) + (rank > 30000) + below(2);
	word[0] = '\0';
	for (size_t s = 0; s < syllables; s++) {
		strcat(word, onset[below(16)]);
		strcat(word, vowel[below(6)]);
		strcat(word, coda[below(8)]);
	}
	strcat(word, rank % 3 == 0 ? "ing" : rank % 3 == 1 ? "s" : "");
}

static void make_vocabulary(const char *wordlist)
{
	size_t n = 0;
	for (; n < sizeof(function_words) / sizeof(*function_words); n++)
		strcpy(vocabulary[n], function_words[n]);
	if (wordlist) {
		struct lines l = lines_read(wordlist);
		for (size_t i = 0; i < l.count && n < VOCABULARY; i++) {
			size_t size = strlen(l.line[i]), letters = strspn(l.line[i], "abcdefghijklmnopqrstuvwxyz");
			if (size == letters && size > 2 && size < sizeof(vocabulary[0]))
				strcpy(vocabulary[n++], l.line[i]);
		}
		lines_free(&l);
	}
	for (; n < VOCABULARY; n++)
		make_word(vocabulary[n], n);
}

/* A subject's words lie scattered over the ranks, most of them above 15,000. */
static size_t subject_word(size_t subject, size_t i)
{
	uint64_t mixed = subject * SUBJECT_WORDS + i;
	double u = (double)(random_next(&mixed) >> 11) * 0x1p-53;
	return 200 + (size_t)(u * u * u * (VOCABULARY - 200));
}

static const char *draw_word(size_t subject, double share)
{
	if (uniform() < share)
		return vocabulary[subject_word(subject, subject_zipf[below(TABLE)])];
	return vocabulary[zipf[below(TABLE)]];
}

static void write_words(FILE *f, size_t subject, size_t count, double share)
{
	for (size_t i = 0; i < count; i++) {
		const char *word = draw_word(subject, share);
		if (i == 0)
			fprintf(f, "%c%s", word[0] - 'a' + 'A', word + 1);
		else
			fprintf(f, "%s%s", i % 11 == 7 ? ", " : " ", word);
	}
}

static size_t write_paragraph(FILE *f, size_t subject)
{
	size_t sentences = 2 + below(5), words = 0;
	for (size_t s = 0; s < sentences; s++) {
		size_t n = 8 + below(18);
		write_words(f, subject, n, 0.33);
		fputs(s + 1 < sentences ? (s % 2 ? ".\n" : ". ") : ".\n\n", f);
		words += n;
	}
	return words;
}

static size_t write_list(FILE *f, size_t subject)
{
	size_t items = 3 + below(5), words = 0;
	for (size_t i = 0; i < items; i++) {
		size_t n = 4 + below(10);
		fputs("- ", f);
		write_words(f, subject, n, 0.4);
		fputc('\n', f);
		words += n;
	}
	fputc('\n', f);
	return words;
}

static void write_document(FILE *f, double mean_words)
{
	size_t subject = below(SUBJECTS);
	double normal = sqrt(-2 * log(uniform() + 1e-12)) * cos(2 * M_PI * uniform());
	size_t wanted = (size_t)(mean_words * exp(0.8 * normal - 0.32)), words = 0;
	fputs("# ", f);
	write_words(f, subject, 3 + below(4), 0.9);
	fputs("\n\n", f);
	for (size_t part = 0; part == 0 || words < wanted; part++) {
		if (part % 4 == 3) {
			fputs("## ", f);
			write_words(f, subject, 2 + below(4), 0.9);
			fputs("\n\n", f);
		}
		words += below(6) == 0 ? write_list(f, subject) : write_paragraph(f, subject);
	}
}

static void make_folder(const char *path)
{
	if (mkdir(path, 0777) != 0 && errno != EEXIST)
		fail("%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
	if (argc < 5)
		fail("usage: bench_corpus FOLDER DOCUMENTS WORDS SEED [WORDLIST]");
	size_t documents = strtoull(argv[2], NULL, 10);
	make_vocabulary(argc > 5 ? argv[5] : NULL);
	make_zipf(zipf, VOCABULARY);
	make_zipf(subject_zipf, SUBJECT_WORDS);
	state = strtoull(argv[4], NULL, 10);
	make_folder(argv[1]);
	for (size_t i = 0; i < documents; i++) {
		char path[4096];
		(void)snprintf(path, sizeof(path), "%s/part-%04zu", argv[1], i / FOLDER_DOCUMENTS);
		if (i % FOLDER_DOCUMENTS == 0)
			make_folder(path);
		(void)snprintf(path + strlen(path), 64, "/%s-%06zu.md", vocabulary[1000 + below(5000)], i);
		FILE *f = fopen(path, "w");
		if (!f)
			fail("%s: %s", path, strerror(errno));
		write_document(f, strtod(argv[3], NULL));
		if (fclose(f) != 0)
			fail("%s: %s", path, strerror(errno));
	}
	return 0;
}
