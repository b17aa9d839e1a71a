/* tsn.h: serial number arithmetic (RFC 1982, RFC 9260 §1.6) and sets of TSNs as sorted ranges. */
#ifndef HAWSER_SCTP_TSN_H
#define HAWSER_SCTP_TSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool tsn_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline uint32_t tsn_max(uint32_t a, uint32_t b)
{
    return tsn_before(a, b) ? b : a;
}

static inline uint32_t tsn_min(uint32_t a, uint32_t b)
{
    return tsn_before(a, b) ? a : b;
}

struct tsn_range {
    uint32_t first, last; /* both in the set */
};

/* Ascending, apart by at least one TSN, all within half the number space. */
struct tsn_set {
    struct tsn_range *ranges; /* NULL until the first TSN enters */
    size_t count, cap, limit; /* limit: most ranges there may ever be */
};

void tsn_set_init(struct tsn_set *set, size_t limit);
void tsn_set_deinit(struct tsn_set *set);

bool tsn_set_has(const struct tsn_set *set, uint32_t tsn);

/* ERR_LIMIT and ERR_NOMEM leave the set as it was. The TSN must not be in it. */
int tsn_set_add(struct tsn_set *set, uint32_t tsn);

/* Adds a range of which no TSN is in the set. Same errors. */
int tsn_set_add_range(struct tsn_set *set, struct tsn_range range);

/* Takes back the TSN that was added last. */
void tsn_set_remove(struct tsn_set *set, uint32_t tsn);

/* Appends a range behind all others, joining it where it touches the last. Same errors. */
int tsn_set_append(struct tsn_set *set, struct tsn_range range);

/* Removes every TSN up to and including tsn. */
void tsn_set_drop_to(struct tsn_set *set, uint32_t tsn);

/* Calls visit for each range of a that is not in b, ascending. */
void tsn_set_difference(const struct tsn_set *a, const struct tsn_set *b, void *ctx,
                        void (*visit)(void *ctx, struct tsn_range range));

#endif
