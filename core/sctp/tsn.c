#include "core/sctp/tsn.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

void tsn_set_init(struct tsn_set *set, size_t limit)
{
    *set = (struct tsn_set){ .limit = limit };
}

void tsn_set_deinit(struct tsn_set *set)
{
    free(set->ranges);
    tsn_set_init(set, set->limit);
}

/* The index of the first range that ends at or behind tsn. */
static size_t find(const struct tsn_set *set, uint32_t tsn)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (tsn_before(set->ranges[middle].last, tsn))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool tsn_set_has(const struct tsn_set *set, uint32_t tsn)
{
    size_t at = find(set, tsn);

    return at < set->count && !tsn_before(tsn, set->ranges[at].first);
}

static int reserve_one(struct tsn_set *set)
{
    size_t cap = set->cap ? 2 * set->cap : 16;
    struct tsn_range *grown;

    if (set->count < set->cap)
        return ERR_OK;
    if (set->cap >= set->limit)
        return ERR_LIMIT;
    if (cap > set->limit)
        cap = set->limit;
    grown = realloc(set->ranges, cap * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    set->ranges = grown;
    set->cap = cap;
    return ERR_OK;
}

static void remove_at(struct tsn_set *set, size_t at, size_t count)
{
    memmove(set->ranges + at, set->ranges + at + count,
            (set->count - at - count) * sizeof *set->ranges);
    set->count -= count;
}

int tsn_set_add(struct tsn_set *set, uint32_t tsn)
{
    return tsn_set_add_range(set, (struct tsn_range){ .first = tsn, .last = tsn });
}

int tsn_set_add_range(struct tsn_set *set, struct tsn_range range)
{
    size_t at = find(set, range.first);
    struct tsn_range *next = at < set->count ? &set->ranges[at] : NULL;
    struct tsn_range *before = at > 0 ? &set->ranges[at - 1] : NULL;
    bool joins_before = before && before->last + 1 == range.first;
    bool joins_next = next && next->first == range.last + 1;
    int err;

    if (joins_before && joins_next) {
        before->last = next->last;
        remove_at(set, at, 1);
    } else if (joins_before) {
        before->last = range.last;
    } else if (joins_next) {
        next->first = range.first;
    } else {
        if ((err = reserve_one(set)) != ERR_OK)
            return err;
        memmove(set->ranges + at + 1, set->ranges + at, (set->count - at) * sizeof *set->ranges);
        set->ranges[at] = range;
        set->count++;
    }
    return ERR_OK;
}

/* Cannot fail: what was just added either stood alone, lengthened one range, or closed a hole, and
 * then there is room for one range more. */
void tsn_set_remove(struct tsn_set *set, uint32_t tsn)
{
    size_t at = find(set, tsn);
    struct tsn_range *range = &set->ranges[at];

    if (range->first == tsn && range->last == tsn) {
        remove_at(set, at, 1);
    } else if (range->first == tsn) {
        range->first++;
    } else if (range->last == tsn) {
        range->last--;
    } else {
        memmove(range + 1, range, (set->count - at) * sizeof *range);
        set->count++;
        range[0].last = tsn - 1;
        range[1].first = tsn + 1;
    }
}

int tsn_set_append(struct tsn_set *set, struct tsn_range range)
{
    int err;

    if (set->count && set->ranges[set->count - 1].last + 1 == range.first) {
        set->ranges[set->count - 1].last = range.last;
        return ERR_OK;
    }
    if ((err = reserve_one(set)) != ERR_OK)
        return err;
    set->ranges[set->count++] = range;
    return ERR_OK;
}

void tsn_set_drop_to(struct tsn_set *set, uint32_t tsn)
{
    size_t gone = 0;

    while (gone < set->count && !tsn_before(tsn, set->ranges[gone].last))
        gone++;
    if (gone)
        remove_at(set, 0, gone);
    if (set->count && !tsn_before(tsn, set->ranges[0].first))
        set->ranges[0].first = tsn + 1;
}

void tsn_set_difference(const struct tsn_set *a, const struct tsn_set *b, void *ctx,
                        void (*visit)(void *ctx, struct tsn_range range))
{
    size_t j = 0;

    for (size_t i = 0; i < a->count; i++) {
        struct tsn_range left = a->ranges[i];

        for (; j < b->count && !tsn_before(left.last, b->ranges[j].first); j++) {
            if (tsn_before(b->ranges[j].last, left.first))
                continue;
            if (tsn_before(left.first, b->ranges[j].first))
                visit(ctx, (struct tsn_range){ left.first, b->ranges[j].first - 1 });
            left.first = b->ranges[j].last + 1;
            if (!tsn_before(b->ranges[j].last, left.last))
                break; /* b's range may reach into a's next one as well */
        }
        if (!tsn_before(left.last, left.first))
            visit(ctx, left);
    }
}
