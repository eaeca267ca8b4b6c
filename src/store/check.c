/* A walk over the pages of the data file before LMDB maps it. LMDB 0.9 trusts its pages: a flipped bit in one can make it read past
 * the file (SIGBUS), write over live pages or end the process with an assertion. Our checksums come too late for that, they cover
 * values.
 *
 * Read with pread, so that nothing can go wrong here but an answer. Every page that can be reached must lie in the file, be of its
 * kind, have its nodes inside itself and its keys in order, and be reached once; a free page must not be in use. The layout is that
 * of mdb.c 0.9 (MDB_page, MDB_node, MDB_db, MDB_meta) on a 64-bit machine; another version of LMDB refuses the file by its meta
 * page. */
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_BRANCH = 0x01, PAGE_LEAF = 0x02, PAGE_OVERFLOW = 0x04, PAGE_META = 0x08 };
enum { NODE_BIG = 0x01, NODE_TABLE = 0x02 };
enum { KEY_MAX = 511, DEPTH_MAX = 32, KEY_INTEGER = 0x08 };
/* A walk over a file of so many pages takes about 5 ms (measured: 11 ms for 220 MB, in the page cache) and is always made. */
enum { PAGES_QUICK = 32768 };

/* Pages that one transaction can take and free: LMDB's MDB_IDL_UM_MAX is 2^17 - 1, and a page of the list stands for several. */
enum { UNWRITTEN_MAX = 1 << 20 };

