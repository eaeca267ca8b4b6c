/* Detection, character sets, the helper and its sandbox, and the formats; with the argument `golden FOLDER`, golden documents. */
#include "tap.h"

#include "extract/decode.h"
#include "extract/format.h"
#include "extract/helper.h"
#include "extract/html_depth.h"
#include "extract/markdown.h"
#include "extract/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct span bytes_of(const char *data, size_t size)
{
	return (struct span){data, size};
}

#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)

/* --- detection ----------------------------------------------------------------------------------------------------- */

static void chooses(struct span head, const char *name, const char *extractor, const char *media)
{
	const struct extractor *x = extract_choose(head, span_of(name));
	CHECK_NAMED(strcmp(x->name, extractor) == 0 && strcmp(x->media_type, media) == 0, "%s with %zu bytes is %s %s (%s %s)", name, head.size,
		    extractor, media, x->name, x->media_type);
}

static void detection(void)
{
	chooses(BYTES("%PDF-1.7\n"), "x.txt", "pdf", "application/pdf");
	chooses(BYTES("\xef\xbb\xbf \n%PDF-1.4"), "x", "pdf", "application/pdf");
	chooses(BYTES("junk before %PDF-1.4 "), "x.pdf", "pdf", "application/pdf");
	chooses(BYTES("The header is %PDF-1.4, it says"), "notes.txt", "text", "text/plain");
	chooses(BYTES("junk\n1 0 obj\n<<>>"), "x.pdf", "pdf", "application/pdf");
	chooses(BYTES("\n <!DOCTYPE HTML><p>x"), "x.txt", "html", "text/html");
	chooses(BYTES("<?xml version='1.0'?><!-- a --><html xmlns='x'>"), "x.xml2", "html", "text/html");
	chooses(BYTES("<p>no doctype"), "x.htm", "html", "text/html");
	chooses(BYTES("no tag at all"), "x.html", "text", "text/plain");
	chooses(BYTES("<html><?php echo 1 ?>"), "x.php", "text", "text/x-source");
	chooses(BYTES("<\0h\0t\0m\0l\0>\0a\0\n\0"), "x", "html", "text/html");
	chooses(BYTES("# Title\n"), "README.md", "text", "text/markdown");
	chooses(BYTES("Title\n=====\n"), "a/b/index.RST", "text", "text/x-rst");
	chooses(BYTES("a,b\n1,2\n"), "x.csv", "text", "text/csv");
	chooses(BYTES("all:\n"), "src/Makefile", "text", "text/x-source");
	chooses(BYTES("int x;\n"), "x.c", "text", "text/x-source");
	chooses(BYTES("hello"), ".profile", "text", "text/plain");
	chooses(BYTES(""), "empty.jpg", "text", "text/plain");
	chooses(BYTES("\x89PNG\r\n\x1a\n\0\0"), "x.txt", "none", "image/png");
	chooses(BYTES("\xff\xd8\xff\xe0"), "x", "none", "image/jpeg");
	chooses(BYTES("RIFF\0\0\0\0WEBP"), "x", "none", "image/*");
	chooses(BYTES("\0\0\0\x18" "ftypisom"), "x", "none", "video/*");
	chooses(BYTES("PK\3\4\0\0mimetypeapplication/vnd.oasis.opendocument.graphics"), "x", "none", "application/x-office");
	chooses(BYTES("PK\3\4\0\0mimetypeapplication/epub+zip"), "x", "epub", "application/epub+zip");
	chooses(BYTES("PK\3\4\0\0mimetypeapplication/vnd.oasis.opendocument.text"), "x.zip", "odt", "application/vnd.oasis.opendocument.text");
	chooses(BYTES("PK\3\4\0\0a.txt"), "x", "archive", "application/x-archive");
	chooses(BYTES("PK\3\4\0\0a.txt"), "x.whl", "none", "application/x-archive");
	chooses(BYTES("PK\3\4\0\0META-INF/MANIFEST.MF"), "x.zip", "none", "application/x-archive");
	chooses(BYTES("7z\xbc\xaf\x27\x1c"), "x", "archive", "application/x-archive");
	chooses(BYTES("BZh91AY&SY\0"), "x.txt.bz2", "bzip2", "application/x-bzip2");
	chooses(BYTES("BZh is how a letter may begin"), "x", "text", "text/plain");
	chooses(BYTES("\xfd" "7zXZ\0"), "x", "xz", "application/x-xz");
	chooses(BYTES("\x28\xb5\x2f\xfd"), "x.log.zst", "zstd", "application/zstd");
	chooses(BYTES("\x28\xb5\x2f\xfd"), "x.tar.zst", "archive", "application/x-archive");
	chooses(BYTES("\x7f" "ELF\2\1"), "x", "none", "application/x-executable");
	chooses(BYTES("MZ is how a letter may begin"), "x", "text", "text/plain");
	chooses(BYTES("MZ\x90\0\3\0"), "x", "none", "application/x-executable");
	chooses(BYTES("\1\2\3\4\5\6\7 data"), "x.txt", "none", "application/octet-stream");
	chooses(BYTES("some\0text\0with\0zeros"), "x.txt", "none", "application/octet-stream");
	chooses(BYTES("\x1b[31mred\x1b[0m a terminal's log\n"), "x.log", "text", "text/plain");
	chooses(BYTES("h\0e\0l\0l\0o\0\n\0"), "x.txt", "text", "text/plain");
	chooses(BYTES("\0h\0e\0l\0l\0o\0\n"), "x.txt", "text", "text/plain");
	chooses(BYTES("<svg xmlns='x'/>"), "x.svg", "none", "image/*");
	chooses(BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "x", "doc", "application/msword");
	chooses(BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "x.XLS", "xls", "application/vnd.ms-excel");
	chooses(BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "x.pps", "ppt", "application/vnd.ms-powerpoint");
	chooses(BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "x.msg", "msg", "application/vnd.ms-outlook");
	chooses(BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "x.vsd", "none", "application/x-office");
	chooses(BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "Thumbs.db", "none", "application/x-office");
	chooses(BYTES("From: <Saved by Blink>\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/related"), "x", "mhtml", "multipart/related");
	chooses(BYTES("From: a\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/related"), "x", "mail", "message/rfc822");
	chooses(BYTES("plain"), "x.mhtml", "text", "text/plain");
	chooses(BYTES("<?xml version='1.0'?><a/>"), "x", "xml", "application/xml");
	chooses(BYTES("<opml/>"), "x.opml", "xml", "application/xml");
	chooses(BYTES("<?xml version='1.0'?><a/>"), "x.xsd", "text", "text/x-source");
	chooses(BYTES("BEGIN:VCARD\r\n"), "x", "vcf", "text/vcard");
	chooses(BYTES("BEGIN:VCALENDAR\r\n"), "x.txt", "ics", "text/calendar");
	chooses(BYTES("BEGIN with a word"), "x.ics", "text", "text/plain");
	chooses(BYTES("% x\n\\documentclass{article}"), "x", "latex", "application/x-latex");
	chooses(BYTES("The command \\documentclass{x}"), "x.txt", "text", "text/plain");
	chooses(BYTES("\\section{x}"), "x.tex", "latex", "application/x-latex");
	chooses(BYTES("* x"), "x.org", "org", "text/org");
	chooses(BYTES("= x"), "x.adoc", "asciidoc", "text/asciidoc");
	CHECK(extract_name_may_have_text(span_of("a/b.txt")) && extract_name_may_have_text(span_of("README")));
	CHECK(extract_name_may_have_text(span_of("x.pdf")) && extract_name_may_have_text(span_of(".jpg")));
	CHECK(!extract_name_may_have_text(span_of("a/b.JPG")) && !extract_name_may_have_text(span_of("x.tar.gz")));
	/* Every entry must be found again, which holds only in a sorted table. */
	CHECK(name_kind(span_of("x.3ds")) == NAME_BINARY && name_kind(span_of("x.zsh")) == NAME_CODE);
	CHECK(name_kind(span_of("x.c++")) == NAME_CODE && name_kind(span_of("x.yml")) == NAME_CODE);
	CHECK(name_kind(span_of("CMakeLists.txt")) == NAME_CODE && name_kind(span_of("x.")) == NAME_UNKNOWN);
}

