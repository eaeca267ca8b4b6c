/* UTF-8 decoding and validation: see utf8.h. */
#include "base/utf8.h"

size_t utf8_decode(struct span s, size_t at, uint32_t *ret)
{
	if (at >= s.size)
		return 0;
	const unsigned char *p = (const unsigned char *)s.data + at;
	size_t left = s.size - at;
	uint32_t c = p[0];
	if (c < 0x80) {
		*ret = c;
		return 1;
	}
	size_t length;
	uint32_t smallest;
	if (c >= 0xc2 && c <= 0xdf)
		length = 2, smallest = 0x80, c &= 0x1f;
	else if (c >= 0xe0 && c <= 0xef)
		length = 3, smallest = 0x800, c &= 0x0f;
	else if (c >= 0xf0 && c <= 0xf4)
		length = 4, smallest = 0x10000, c &= 0x07;
	else
		return 0;
	if (left < length)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return length;
}

size_t utf8_encode(uint32_t c, char out[4])
{
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t utf8_ascii_prefix(struct span s)
{
	size_t i = 0;
	for (; i + 8 <= s.size; i += 8) {
		uint64_t word;
		memcpy(&word, s.data + i, 8);
		if (word & 0x8080808080808080u)
			break;
	}
	while (i < s.size && (unsigned char)s.data[i] < 0x80)
		i++;
	return i;
}

size_t utf8_valid_prefix(struct span s)
{
	size_t at = 0;
	while (at < s.size) {
		at += utf8_ascii_prefix((struct span){s.data + at, s.size - at});
		while (at < s.size && (unsigned char)s.data[at] >= 0x80) {
			uint32_t code_point;
			size_t n = utf8_decode(s, at, &code_point);
			if (n == 0)
				return at;
			at += n;
		}
	}
	return at;
}

bool utf8_is_valid(struct span s)
{
	return utf8_valid_prefix(s) == s.size;
}
