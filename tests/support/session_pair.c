#include "tests/support/session_pair.h"

#include <assert.h>
#include <stdlib.h>

#include "tests/support/alloc.h"
#include "tests/support/rng.h"

#define LETTERS_MAX 8192

static void init_letters(struct session_pair *p)
{
    alloc_pause();
    p->letters = calloc(LETTERS_MAX, sizeof *p->letters);
    assert(p->letters && pool_new(&p->pool, 8192) == ERR_OK);
    for (int i = 0; i < 2; i++)
        assert(dtls_identity_new(&p->identity[i], &p->rng, 1750000000) == ERR_OK);
    alloc_resume();
}

int session_pair_init(struct session_pair *p, const struct session_config *cfg)
{
    int err = ERR_OK;

    memset(p, 0, sizeof *p);
    p->seed = 7;
    p->rng = test_rng(&p->seed);
    p->now = SECOND;
    out_init(&p->out, p->buf, sizeof p->buf);
    init_letters(p);
    for (int i = 0; i < 2 && !err; i++) {
        struct session_config c = *cfg;

        c.role = i == OFFERER ? SESSION_OFFERER : SESSION_ANSWERER;
        c.identity = p->identity[i];
        c.pool = p->pool;
        p->addr[i] = addr_ipv4(0x0a000001u + (uint32_t)i, (uint16_t)(4000 + i));
        err = session_new(&p->end[i], &c, &p->rng);
        if (!err)
            err = session_add_socket(p->end[i], p->now, &p->addr[i], 65535);
        if (!err)
            session_end_local(p->end[i], p->now);
    }
    return err;
}

void session_pair_deinit(struct session_pair *p)
{
    for (int i = 0; i < 2; i++) {
        session_free(p->end[i]);
        dtls_identity_free(p->identity[i]);
    }
    free(p->letters);
    pool_free(p->pool);
}

static void post(struct session_pair *p, int from)
{
    for (size_t i = 0; i < p->out.count && !p->is_cut; i++) {
        struct bytes dgram = out_datagram(&p->out, i);
        struct session_letter *letter = &p->letters[p->letter_count];

        assert(p->letter_count < LETTERS_MAX && dgram.len <= sizeof letter->data);
        letter->at = p->now + SESSION_PAIR_DELAY_US;
        letter->to = !from;
        letter->len = dgram.len;
        memcpy(letter->data, dgram.data, dgram.len);
        p->letter_count++;
    }
}

static void take(struct session_pair *p, int end, unsigned channel)
{
    struct session_seen *seen = &p->seen[end];
    struct bytes got;

    while (!p->is_deaf[end] && (got = session_peek(p->end[end], p->now, channel)).len) {
        for (size_t i = 0; i < got.len; i++)
            seen->wrong += got.data[i] != channel;
        seen->received[channel] += got.len;
        session_consume(p->end[end], p->now, channel, got.len);
    }
}

static void on_event(struct session_pair *p, int end, const struct session_event *ev)
{
    struct session_seen *seen = &p->seen[end];

    if (ev->type == SESSION_EVENT_OPEN) {
        seen->is_open = true;
        seen->open_at = p->now;
    } else if (ev->type == SESSION_EVENT_READABLE) {
        take(p, end, ev->channel);
    } else if (ev->type == SESSION_EVENT_CLOSED) {
        seen->is_closed = true;
        seen->closed_at = p->now;
        seen->end = ev->end;
        seen->reason = ev->reason;
    }
}

void session_pair_drain(struct session_pair *p, int end)
{
    struct session_event ev;

    for (;;) {
        if (session_poll_output(p->end[end], p->now, &p->out))
            post(p, end);
        else if (session_poll_event(p->end[end], &ev))
            on_event(p, end, &ev);
        else
            break;
    }
}

int session_pair_answer(struct session_pair *p)
{
    static struct session_description answer;
    int err;

    session_get_local(p->end[ANSWERER], &answer);
    err = session_set_remote(p->end[OFFERER], p->now, &answer);
    session_pair_drain(p, OFFERER);
    return err;
}

int session_pair_signal(struct session_pair *p,
                        void (*meddle)(int from, struct session_description *d))
{
    static struct session_description offer, answer;
    int err;

    session_pair_drain(p, OFFERER);
    session_pair_drain(p, ANSWERER);
    session_get_local(p->end[OFFERER], &offer);
    if (meddle)
        meddle(OFFERER, &offer);
    err = session_set_remote(p->end[ANSWERER], p->now, &offer);
    session_pair_drain(p, ANSWERER);
    if (err || p->hold_answer)
        return err;
    session_get_local(p->end[ANSWERER], &answer);
    if (meddle)
        meddle(ANSWERER, &answer);
    err = session_set_remote(p->end[OFFERER], p->now, &answer);
    session_pair_drain(p, OFFERER);
    return err;
}

static void deliver(struct session_pair *p)
{
    static struct session_letter letter;

    letter = p->letters[0];
    p->letter_count--;
    memmove(p->letters, p->letters + 1, p->letter_count * sizeof *p->letters);
    session_input(p->end[letter.to], p->now, &p->addr[letter.to], &p->addr[!letter.to],
                  bytes_of(letter.data, letter.len));
    session_pair_drain(p, letter.to);
}

void session_pair_run(struct session_pair *p, usec until)
{
    for (;;) {
        usec at = p->letter_count ? p->letters[0].at : USEC_NEVER;
        usec timers[2] = { session_next_timeout(p->end[0]), session_next_timeout(p->end[1]) };

        at = usec_min(at, usec_min(timers[0], timers[1]));
        if (at > until)
            break;
        p->now = usec_max(p->now, at);
        if (p->letter_count && p->letters[0].at <= p->now)
            deliver(p);
        for (int i = 0; i < 2; i++) {
            if (timers[i] <= p->now) {
                session_tick(p->end[i], p->now);
                session_pair_drain(p, i);
            }
        }
    }
    p->now = usec_max(p->now, until);
}