/* --- character sets ------------------------------------------------------------------------------------------------ */

static void decodes(struct span in, const char *declared, const char *set, const char *expected)
{
	struct buf store;
	buf_init(&store, 1 << 20);
	char encoding[DECODE_NAME_SIZE] = "";
	struct span out = {"", 0};
	int r = decode_text(in, declared, &store, encoding, &out);
	CHECK_NAMED(r == 0 && strcasecmp(encoding, set) == 0 && span_equal(out, span_of(expected)), "%zu bytes are %s: %s (%d %s %.*s)", in.size,
		    set, expected, r, encoding, (int)out.size, out.data);
	buf_release(&store);
}

static void character_sets(void)
{
	decodes(BYTES(""), "", "UTF-8", "");
	decodes(BYTES("plain"), "", "UTF-8", "plain");
	decodes(BYTES("\xef\xbb\xbfz\xc3\xa4h"), "iso-8859-1", "UTF-8", "zäh");
	decodes(BYTES("z\xc3\xa4h"), "iso-8859-1", "UTF-8", "zäh");
	decodes(BYTES("z\xe4h"), "", "WINDOWS-1252", "zäh");
	decodes(BYTES("\x93quoted\x94 \x80 5"), "latin1", "WINDOWS-1252", "“quoted” € 5");
	decodes(BYTES("a\xff\xfe"), "utf-8", "WINDOWS-1252", "aÿþ");
	decodes(BYTES("äöüßéè\xe4 ñ"), "", "UTF-8", "äöüßéè\xef\xbf\xbd ñ");
	decodes(BYTES("\xff\xfeh\0\xe4\0"), "", "UTF-16LE", "hä");
	decodes(BYTES("\xfe\xff\0h\0\xe4\xd8\x3d\xde\0"), "", "UTF-16BE", "hä😀");
	decodes(BYTES("\xff\xfeh\0\x3d\xd8!"), "", "UTF-16LE", "h\xef\xbf\xbd\xef\xbf\xbd");
	decodes(BYTES("h\0\xe4\0!\0\n\0"), "", "UTF-16LE", "hä!\n");
	decodes(BYTES("\0h\0\xe4\0!\0\n"), "", "UTF-16BE", "hä!\n");
	decodes(BYTES("\xff\xfe\0\0h\0\0\0"), "", "UTF-32LE", "h");
	decodes(BYTES("h\0\0\0\xe4\0\0\0\n\0\0\0"), "", "UTF-32LE", "hä\n");
	decodes(BYTES("\xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0? \xd1\xe5\xe3\xee\xe4\xed\xff \xf5\xee\xf0\xee\xf8\xe0\xff \xef\xee\xe3\xee\xe4\xe0."),
		"", "WINDOWS-1251", "Привет, как дела? Сегодня хорошая погода.");
	decodes(BYTES("\x82\xb1\x82\xf1\x82\xc9\x82\xbf\x82\xcd\x81\x41\x90\xa2\x8a\x45\x81\x42\x93\xfa\x96\x7b\x8c\xea\x82\xcc\x95\xb6\x8f\xcd\x82\xc5\x82\xb7\x81\x42"),
		"", "CP932", "こんにちは、世界。日本語の文章です。");
	decodes(BYTES("\x1b$B$3$s$K$A$O\x1b(B"), "", "ISO-2022-JP", "こんにちは");
	decodes(BYTES("\xe4\xbd"), "no such set", "WINDOWS-1252", "ä½");
	char set[DECODE_NAME_SIZE];
	CHECK(decode_label(span_of("x//TRANSLIT"), set) == -EINVAL && decode_label(span_of(""), set) == -EINVAL);
	CHECK(decode_label(span_of("KOI8-R"), set) == 0 && strcmp(set, "KOI8-R") == 0);
	struct buf small;
	buf_init(&small, 4);
	CHECK(decode_from("WINDOWS-1252", span_of("\xe4\xe4\xe4\xe4"), &small) == -EFBIG);
	buf_release(&small);
}

