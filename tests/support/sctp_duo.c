#include "tests/support/sctp_duo.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/rng.h"

/* What a test cannot begin without. */
static void must(int err)
{
    if (err != ERR_OK)
        abort();
}

void duo_init(struct sctp_duo *d, uint64_t seed, uint32_t pool_blocks)
{
    memset(d, 0, sizeof *d);
    d->seed = seed;
    d->rng = test_rng(&d->seed);
    d->now = SECOND;
    out_init(&d->out, d->buf, sizeof d->buf);
    must(pool_new(&d->pool, pool_blocks));
}

int duo_make(struct sctp_duo *d, int end, const struct sctp_config *cfg)
{
    struct sctp_config own = *cfg;

    own.pool = d->pool;
    return sctp_new(&d->sctp[end], &own, &d->rng);
}

void duo_make_both(struct sctp_duo *d, const struct sctp_config *cfg)
{
    for (int end = 0; end < 2; end++)
        must(duo_make(d, end, cfg));
}

void duo_deinit(struct sctp_duo *d)
{
    sctp_free(d->sctp[0]);
    sctp_free(d->sctp[1]);
    pool_free(d->pool);
}

bool duo_move(struct sctp_duo *d, int from)
{
    out_reset(&d->out);
    if (!sctp_poll_output(d->sctp[from], d->now, &d->out))
        return false;
    for (size_t i = 0; i < d->out.count; i++)
        (void)sctp_input(d->sctp[!from], d->now, out_datagram(&d->out, i));
    return true;
}

void duo_wait(struct sctp_duo *d, usec us)
{
    d->now += us;
    sctp_tick(d->sctp[0], d->now);
    sctp_tick(d->sctp[1], d->now);
}
