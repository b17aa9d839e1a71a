/* dtls_pair.c: a bag of letters, the earliest of which is delivered next. */
#include "tests/support/dtls_pair.h"

#include "tests/support/alloc.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>

static struct dtls_identity *identities[2];

static void fill(void *ctx, void *out, size_t len)
{
    (void)ctx;
    if (RAND_bytes(out, (int)len) != 1)
        abort();
}

static const struct rng rng = { .fill = fill };

struct dtls_identity *dtls_pair_identity(int end)
{
    if (!identities[end] && dtls_identity_new(&identities[end], &rng, 1700000000))
        abort();
    return identities[end];
}

void dtls_pair_forget_identities(void)
{
    for (int end = CLIENT; end <= SERVER; end++) {
        dtls_identity_free(identities[end]);
        identities[end] = NULL;
    }
}

void dtls_pair_init(struct dtls_pair *p, size_t mtu)
{
    dtls_pair_init_as(p, mtu, false);
}

void dtls_pair_init_as(struct dtls_pair *p, size_t mtu, bool false_start)
{
    memset(p, 0, sizeof *p);
    p->now = SECOND;
    for (int end = CLIENT; end <= SERVER; end++)
        p->identity[end] = dtls_pair_identity(end);
    for (int end = CLIENT; end <= SERVER; end++) {
        struct dtls_config cfg = { .identity = p->identity[end],
                                   .role = end == CLIENT ? DTLS_CLIENT : DTLS_SERVER,
                                   .mtu = mtu,
                                   .false_start = false_start,
                                   .rtt_us = 2 * DTLS_PAIR_DELAY_US };

        memcpy(cfg.remote_fingerprint, dtls_identity_fingerprint(p->identity[!end]),
               sizeof cfg.remote_fingerprint);
        if (dtls_new(&p->end[end], &cfg, &rng))
            abort();
    }
}

void dtls_pair_deinit(struct dtls_pair *p)
{
    dtls_free(p->end[CLIENT]);
    dtls_free(p->end[SERVER]);
}

void dtls_pair_post(struct dtls_pair *p, int from, struct bytes dgram)
{
    struct dtls_letter letter = { .to = !from,
                                  .at = p->now + DTLS_PAIR_DELAY_US,
                                  .index = p->sent++,
                                  .copies = 1,
                                  .len = dgram.len };

    assert(dgram.len <= sizeof letter.data);
    memcpy(letter.data, dgram.data, dgram.len);
    if (p->meddle)
        p->meddle(p->ctx, &letter);
    for (; letter.copies; letter.copies--) {
        assert(p->letter_count < DTLS_PAIR_IN_FLIGHT);
        p->letters[p->letter_count++] = letter;
    }
}

static void drain_output(struct dtls_pair *p, int end)
{
    static uint8_t buf[DTLS_PAIR_RUN_MAX];
    struct out out;

    out_init(&out, buf, sizeof buf);
    while (dtls_poll_output(p->end[end], &out)) {
        for (size_t i = 0; i < out.count; i++)
            dtls_pair_post(p, end, out_datagram(&out, i));
        out_reset(&out);
    }
}

void dtls_pair_drain(struct dtls_pair *p, int end)
{
    struct dtls_seen *seen = &p->seen[end];
    struct dtls_event ev;
    struct bytes packet;

    while (dtls_poll_data(p->end[end], &packet)) {
        seen->packets++;
        seen->bytes += packet.len;
        memcpy(seen->packet_data, packet.data, packet.len);
        seen->last = bytes_of(seen->packet_data, packet.len);
    }
    while (dtls_poll_event(p->end[end], &ev)) {
        seen->has_keys |= ev.type == DTLS_EVENT_KEYS;
        seen->is_up |= ev.type == DTLS_EVENT_UP;
        if (ev.type == DTLS_EVENT_KEYS || ev.type == DTLS_EVENT_UP)
            continue;
        seen->has_ended = true;
        seen->end = ev.type;
        seen->reason = ev.reason;
    }
    drain_output(p, end);
}

void dtls_pair_start(struct dtls_pair *p)
{
    for (int end = SERVER; end >= CLIENT; end--) {
        dtls_start(p->end[end], p->now);
        dtls_pair_drain(p, end);
    }
}

static void deliver(struct dtls_pair *p, size_t i)
{
    struct dtls_letter letter = p->letters[i];
    uint8_t *exact; /* so that a sanitizer sees the end of it */

    alloc_pause();
    exact = malloc(letter.len ? letter.len : 1);
    assert(exact);
    alloc_resume();
    memcpy(exact, letter.data, letter.len);
    p->letter_count--;
    memmove(&p->letters[i], &p->letters[i + 1], (p->letter_count - i) * sizeof letter);
    (void)dtls_input(p->end[letter.to], p->now, bytes_of(exact, letter.len));
    free(exact);
    dtls_pair_drain(p, letter.to);
}

static size_t earliest(const struct dtls_pair *p)
{
    size_t best = 0;

    for (size_t i = 1; i < p->letter_count; i++)
        if (p->letters[i].at < p->letters[best].at)
            best = i;
    return best;
}

void dtls_pair_run(struct dtls_pair *p, usec until)
{
    for (;;) {
        size_t next = earliest(p);
        usec letter_at = p->letter_count ? p->letters[next].at : USEC_NEVER;
        usec timer_at =
            usec_min(dtls_next_timeout(p->end[CLIENT]), dtls_next_timeout(p->end[SERVER]));
        usec at = usec_min(letter_at, timer_at);

        if (at == USEC_NEVER || at > until)
            break;
        p->now = usec_max(p->now, at);
        if (letter_at <= timer_at) {
            deliver(p, next);
            continue;
        }
        for (int end = CLIENT; end <= SERVER; end++) {
            dtls_tick(p->end[end], p->now);
            dtls_pair_drain(p, end);
        }
    }
}

int dtls_pair_send(struct dtls_pair *p, int from, struct bytes packet)
{
    uint8_t buf[DTLS_DATAGRAM_MAX];
    struct out out;
    int err;

    out_init(&out, buf, sizeof buf);
    out.head = DTLS_HEAD;
    out.tail = DTLS_TAIL;
    if (!out_add_bytes(&out, packet))
        return ERR_LIMIT;
    err = dtls_seal(p->end[from], &out);
    if (err == ERR_OK)
        dtls_pair_post(p, from, out_datagram(&out, 0));
    return err;
}