/* --- the helper ---------------------------------------------------------------------------------------------------- */

static int do_echo(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	buf_add_span(text, bytes);
	buf_add_span(text, name);
	about->pages = 7;
	format_set_title(about, span_of("  A\n title\t"));
	return 0;
}

static int do_crash(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)text, (void)about;
	abort();
}

/* NOLINTNEXTLINE(misc-no-recursion): the point of it */
static int do_recurse(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	volatile char page[4096];
	page[0] = bytes.data[0];
	return page[0] == 'x' ? do_recurse(bytes, name, text, about) + page[0] : 0;
}

static int do_spin(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)text, (void)about;
	for (volatile unsigned i = 1; i; i |= 1)
		;
	return 0;
}

static int do_wait(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)text, (void)about;
	int word = 0;
	while (word == 0)
		(void)syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0);
	return 0;
}

static int do_open(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)about;
	buf_addf(text, "%d", open("/etc/hostname", O_RDONLY));
	return 0;
}

static int do_socket(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)about;
	buf_addf(text, "%d", socket(AF_INET, SOCK_STREAM, 0));
	return 0;
}

static int do_execute(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)text, (void)about;
	return execl("/bin/true", "true", (char *)NULL);
}

static int do_fork(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)about;
	buf_addf(text, "%d", fork());
	return 0;
}