struct tree {
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

struct page_head {
	uint64_t number;
	uint16_t pad, flags, lower, upper;
};

struct meta_page {
	struct page_head head;
	uint32_t magic, version;
	uint64_t address, map_size;
	struct tree trees[2]; /* free pages, main; the first one's pad is the page size */
	uint64_t last_page, transaction;
};

struct node {
	uint16_t low, high, flags, key_size;
};

_Static_assert(sizeof(struct tree) == 48 && sizeof(struct page_head) == 16 && sizeof(struct meta_page) == 152 &&
                       sizeof(struct node) == 8,
               "padding");

static const uint32_t meta_magic = 0xBEEFC0DE, meta_version = 1;
static const uint64_t no_page = UINT64_MAX;

struct check {
	int fd;
	uint32_t page_size;
	uint64_t pages, limit; /* pages there are in the file, and that the meta page says */
	uint8_t *seen;         /* bit per page: reached or free */
};

/* --- pages --------------------------------------------------------------------------------------------------------- */

static bool read_at(const struct check *c, uint64_t page, void *out, size_t size)
{
	return pread(c->fd, out, size, (off_t)(page * c->page_size)) == (ssize_t)size;
}

/* Marks pages as reached; false when one was already, or is outside. */
static bool claim(struct check *c, uint64_t page, uint64_t count)
{
	if (page < 2 || page >= c->limit || count > c->limit - page)
		return false;
	for (uint64_t i = page; i < page + count; i++) {
		uint8_t bit = (uint8_t)(1 << (i % 8));
		if (c->seen[i / 8] & bit)
			return false;
		c->seen[i / 8] |= bit;
	}
	return true;
}

static bool claim_in_file(struct check *c, uint64_t page, uint64_t count)
{
	return claim(c, page, count) && page + count <= c->pages;
}

static uint64_t node_child(const struct node *n)
{
	return (uint64_t)n->low | (uint64_t)n->high << 16 | (uint64_t)n->flags << 32;
}

static uint32_t node_size(const struct node *n)
{
	return (uint32_t)n->low | (uint32_t)n->high << 16;
}

/* Node `i` of a page, with where its key begins; false when it is not inside the page. */
static bool take_node(const struct check *c, const uint8_t *page, const struct page_head *head, unsigned i, struct node *ret,
                      const uint8_t **ret_key)
{
	uint16_t at;
	memcpy(&at, page + sizeof(*head) + 2 * (size_t)i, sizeof(at));
	if (at < head->upper || at % 2 || (size_t)at + sizeof(*ret) > c->page_size)
		return false;
	memcpy(ret, page + at, sizeof(*ret));
	size_t size = sizeof(*ret) + ret->key_size;
	if (head->flags == PAGE_LEAF)
		size += ret->flags & NODE_BIG ? sizeof(uint64_t) : node_size(ret);
	*ret_key = page + at + sizeof(*ret);
	return ret->key_size <= KEY_MAX && at + size <= c->page_size;
}

static bool keys_in_order(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, bool integers)
{
	if (integers) {
		uint64_t x, y;
		if (a_size != sizeof(x) || b_size != sizeof(y))
			return false;
		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		return x < y;
	}
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
	return order < 0 || (order == 0 && a_size < b_size);
}

static bool page_is_sane(const struct check *c, const struct page_head *head, uint64_t number, bool leaf)
{
	return head->number == number && head->flags == (leaf ? PAGE_LEAF : PAGE_BRANCH) && head->lower % 2 == 0 &&
	       head->lower > sizeof(*head) && head->lower <= head->upper && head->upper <= c->page_size;
}

/* --- trees --------------------------------------------------------------------------------------------------------- */

enum kind { TREE_FREE, TREE_MAIN, TREE_TABLE };

static bool check_tree(struct check *c, const struct tree *tree, enum kind kind);

/* A record of the free list: how many pages, and their numbers falling. */
static bool check_free_list(struct check *c, const uint8_t *list, size_t size)
{
	uint64_t count, page, above = no_page;
	if (size < sizeof(count))
		return false;
	memcpy(&count, list, sizeof(count));
	if (count != size / sizeof(count) - 1)
		return false;
	for (uint64_t i = 1; i <= count; i++, above = page) {
		memcpy(&page, list + i * sizeof(page), sizeof(page));
		if (page >= above || !claim(c, page, 1))
			return false;
	}
	return true;
}

static bool check_overflow(struct check *c, uint64_t page, uint32_t size, enum kind kind)
{
	struct page_head head;
	uint32_t pages;
	uint64_t need = (sizeof(head) + (uint64_t)size + c->page_size - 1) / c->page_size;
	if (page >= c->limit || !read_at(c, page, &head, sizeof(head)))
		return false;
	memcpy(&pages, (const char *)&head + 12, sizeof(pages));
	if (head.number != page || head.flags != PAGE_OVERFLOW || pages < need || !claim_in_file(c, page, pages))
		return false;
	if (kind != TREE_FREE)
		return true;
	uint8_t *list = malloc(size);
	bool good = list && pread(c->fd, list, size, (off_t)(page * c->page_size + sizeof(head))) == (ssize_t)size &&
	            check_free_list(c, list, size);
	free(list);
	return good;
}

static bool check_leaf_node(struct check *c, const struct node *n, const uint8_t *data, enum kind kind)
{
	uint64_t page;
	struct tree table;
	switch (n->flags) {
	case 0:
		return kind == TREE_FREE ? check_free_list(c, data, node_size(n)) : kind == TREE_TABLE;
	case NODE_BIG:
		memcpy(&page, data, sizeof(page));
		return kind != TREE_MAIN && check_overflow(c, page, node_size(n), kind);
	case NODE_TABLE:
		if (kind != TREE_MAIN || node_size(n) != sizeof(table))
			return false;
		memcpy(&table, data, sizeof(table));
		return table.flags == 0 && check_tree(c, &table, TREE_TABLE);
	default:
		return false;
	}
}

static bool check_page(struct check *c, uint64_t number, unsigned depth, enum kind kind)
{
	bool leaf = depth == 1, good;
	struct page_head head;
	struct node n, last = {0};
	const uint8_t *key, *last_key = NULL;
	uint8_t *page = malloc(c->page_size);
	good = page && claim_in_file(c, number, 1) && read_at(c, number, page, c->page_size);
	if (good) {
		memcpy(&head, page, sizeof(head));
		good = page_is_sane(c, &head, number, leaf);
	}
	unsigned count = good ? (head.lower - (unsigned)sizeof(head)) / 2 : 0;
	for (unsigned i = 0; i < count && good; i++, last = n, last_key = key) {
		good = take_node(c, page, &head, i, &n, &key);
		/* The first key of a branch page is never looked at. */
		if (good && last_key && (leaf || i > 1))
			good = keys_in_order(last_key, last.key_size, key, n.key_size, kind == TREE_FREE);
		if (good)
			good = leaf ? check_leaf_node(c, &n, key + n.key_size, kind)
			            : check_page(c, node_child(&n), depth - 1, kind);
	}
	free(page);
	return good;
}

static bool check_tree(struct check *c, const struct tree *tree, enum kind kind)
{
	if (tree->root == no_page)
		return tree->depth == 0 && tree->entries == 0;
	return tree->depth > 0 && tree->depth <= DEPTH_MAX && check_page(c, tree->root, tree->depth, kind);
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

static bool meta_is_sane(const struct meta_page *m, uint64_t number, uint32_t page_size)
{
	return m->head.number == number && m->head.flags == PAGE_META && m->magic == meta_magic && m->version == meta_version &&
	       m->trees[0].pad == page_size && m->trees[0].flags == KEY_INTEGER && m->trees[1].flags == 0 && m->last_page >= 1 &&
	       m->last_page < ((uint64_t)1 << 47) / page_size;
}

static int walk(struct check *c, const struct meta_page *m)
{
	c->seen = calloc(c->limit / 8 + 1, 1);
	if (!c->seen)
		return -ENOMEM;
	bool good = check_tree(c, &m->trees[1], TREE_MAIN) && check_tree(c, &m->trees[0], TREE_FREE);
	free(c->seen);
	return good ? 0 : -EIO;
}

static int check_open_file(int fd, bool careful, const char **ret_why)
{
	struct meta_page metas[2];
	struct stat st;
	struct check c = {.fd = fd, .page_size = (uint32_t)sysconf(_SC_PAGESIZE)};
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_why = "it is not a store of this program";
	if (!S_ISREG(st.st_mode))
		return -EIO;
	if (st.st_size == 0)
		return -ENOENT;
	for (unsigned i = 0; i < 2; i++)
		if (!read_at(&c, i, &metas[i], sizeof(*metas)) || !meta_is_sane(&metas[i], i, c.page_size))
			return -EIO;
	/* As LMDB chooses. */
	const struct meta_page *m = &metas[metas[0].transaction < metas[1].transaction];
	c.limit = m->last_page + 1;
	c.pages = (uint64_t)st.st_size / c.page_size;
	/* The file may end before the last page: pages freed by the transaction that took them are never written. But then
	 * everything that is in use has to be looked for. */
	*ret_why = c.pages < c.limit ? "its file is cut off" : "its pages are damaged";
	if (c.limit > c.pages + UNWRITTEN_MAX)
		return -EIO;
	if (careful || c.pages < c.limit || c.limit <= PAGES_QUICK)
		return walk(&c, m);
	return 0;
}

int check_file(const char *path, bool careful, const char **ret_why)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = check_open_file(fd, careful, ret_why);
	(void)close(fd);
	return error;
}
