#include "core/stun/stun.h"

void stun_id_init(struct stun_id *id, const struct rng *rng)
{
    rng_fill(rng, id->bytes, sizeof id->bytes);
}

bool stun_id_equal(const struct stun_id *a, const struct stun_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void stun_txn_init(struct stun_txn *t)
{
    *t = (struct stun_txn){ .due_at = USEC_NEVER };
}

void stun_txn_start(struct stun_txn *t, usec now, const struct rng *rng, usec rto_us,
                    usec rto_max_us, uint8_t sends_max)
{
    *t = (struct stun_txn){
        .sends_max = sends_max, .rto_us = rto_us, .rto_max_us = rto_max_us, .due_at = now
    };
    stun_id_init(&t->id, rng);
}

enum stun_txn_due stun_txn_tick(struct stun_txn *t, usec now)
{
    if (now < t->due_at)
        return STUN_TXN_WAIT;
    if (t->sends == t->sends_max) {
        t->due_at = USEC_NEVER;
        return STUN_TXN_GIVE_UP;
    }
    if (t->sends > 0)
        t->rto_us = usec_min(2 * t->rto_us, t->rto_max_us);
    t->sends++;
    t->sent_at = now;
    t->due_at = now + t->rto_us;
    return STUN_TXN_SEND;
}

bool stun_txn_is_live(const struct stun_txn *t)
{
    return t->due_at != USEC_NEVER;
}

usec stun_txn_next_timeout(const struct stun_txn *t)
{
    return t->due_at;
}