static int do_map_code(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)about;
	buf_addf(text, "%p", mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	return 0;
}

static int do_count(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)about;
	int open_files = 0;
	for (int fd = 0; fd < 1024; fd++) {
		struct stat st;
		open_files += fstat(fd, &st) == 0;
	}
	buf_addf(text, "%d", open_files);
	return 0;
}

static int do_eat(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)text, (void)about;
	for (int i = 0; i < 64; i++) {
		volatile char *p = malloc((size_t)64 << 20);
		if (!p)
			return -ENOMEM;
		p[0] = 1;
	}
	return 0;
}

static int do_flood(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)name, (void)about;
	static char block[1 << 20];
	for (int i = 0; i < 100 && buf_error(text) == 0; i++)
		buf_add(text, block, sizeof(block));
	return buf_error(text);
}

/* As if the document had taken the child over: writes what it likes as a result. */
static int do_lie(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name, (void)text, (void)about;
	char lie[sizeof(struct extract_result) + 100];
	memset(lie, bytes.data[0], sizeof(lie));
	(void)!write(4, lie, bytes.data[0] == 's' ? 10 : sizeof(lie));
	_exit(0);
}

static int finish_program(struct span bytes, int status, struct span output, struct buf *text, struct extract_result *about)
{
	(void)bytes, (void)about;
	buf_addf(text, "%d:", status);
	buf_add_span(text, output);
	return 0;
}

static const char *const shell_version[] = {"sh", "-c", "echo shell version 12.3-4", NULL};
static const char *const shell_echo[] = {"sh", "-c", "read x; echo \"$x\"; exit 3", NULL};
static const char *const shell_write[] = {"sh", "-c", "echo x >/tmp/corpusfs-escaped || echo refused", NULL};
static const char *const shell_read[] = {"sh", "-c", "read x </etc/passwd && echo \"$x\" || echo refused", NULL};
static const char *const shell_sleep[] = {"sh", "-c", "exec sleep 100", NULL};
static const struct format_program echo_program = {"sh", "dash", shell_echo, shell_version};
static const struct format_program write_program = {"sh", "dash", shell_write, shell_version};
static const struct format_program read_program = {"sh", "dash", shell_read, shell_version};
static const struct format_program sleep_program = {"sh", "dash", shell_sleep, shell_version};
static const struct format_program missing_program = {"no-such-program", "nothing", shell_echo, shell_version};

#define ISOLATED .extractor = {"test", 1, "x/x", TEXT_PLAIN, true, NULL}
enum { ECHO, CRASH, RECURSE, SPIN, WAIT, OPEN, SOCKET, EXECUTE, FORK, MAP_CODE, DESCRIPTORS, EAT, FLOOD, LIE, P_ECHO, P_WRITE, P_READ, P_SLEEP, P_MISSING, COUNT };
static const struct format test_format_array[COUNT] = {
	[ECHO] = {ISOLATED, .extract = do_echo},
	[CRASH] = {ISOLATED, .extract = do_crash},
	[RECURSE] = {ISOLATED, .extract = do_recurse},
	[SPIN] = {ISOLATED, .extract = do_spin},
	[WAIT] = {ISOLATED, .extract = do_wait},
	[OPEN] = {ISOLATED, .extract = do_open},
	[SOCKET] = {ISOLATED, .extract = do_socket},
	[EXECUTE] = {ISOLATED, .extract = do_execute},
	[FORK] = {ISOLATED, .extract = do_fork},
	[MAP_CODE] = {ISOLATED, .extract = do_map_code},
	[DESCRIPTORS] = {ISOLATED, .extract = do_count},
	[EAT] = {ISOLATED, .extract = do_eat},
	[FLOOD] = {ISOLATED, .extract = do_flood},
	[LIE] = {ISOLATED, .extract = do_lie},
	[P_ECHO] = {ISOLATED, .program = &echo_program, .finish = finish_program},
	[P_WRITE] = {ISOLATED, .program = &write_program, .finish = finish_program},
	[P_READ] = {ISOLATED, .program = &read_program, .finish = finish_program},
	[P_SLEEP] = {ISOLATED, .program = &sleep_program, .finish = finish_program},
	[P_MISSING] = {ISOLATED, .program = &missing_program, .finish = finish_program},
};
static const struct format *test_formats[COUNT + 1];

