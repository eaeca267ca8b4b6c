/* Modes of files with access control lists: never more than the list gives. */
#include "tap.h"

#include "source/rights.h"

#include <string.h>

enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct entry {
	unsigned char tag, may, id;
};

/* The attribute: version 2, then tag, permission and id of each, little endian. */
static struct span encode(const struct entry *entries, size_t count, char *out)
{
	memset(out, 0, 4 + count * 8);
	out[0] = 2;
	for (size_t i = 0; i < count; i++) {
		out[4 + i * 8] = (char)entries[i].tag;
		out[6 + i * 8] = (char)entries[i].may;
		out[8 + i * 8] = (char)entries[i].id;
	}
	return (struct span){out, 4 + count * 8};
}

#define NARROWED(mode, ...)                                                                                                                \
	rights_narrowed(S_IFREG | (mode), encode((struct entry[]){__VA_ARGS__}, sizeof((struct entry[]){__VA_ARGS__}) / sizeof(struct entry), bytes))

int main(void)
{
	char bytes[256];
	CHECK(NARROWED(0644, {USER_OBJ, 6, 0}, {GROUP_OBJ, 4, 0}, {OTHER, 4, 0}) == (S_IFREG | 0644));
	/* The mask stands where the group's bits are; the group itself has nothing. */
	CHECK(NARROWED(0640, {USER_OBJ, 6, 0}, {GROUP_OBJ, 0, 0}, {GROUP, 4, 9}, {MASK, 4, 0}, {OTHER, 0, 0}) == (S_IFREG | 0600));
	CHECK(NARROWED(0670, {USER_OBJ, 6, 0}, {USER, 7, 9}, {GROUP_OBJ, 5, 0}, {MASK, 7, 0}, {OTHER, 0, 0}) == (S_IFREG | 0650));
	CHECK(NARROWED(0640, {USER_OBJ, 6, 0}, {GROUP_OBJ, 7, 0}, {MASK, 4, 0}, {OTHER, 0, 0}) == (S_IFREG | 0640));
	/* Whom the list names with less than others have. */
	CHECK(NARROWED(0644, {USER_OBJ, 6, 0}, {USER, 0, 9}, {GROUP_OBJ, 4, 0}, {MASK, 4, 0}, {OTHER, 4, 0}) == (S_IFREG | 0600));
	CHECK(NARROWED(0644, {USER_OBJ, 6, 0}, {GROUP_OBJ, 4, 0}, {GROUP, 0, 9}, {MASK, 4, 0}, {OTHER, 4, 0}) == (S_IFREG | 0640));
	CHECK(NARROWED(0604, {USER_OBJ, 6, 0}, {GROUP_OBJ, 4, 0}, {GROUP, 4, 9}, {MASK, 0, 0}, {OTHER, 4, 0}) == (S_IFREG | 0600));
	/* Without a named entry the mask says nothing of others. */
	CHECK(NARROWED(0604, {USER_OBJ, 6, 0}, {GROUP_OBJ, 4, 0}, {MASK, 0, 0}, {OTHER, 4, 0}) == (S_IFREG | 0604));
	CHECK(rights_narrowed(S_IFDIR | 01755, encode((struct entry[]){{GROUP_OBJ, 5, 0}, {OTHER, 5, 0}}, 2, bytes)) == (S_IFDIR | 01755));
	/* What is not a list. */
	CHECK(NARROWED(0644, {64, 7, 0}) == (S_IFREG | 0600));
	CHECK(rights_narrowed(S_IFREG | 0644, (struct span){bytes, 11}) == (S_IFREG | 0600));
	CHECK(rights_narrowed(S_IFREG | 0644, (struct span){"", 0}) == (S_IFREG | 0600));
	bytes[0] = 3;
	CHECK(rights_narrowed(S_IFREG | 0644, (struct span){bytes, 12}) == (S_IFREG | 0600));
	return tap_done();
}
