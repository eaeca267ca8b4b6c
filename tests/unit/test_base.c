/* Buffers, errors, hashes, UTF-8 and JSON output. */
#include "tap.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>

static void buffers(void)
{
	struct buf b;
	buf_init(&b, 100);
	buf_add_string(&b, "hello");
	buf_addf(&b, " %d", 42);
	CHECK(span_equal(buf_span(&b), span_of("hello 42")));
	for (int i = 0; i < 20; i++)
		buf_add_string(&b, "0123456789");
	CHECK(buf_error(&b) == -EFBIG);
	CHECK(b.size <= 100);
	buf_reset(&b);
	CHECK(buf_error(&b) == 0 && b.size == 0);
	buf_addf(&b, "%090d", 7);
	CHECK(b.size == 90);
	buf_reset(&b);
	buf_addf(&b, "%0300d", 7);
	CHECK(buf_error(&b) == -EFBIG);
	buf_release(&b);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 300; i++)
		buf_addf(&b, "%0300d", i);
	CHECK(b.size == 300 * 300 && b.data[b.size] == '\0');
	size_t size;
	char *taken = buf_take(&b, &size);
	CHECK(size == 90000 && b.size == 0);
	free(taken);
}

static void errors(void)
{
	struct err e;
	CHECK(err_fail(&e, -EIO, "%s: no\nsuch\x01", "a") == -EIO);
	CHECK(strcmp(e.text, "a: no?such?") == 0);
	CHECK(err_fail(NULL, -EPERM, "x") == -EPERM);
}

static void hashes(void)
{
	char hex[HASH_HEX_SIZE];
	struct hash h = hash_bytes(span_of("abc")); /* FIPS 180-4 example */
	hash_hex(&h, hex);
	CHECK(strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0);
	struct span one[] = {span_of("ab"), span_of("c")}, two[] = {span_of("a"), span_of("bc")};
	struct hash a = hash_parts(one, 2), b = hash_parts(two, 2);
	CHECK(!hash_equal(&a, &b));
}

static void utf8(void)
{
	static const char *const bad[] = {"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff", "\xf8\x88\x80\x80\x80"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK(!utf8_is_valid(span_of(bad[i])));
	struct span good = span_of("plain ASCII that is long \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	CHECK(utf8_is_valid(good));
	CHECK(utf8_ascii_prefix(good) == 25);
	for (uint32_t c = 0; c <= 0x10ffff; c += 7) {
		char out[4];
		uint32_t back = 0;
		size_t n = utf8_encode(c, out);
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		if (utf8_decode((struct span){out, n}, 0, &back) != n || back != c) {
			CHECK_NAMED(0, "round trip of U+%04X", c);
			return;
		}
	}
	CHECK_NAMED(1, "every seventh code point goes out and comes back");
}

static void json(void)
{
	struct buf b;
	buf_init(&b, 1000);
	struct jsonw j;
	jsonw_init(&j, &b);
	jsonw_object(&j);
	jsonw_key(&j, "a");
	jsonw_array(&j);
	jsonw_uint(&j, 1);
	jsonw_string(&j, "x\"\\\n\x01\xff\xc3\xa9");
	jsonw_object(&j);
	jsonw_object_end(&j);
	jsonw_array_end(&j);
	jsonw_key(&j, "b");
	jsonw_float(&j, 0.5);
	jsonw_key(&j, "c");
	jsonw_null(&j);
	jsonw_object_end(&j);
	CHECK(strcmp(b.data, "{\"a\":[1,\"x\\\"\\\\\\n\\u0001\\udcff\xc3\xa9\",{}],\"b\":0.5,\"c\":null}") == 0);
	buf_release(&b);
}

int main(void)
{
	buffers();
	errors();
	hashes();
	utf8();
	json();
	return tap_done();
}