/* Runs one and compares: `code` for a failure, else "" and the text. */
static bool gives(unsigned format, const char *bytes, const char *code, const char *text)
{
	struct buf out;
	buf_init(&out, LIMIT_CLEAN_BYTES);
	struct extract_result about = {0};
	int r = helper_run(test_formats[format], span_of(bytes), span_of("name"), &out, &about);
	bool good = r == 0 && strcmp(about.code, code) == 0 && (about.state == EXTRACT_FAILED) == (*code != '\0') &&
		    (*code || span_equal(buf_span(&out), span_of(text)));
	if (!good)
		printf("# %u: %d %s %s %.*s\n", format, r, about.code, about.message, (int)(out.size < 200 ? out.size : 200), out.data ? out.data : "");
	buf_release(&out);
	return good;
}

static void *run_many(void *good)
{
	for (int i = 0; i < 60; i++) {
		char text[32], expected[40];
		(void)snprintf(text, sizeof(text), "document %d ", i);
		(void)snprintf(expected, sizeof(expected), "%sname", text);
		*(bool *)good = *(bool *)good && gives(ECHO, text, "", expected);
		if (i % 20 == 7)
			*(bool *)good = *(bool *)good && gives(CRASH, "x", "crashed", "");
	}
	return NULL;
}

static void isolation(void)
{
	bool seccomp = strstr(extract_sandbox_describe(), "seccomp") != NULL;
	CHECK(gives(ECHO, "text ", "", "text name"));
	CHECK(gives(ECHO, "", "", "name"));
	CHECK(gives(DESCRIPTORS, "", "", "5"));
	CHECK(gives(CRASH, "x", "crashed", ""));
	CHECK(gives(SPIN, "x", "timeout", ""));
	/* A sanitizer's own thread uses a little processor time, which counts as progress. */
	CHECK(gives(WAIT, "x", "stuck", "") || (!seccomp && gives(WAIT, "x", "timeout", "")));
	CHECK(gives(FLOOD, "x", "too-large", ""));
	CHECK(gives(LIE, "\xff", "crashed", ""));
	CHECK(gives(LIE, "s", "crashed", ""));
	if (seccomp) {
		CHECK(gives(RECURSE, "x", "crashed", ""));
		CHECK(gives(OPEN, "x", "sandbox", ""));
		CHECK(gives(SOCKET, "x", "sandbox", ""));
		CHECK(gives(EXECUTE, "x", "sandbox", ""));
		CHECK(gives(FORK, "x", "sandbox", ""));
		CHECK(gives(MAP_CODE, "x", "sandbox", ""));
		CHECK(gives(EAT, "x", "memory", ""));
	} else {
		tap_skip("parsers run without seccomp and RLIMIT_AS here (sanitizer, or a kernel without seccomp)");
	}
	CHECK(gives(P_ECHO, "line\n", "", "3:line\n"));
	CHECK(gives(P_WRITE, "", "", "0:refused\n") && access("/tmp/corpusfs-escaped", F_OK) != 0);
	/* A file that anybody may read: Landlock is what refuses it. */
	if (strstr(extract_sandbox_describe(), "landlock"))
		CHECK(gives(P_READ, "", "", "0:refused\n"));
	else
		tap_skip("this kernel has no Landlock");
	CHECK(gives(P_SLEEP, "", "stuck", ""));
	CHECK(gives(P_MISSING, "", "no-program", ""));
	CHECK(strcmp(helper_program_version(P_ECHO), "sh 12.3") == 0);
	CHECK(strcmp(helper_program_version(P_MISSING), "no-such-program none") == 0);
}

static pid_t helper_pid(void)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "re");
	int pid = 0;
	if (f) {
		if (fscanf(f, "%d", &pid) != 1)
			pid = 0;
		(void)fclose(f);
	}
	return pid;
}

