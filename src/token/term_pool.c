/* Interned terms: see term_pool.h. */
#include "token/term_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

void term_pool_init(struct term_pool *p)
{
	*p = (struct term_pool){0};
	/* Without a random seed the pool still works, it is only easier to slow down. */
	(void)!getrandom(&p->seed, sizeof(p->seed), GRND_NONBLOCK);
}

void term_pool_release(struct term_pool *p)
{
	free(p->bytes);
	free(p->terms);
	free(p->slots);
	*p = (struct term_pool){.seed = p->seed};
}

static int grow_slots(struct term_pool *p)
{
	if (p->count < p->slot_count / 2)
		return 0;
	uint32_t slot_count = p->slot_count ? p->slot_count * 2 : 1024;
	uint32_t *slots = slot_count ? calloc(slot_count, sizeof(*slots)) : NULL;
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->count; i++) {
		uint32_t at = p->terms[i].hash & (slot_count - 1);
		while (slots[at])
			at = (at + 1) & (slot_count - 1);
		slots[at] = i + 1;
	}
	free(p->slots);
	p->slots = slots;
	p->slot_count = slot_count;
	return 0;
}

static int grow_arrays(struct term_pool *p, size_t size)
{
	if (p->count == p->capacity) {
		uint32_t capacity = p->capacity ? p->capacity * 2 : 512;
		struct pooled_term *terms = realloc(p->terms, capacity * sizeof(*terms));
		if (!terms)
			return -ENOMEM;
		p->terms = terms;
		p->capacity = capacity;
	}
	if (p->byte_capacity - p->byte_count < size) {
		size_t capacity = (p->byte_capacity ? p->byte_capacity * 2 : 4096) + size;
		char *bytes = capacity <= UINT32_MAX ? realloc(p->bytes, capacity) : NULL;
		if (!bytes)
			return -ENOMEM;
		p->bytes = bytes;
		p->byte_capacity = capacity;
	}
	return 0;
}

int term_pool_add(struct term_pool *p, struct span term, uint32_t *ret_number)
{
	int result = grow_slots(p);
	if (result)
		return result;
	uint32_t hash = (uint32_t)XXH3_64bits_withSeed(term.data, term.size, p->seed);
	uint32_t at = hash & (p->slot_count - 1);
	for (; p->slots[at]; at = (at + 1) & (p->slot_count - 1)) {
		const struct pooled_term *t = &p->terms[p->slots[at] - 1];
		if (t->hash == hash && t->size == term.size && memcmp(p->bytes + t->offset, term.data, term.size) == 0) {
			*ret_number = p->slots[at] - 1;
			return 0;
		}
	}
	result = grow_arrays(p, term.size);
	if (result)
		return result;
	memcpy(p->bytes + p->byte_count, term.data, term.size);
	p->terms[p->count] = (struct pooled_term){.offset = (uint32_t)p->byte_count, .size = (uint32_t)term.size, .hash = hash};
	p->byte_count += term.size;
	p->slots[at] = ++p->count;
	*ret_number = p->count - 1;
	return 0;
}
