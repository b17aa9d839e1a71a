#include "core/lan/finder.h"

#include <openssl/crypto.h>

/* From one round to the next. */
static usec gap_after(unsigned rounds)
{
    static const usec gaps[] = { 100 * MILLISECOND, 200 * MILLISECOND, 700 * MILLISECOND, SECOND };

    return rounds <= COUNT(gaps) ? gaps[rounds - 1] : 3 * SECOND;
}

void lan_finder_start(struct lan_finder *f, usec now, const struct rng *rng,
                      const uint8_t secret[LAN_SECRET_BYTES])
{
    memcpy(f->secret, secret, sizeof f->secret);
    rng_fill(rng, f->series, sizeof f->series);
    f->next_at = f->round_count < LAN_ROUNDS_MAX ? now : USEC_NEVER;
}

void lan_finder_stop(struct lan_finder *f)
{
    f->next_at = USEC_NEVER;
}

void lan_finder_deinit(struct lan_finder *f)
{
    OPENSSL_cleanse(f, sizeof *f);
    f->next_at = USEC_NEVER;
}

bool lan_finder_poll(struct lan_finder *f, usec now)
{
    if (now < f->next_at)
        return false;
    f->round_count++;
    f->next_at = f->round_count < LAN_ROUNDS_MAX ? now + gap_after(f->round_count) : USEC_NEVER;
    return true;
}

int lan_finder_probe(struct lan_finder *f, uint8_t out[LAN_MESSAGE_BYTES])
{
    struct lan_message m = { .type = LAN_PROBE };
    struct wr w = wr_of(m.nonce, sizeof m.nonce);

    if (f->probe_count == LAN_PROBES_MAX)
        return ERR_LIMIT;
    wr_bytes(&w, bytes_of(f->series, sizeof f->series));
    wr_u16(&w, f->probe_count++);
    return lan_message_encode(out, &m, f->secret);
}

usec lan_finder_next_timeout(const struct lan_finder *f)
{
    return f->next_at;
}

/* Whether it echoes a nonce that was sent. */
static bool is_ours(const struct lan_finder *f, const uint8_t echo[LAN_NONCE_BYTES])
{
    struct rd r = rd_of(bytes_of(echo, LAN_NONCE_BYTES));
    struct bytes series = rd_bytes(&r, sizeof f->series);

    return bytes_equal(series, bytes_of(f->series, sizeof f->series)) &&
           rd_u16(&r) < f->probe_count;
}

enum verdict lan_finder_input(const struct lan_finder *f, struct bytes dgram,
                              struct lan_message *reply)
{
    struct lan_message m;
    enum verdict v = lan_message_decode(&m, dgram);

    if (v != VERDICT_TAKEN)
        return v;
    if (m.type != LAN_REPLY)
        return VERDICT_UNEXPECTED;
    if (!is_ours(f, m.echo))
        return VERDICT_FOREIGN;
    if (!lan_message_is_genuine(dgram, f->secret))
        return VERDICT_FORGED;
    *reply = m;
    return VERDICT_TAKEN;
}

int lan_finder_hello(const struct lan_finder *f, const struct rng *rng,
                     const struct lan_message *reply, uint8_t out[LAN_MESSAGE_BYTES])
{
    struct lan_message m = { .type = LAN_HELLO };

    rng_fill(rng, m.nonce, sizeof m.nonce);
    memcpy(m.echo, reply->nonce, sizeof m.echo);
    return lan_message_encode(out, &m, f->secret);
}