static void helper(void)
{
	for (unsigned i = 0; i < COUNT; i++)
		test_formats[i] = &test_format_array[i];
	/* Long enough for a child that a loaded machine leaves waiting for a processor. */
	const struct helper_limits limits = {.progress_ms = 2000, .total_ms = 6000};
	struct extract_result about = {0};
	struct buf out;
	buf_init(&out, 100);
	CHECK(helper_run(test_formats[ECHO], span_of("x"), span_of("x"), &out, &about) == 0 && strcmp(about.code, "no-helper") == 0);
	struct err err = {""};
	CHECK_NAMED(helper_start(test_formats, &limits, &err) == 0, "the helper starts: %s", err.text);
	printf("# sandbox: %s\n", extract_sandbox_describe());
	isolation();
	memset(&about, 0, sizeof(about));
	CHECK(helper_run(test_formats[ECHO], span_of("x"), span_of("x"), &out, &about) == 0 && about.pages == 7 && strcmp(about.title, "A title") == 0);
	pthread_t threads[6];
	bool good[6] = {true, true, true, true, true, true};
	for (int i = 0; i < 6; i++)
		CHECK(pthread_create(&threads[i], NULL, run_many, &good[i]) == 0);
	for (int i = 0; i < 6; i++) {
		(void)pthread_join(threads[i], NULL);
		CHECK(good[i]);
	}
	pid_t pid = helper_pid();
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		CHECK(helper_run(test_formats[ECHO], span_of("x"), span_of("x"), &out, &about) == -EAGAIN);
		CHECK(helper_run(test_formats[ECHO], span_of("x"), span_of("x"), &out, &about) == -EAGAIN);
	} else {
		tap_skip("this kernel does not list children");
	}
	helper_stop();
	helper_stop();
	buf_release(&out);
}

/* --- formats ------------------------------------------------------------------------------------------------------- */

static void html_gives(const char *html, const char *expected)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	struct extract_result about = {0};
	int r = html_extract(span_of(html), span_of(""), &text, &about);
	CHECK_NAMED(r == 0 && span_equal(buf_span(&text), span_of(expected)), "%.60s", html);
	if (!span_equal(buf_span(&text), span_of(expected)))
		printf("# %d\n# got:\n%s\n# expected:\n%s\n", r, text.data ? text.data : "", expected);
	buf_release(&text);
}

static void html(void)
{
	html_gives("<p>a  b<p>c", "a b\n\nc\n");
	html_gives("<h1>One <em>two</em></h1>text<h3>x<br>y</h3>", "# One two\n\ntext\n\n### x y\n");
	html_gives("a<br>b<br><br>c", "a\nb\n\nc\n");
	html_gives("<ul><li>a<li>b<ol start=3><li>c<li>d</ol><li><p>e<p>f</ul>z", "- a\n- b\n  3. c\n  4. d\n- e\n\n  f\n\nz\n");
	html_gives("<ul><li><ul><li>deep</ul></ul>", "- - deep\n");
	html_gives("<ul><li></li><li>x</ul>", "- x\n");
	html_gives("x<blockquote>a<p>b</blockquote>c", "x\n\n> a\n>\n> b\n\nc\n");
	html_gives("<pre><code class=\"language-c\">int x;\n\n  y;</code></pre>z", "```c\nint x;\n\n  y;\n```\n\nz\n");
	html_gives("<pre>a\n```\nb</pre>", "````\na\n```\nb\n````\n");
	html_gives("<ul><li>x<pre>a\nb</pre></ul>", "- x\n\n  ```\n  a\n  b\n  ```\n");
	html_gives("see <a href='https://e.org/x'>this <b>page</b></a>, <a href='y.html'>that</a> and <a href='https://e.org/'>https://e.org/</a>",
		   "see [this page](https://e.org/x), that and https://e.org/\n");
	html_gives("<img alt='A cat'> sits <img src=x>", "A cat sits\n");
	html_gives("use <code>x &lt; y</code> now", "use `x < y` now\n");
	html_gives("<p># not a heading</p><p>&lt;!-- page 3 --&gt;</p><p>#hash", "\\# not a heading\n\n\\<!-- page 3 -->\n\n#hash\n");
	html_gives("<table><tr><th>a|b<th>c<tr><td>1<td>2<p>3</table>", "| a\\|b | c |\n| --- | --- |\n| 1 | 2 3 |\n");
	html_gives("<table><tr><td colspan=2>w<td>x<tr><td rowspan=2>r<td>1<td>2<tr><td>3<td>4</table>",
		   "| w | | x |\n| --- | --- | --- |\n| r | 1 | 2 |\n| r | 3 | 4 |\n");
	html_gives("<table><tr><td>a<td>b<td>c<tr><td>1</table>", "| a | b | c |\n| --- | --- | --- |\n| 1 |\n");
	html_gives("<table><tr><td><h2>L</h2>left<td>right</table>", "## L\n\nleft\nright\n");
	html_gives("<nav><a href=x>menu</a></nav><script>x</script><style>y</style><p hidden>h<p style='display: none'>n<p>text", "text\n");
	html_gives("<header><a href=x>top</a></header><main><article><header>kept</header>body</article></main><footer>legal</footer>", "kept\n\nbody\n");
	html_gives("<aside><a href=x>one</a> <a href=y>two</a></aside><aside>a remark, with <a href=x>link</a></aside>p", "a remark, with link\n\np\n");
	html_gives("<nav>only a menu</nav>", "only a menu\n");
	html_gives("<title>T</title><body>", "# T\n");
	html_gives("<dl><dt>term<dd>meaning</dl>", "term\n- meaning\n");
	html_gives("<p>&nbsp;</p><p>a&nbsp;b</p>", "a b\n");
}

