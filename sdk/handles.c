#include "sdk/handles.h"

#include <stdlib.h>

enum { INDEX_BITS = 12, ROUNDS = 1 << (31 - INDEX_BITS) };

int handles_init(struct handles *h, size_t count)
{
    *h = (struct handles){ .slot = calloc(count, sizeof *h->slot), .slot_count = (uint32_t)count };
    if (!h->slot)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < h->slot_count; i++)
        h->slot[i].next = i + 1;
    h->free_last = h->slot_count - 1;
    return ERR_OK;
}

void handles_deinit(struct handles *h)
{
    free(h->slot);
    *h = (struct handles){ .slot = NULL };
}

int handles_add(struct handles *h, void *object)
{
    uint32_t index = h->free_first;
    struct handle_slot *s;

    if (index == h->slot_count)
        return ERR_LIMIT;
    s = &h->slot[index];
    h->free_first = s->next;
    s->object = object;
    s->round = (s->round + 1) % ROUNDS;
    h->used++;
    return (int)(s->round << INDEX_BITS | index);
}

static struct handle_slot *slot_of(const struct handles *h, int handle)
{
    uint32_t index = (uint32_t)handle & (HANDLES_MAX - 1);

    if (handle < 0 || index >= h->slot_count || !h->slot[index].object ||
        h->slot[index].round != (uint32_t)handle >> INDEX_BITS)
        return NULL;
    return &h->slot[index];
}

void *handles_find(const struct handles *h, int handle)
{
    struct handle_slot *s = slot_of(h, handle);

    return s ? s->object : NULL;
}

void handles_remove(struct handles *h, int handle)
{
    struct handle_slot *s = slot_of(h, handle);
    uint32_t index;

    if (!s)
        return;
    index = (uint32_t)(s - h->slot);
    s->object = NULL;
    s->next = h->slot_count;
    if (h->free_first == h->slot_count)
        h->free_first = index;
    else
        h->slot[h->free_last].next = index;
    h->free_last = index;
    h->used--;
}