static void deep_html(void)
{
	/* Deeper than any stack would bear, were the walk recursive. */
	static const char *const tags[] = {"<div>", "<ul><li>", "<blockquote>", "<b>", "<table><tr><td>", "<span>"};
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct buf page, text;
		buf_init(&page, 1 << 22);
		buf_init(&text, 1 << 26);
		for (int k = 0; k < 3000; k++)
			buf_add_string(&page, tags[i]);
		buf_add_string(&page, "core");
		struct extract_result about = {0};
		CHECK(html_extract(buf_span(&page), span_of(""), &text, &about) == 0 && strstr(text.data, "core"));
		CHECK_NAMED(text.size < 3000 * 200, "%zu bytes of 3,000 nested %s", text.size, tags[i]);
		buf_release(&page);
		buf_release(&text);
	}
}

/* Tags beyond the depth that is parsed are left out, their text is not; closing tags of others do not hide how deep a page is. */
static void too_deep_html(void)
{
	static const char *const pieces[] = {"<x>", "<x></script>", "<x></y></p>", "<x a='>'>", "<font color=red><p>"};
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct buf page, text;
		buf_init(&page, 1 << 24);
		buf_init(&text, 1 << 26);
		for (int k = 0; k < 100000; k++)
			buf_add_string(&page, pieces[i]);
		buf_add_string(&page, "core");
		struct extract_result about = {0};
		CHECK_NAMED(html_extract(buf_span(&page), span_of(""), &text, &about) == 0 && strstr(text.data, "core"), "100,000 times %s", pieces[i]);
		buf_release(&page);
		buf_release(&text);
	}
	/* What is closed does not count, nor does what looks like a tag in a script or a comment. */
	struct buf store;
	buf_init(&store, 1 << 20);
	struct span page = span_of("<div><p>a<br></div><!-- <b> --><script>'<i>'</script><ul><li>x<li>y</ul>"), out = {NULL, 0};
	CHECK(html_limit_depth(page, &store, &out) == 0 && out.data == page.data && out.size == page.size);
	buf_release(&store);
}

static void pdf(void)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	struct extract_result about = {0};
	struct span out = span_of("<html><head>\n<title>A &amp; B</title>\n</head>\n<body>\n<pre>\none\n# x\n\f\f<!-- page 9 -->\n</pre>\nreal\f</pre>\n</body>\n</html>\n");
	CHECK(format_pdf.finish(span_of(""), 0, out, &text, &about) == 0 && about.state == EXTRACT_OK);
	CHECK(about.pages == 3 && strcmp(about.title, "A & B") == 0);
	CHECK(span_equal(buf_span(&text),
			 span_of("<!-- page 1 -->\none\n\\# x\n<!-- page 2 -->\n<!-- page 3 -->\n\\<!-- page 9 -->\n</pre>\nreal")));
	buf_reset(&text);
	CHECK(format_pdf.finish(span_of("x"), 1, span_of(""), &text, &about) == 0 && strcmp(about.code, "damaged") == 0);
	CHECK(format_pdf.finish(span_of("<< /Encrypt 3 0 R"), 1, span_of(""), &text, &about) == 0 && strcmp(about.code, "encrypted") == 0);
	CHECK(format_pdf.finish(span_of(""), 0, span_of("cut off"), &text, &about) == 0 && strcmp(about.code, "damaged") == 0);
	buf_release(&text);
}

static void results(void)
{
	struct extract_result r;
	CHECK(extract_run(extract_choose(BYTES("\x89PNG\r\n\x1a\n"), span_of("x")), BYTES("\x89PNG\r\n\x1a\n"), span_of("x"), &r) == 0);
	CHECK(r.state == EXTRACT_SKIPPED && strcmp(r.code, "image") == 0 && r.message[0] && !r.text);
	CHECK(extract_run(extract_choose(BYTES(""), span_of("x.txt")), BYTES(""), span_of("x.txt"), &r) == 0);
	CHECK(r.state == EXTRACT_OK && r.text && r.text_size == 0);
	extract_result_release(&r);
	struct span page = span_of("<html><title>T</title><meta charset=koi8-r><p>\xf0\xd2\xc9\xd7\xc5\xd4");
	CHECK(extract_run(extract_choose(page, span_of("x")), page, span_of("x"), &r) == 0);
	CHECK(r.state == EXTRACT_OK && strcmp(r.text, "Привет\n") == 0 && strcmp(r.title, "T") == 0 && strcmp(r.encoding, "koi8-r") == 0);
	CHECK(r.syntax == TEXT_MARKDOWN);
	extract_result_release(&r);
	CHECK(strstr(extract_fingerprint(), "html 2") && strstr(extract_fingerprint(), "pdftotext "));
	struct extract_result about = {0};
	char long_title[LIMIT_TITLE_BYTES + 10];
	memset(long_title, 'x', sizeof(long_title));
	memcpy(long_title + LIMIT_TITLE_BYTES - 1, "ä", 2);
	format_set_title(&about, bytes_of(long_title, sizeof(long_title)));
	CHECK(strlen(about.title) == LIMIT_TITLE_BYTES - 1);
}

/* --- golden documents ---------------------------------------------------------------------------------------------- */

static void read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rbe");
	char piece[4096];
	size_t n;
	while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	if (f)
		(void)fclose(f);
}

static void write_file(const char *path, struct span s)
{
	FILE *f = fopen(path, "wbe");
	if (f) {
		(void)fwrite(s.data, 1, s.size, f);
		(void)fclose(f);
	}
}

static void golden_document(const char *folder, const char *name)
{
	static const char *const states[] = {"ok", "skipped", "failed"};
	char path[1024];
	struct buf bytes, got, expected;
	buf_init(&bytes, 1 << 24);
	buf_init(&got, 1 << 24);
	buf_init(&expected, 1 << 24);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	read_file(path, &bytes);
	const struct extractor *x = extract_choose(buf_span(&bytes), span_of(name));
	struct extract_result r = {0};
	int code = extract_run(x, buf_span(&bytes), span_of(name), &r);
	buf_addf(&got, "%s %s %s\ntitle: %s\npages: %u\nencoding: %s\n---\n", x->name, states[r.state], r.code, r.title, r.pages, r.encoding);
	if (r.state == EXTRACT_OK)
		buf_add(&got, r.text, r.text_size);
	else
		buf_addf(&got, "%s\n", r.message);
	(void)snprintf(path, sizeof(path), "%s/%s.expected", folder, name);
	if (getenv("UPDATE"))
		write_file(path, buf_span(&got));
	read_file(path, &expected);
	if (strstr(r.message, "not installed"))
		tap_skip("a program is not installed");
	else if (!CHECK_NAMED(code == 0 && span_equal(buf_span(&got), buf_span(&expected)), "%s", name))
		printf("# %d, got:\n%s\n", code, got.data);
	extract_result_release(&r);
	buf_release(&bytes);
	buf_release(&got);
	buf_release(&expected);
}

static int is_input(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);
	return entry->d_name[0] != '.' && strcmp(entry->d_name, "run") != 0 && (size < 9 || strcmp(entry->d_name + size - 9, ".expected") != 0);
}

static void golden(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_input, alphasort);
	CHECK_NAMED(count > 0, "there are golden documents");
	for (int i = 0; i < count; i++) {
		golden_document(folder, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	if (argc == 1)
		helper();
	struct err err = {""};
	CHECK_NAMED(extract_helper_start(&err) == 0, "the helper starts: %s", err.text);
	if (argc == 3 && strcmp(argv[1], "golden") == 0) {
		golden(argv[2]);
	} else {
		detection();
		character_sets();
		html();
		deep_html();
		too_deep_html();
		pdf();
		results();
	}
	extract_helper_stop();
	return tap_done();
}
