#include "tests/support/session_pair.h"

#include <assert.h>
#include <stdlib.h>

#include "tests/support/alloc.h"
#include "tests/support/rng.h"

#define LETTERS_MAX 8192
#define NOTES_MAX   256

static void init_letters(struct session_pair *p)
{
    alloc_pause();
    p->letters = p->letter_store = calloc(2 * LETTERS_MAX, sizeof *p->letters);
    p->notes = calloc(NOTES_MAX, sizeof *p->notes);
    assert(p->letters && p->notes && pool_new(&p->pool, 8192) == ERR_OK);
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
    p->delay_us = p->note_delay_us = SESSION_PAIR_DELAY_US;
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
    free(p->letter_store);
    free(p->notes);
    pool_free(p->pool);
}

int session_pair_add_socket(struct session_pair *p, int end, const struct addr *base,
                            uint16_t preference)
{
    assert(p->more_count[end] < SESSION_PAIR_ADDRS_MAX);
    p->more[end][p->more_count[end]++] = *base;
    return session_add_socket(p->end[end], p->now, base, preference);
}

static bool owns(const struct session_pair *p, int end, const struct addr *addr)
{
    bool found = addr_equal(&p->addr[end], addr);

    for (unsigned i = 0; i < p->more_count[end]; i++)
        found |= addr_equal(&p->more[end][i], addr);
    return found;
}

static bool is_dead(const struct session_pair *p, const struct addr *addr)
{
    for (unsigned i = 0; i < p->dead_count; i++)
        if (addr_equal(&p->dead[i], addr))
            return true;
    return false;
}

/* Letters stay in the order of their arrival. */
static void post_one(struct session_pair *p, const struct session_letter *letter,
                     struct bytes dgram)
{
    size_t i = p->letter_count;

    assert(p->letter_count < LETTERS_MAX && dgram.len <= sizeof letter->data);
    while (i > 0 && p->letters[i - 1].at > letter->at)
        i--;
    memmove(&p->letters[i + 1], &p->letters[i], (p->letter_count - i) * sizeof *p->letters);
    p->letters[i].at = letter->at;
    p->letters[i].to = letter->to;
    p->letters[i].is_stream = letter->is_stream;
    p->letters[i].from_addr = letter->from_addr;
    p->letters[i].to_addr = letter->to_addr;
    p->letters[i].len = dgram.len;
    memcpy(p->letters[i].data, dgram.data, dgram.len);
    if (p->bends_flights && dgram.len && (dgram.data[0] == 20 || dgram.data[0] == 22))
        p->letters[i].data[dgram.len - 1] ^= 1;
    p->letter_count++;
}

/* Where an address is, seen from an end or the relay; -1: nowhere, or cut off. */
static int find_end(const struct session_pair *p, int from, const struct addr *to)
{
    if (p->relay && from != RELAY && relay_is_at(p->relay, to))
        return RELAY;
    for (int i = 0; i < 2; i++)
        if (i != from && owns(p, i, to))
            return from != RELAY && p->is_direct_cut ? -1 : i;
    return -1;
}

static bool fits(const struct session_pair *p, struct bytes dgram)
{
    return dgram.len <= (p->payload_max ? p->payload_max : 1472);
}

static void post(struct session_pair *p, int from)
{
    const struct out *run = &p->out;
    static struct session_letter letter;

    p->posted += run->count;
    letter.at = p->now + p->delay_us;
    letter.from_addr = run->from;
    letter.to_addr = run->to;
    letter.is_stream = run->stream != 0;
    letter.to = find_end(p, from, &run->to);
    if (p->is_cut || letter.to < 0 || is_dead(p, &run->from) || is_dead(p, &run->to))
        return;
    for (size_t i = 0; i < run->count; i++) {
        struct bytes dgram = out_datagram(run, i);

        if (p->lose_nth && --p->lose_nth == 0)
            continue;
        if (!run->stream && !fits(p, dgram))
            continue;
        if (!run->stream)
            p->longest = dgram.len > p->longest ? dgram.len : p->longest;
        post_one(p, &letter, dgram);
    }
}

static void drain_relay(struct session_pair *p)
{
    static struct session_letter letter;
    struct relay_packet packet;

    while (relay_poll_output(p->relay, &packet)) {
        letter.at = p->now + p->delay_us;
        letter.from_addr = packet.from;
        letter.to_addr = packet.to;
        letter.is_stream = packet.stream;
        letter.to = find_end(p, RELAY, &packet.to);
        if (!p->is_cut && letter.to >= 0 && !is_dead(p, &packet.to) &&
            (packet.stream || fits(p, packet.dgram)))
            post_one(p, &letter, packet.dgram);
    }
}

static void take(struct session_pair *p, int end, unsigned channel)
{
    struct session_seen *seen = &p->seen[end];
    struct bytes got;

    while (!p->is_deaf[end] && (got = session_peek(p->end[end], p->now, channel)).len) {
        if (!seen->first_at)
            seen->first_at = p->now;
        for (size_t i = 0; i < got.len; i++)
            seen->wrong += got.data[i] != channel;
        seen->received[channel] += got.len;
        session_consume(p->end[end], p->now, channel, got.len);
    }
}

static struct session_note *new_note(struct session_pair *p, int to)
{
    struct session_note *note = &p->notes[p->note_count];

    assert(p->note_count < NOTES_MAX);
    if (p->is_silent)
        return NULL;
    p->note_count++;
    note->at = p->now + p->note_delay_us;
    note->to = to;
    return note;
}

void session_pair_tell(struct session_pair *p, int from)
{
    struct session_note *note = new_note(p, !from);

    if (!note)
        return;
    note->is_candidate = false;
    session_get_local(p->end[from], &note->description);
}

static void tell_candidate(struct session_pair *p, int from, const struct ice_candidate *c)
{
    struct session_note *note = new_note(p, !from);

    if (!note)
        return;
    note->is_candidate = true;
    note->candidate = *c;
}

static void on_open(struct session_pair *p, int end)
{
    static const uint8_t hello = 0;

    p->seen[end].is_open = true;
    p->seen[end].open_at = p->now;
    if (p->is_talking[end])
        (void)session_send(p->end[end], p->now, 0, bytes_of(&hello, 1));
}

static void on_event(struct session_pair *p, int end, const struct session_event *ev)
{
    struct session_seen *seen = &p->seen[end];

    if (ev->type == SESSION_EVENT_OPEN) {
        on_open(p, end);
    } else if (ev->type == SESSION_EVENT_CANDIDATE) {
        tell_candidate(p, end, &ev->candidate);
    } else if (ev->type == SESSION_EVENT_RESTART) {
        seen->restarts++;
        session_pair_tell(p, end);
    } else if (ev->type == SESSION_EVENT_PATH) {
        seen->paths++;
        seen->path = ev->path;
        seen->path_at = p->now;
    } else if (ev->type == SESSION_EVENT_RELAY) {
        seen->relay_states[ev->relay_state]++;
        seen->redirected = ev->server;
        if (p->on_relay)
            p->on_relay(p, end, ev);
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

static void deliver_to_relay(struct session_pair *p, const struct session_letter *letter)
{
    struct bytes data = bytes_of(letter->data, letter->len);

    if (letter->is_stream)
        relay_input_stream(p->relay, p->now, &letter->from_addr, &letter->to_addr, data);
    else
        relay_input(p->relay, p->now, &letter->from_addr, &letter->to_addr, data);
    drain_relay(p);
}

/* Letters are moved once in a while, not for each that leaves. */
static void drop_first_letter(struct session_pair *p)
{
    p->letter_count--;
    p->letters++;
    if (p->letters == p->letter_store + LETTERS_MAX) {
        memmove(p->letter_store, p->letters, p->letter_count * sizeof *p->letters);
        p->letters = p->letter_store;
    }
}

static void deliver(struct session_pair *p)
{
    static struct session_letter letter;
    struct bytes data;

    letter = p->letters[0];
    data = bytes_of(letter.data, letter.len);
    drop_first_letter(p);
    if (letter.to == RELAY) {
        deliver_to_relay(p, &letter);
        return;
    }
    if (letter.is_stream)
        session_input_stream(p->end[letter.to], p->now, SESSION_PAIR_STREAM, data);
    else
        session_input(p->end[letter.to], p->now, &letter.to_addr, &letter.from_addr, data);
    session_pair_drain(p, letter.to);
}

static void deliver_note(struct session_pair *p)
{
    static struct session_note note;
    struct session *s;

    note = p->notes[0];
    p->note_count--;
    memmove(p->notes, p->notes + 1, p->note_count * sizeof *p->notes);
    s = p->end[note.to];
    p->seen[note.to].note_err = note.is_candidate
                                    ? session_add_remote(s, p->now, &note.candidate)
                                    : session_set_restart(s, p->now, &note.description);
    session_pair_drain(p, note.to);
}

static usec next_at(const struct session_pair *p)
{
    usec at = p->letter_count ? p->letters[0].at : USEC_NEVER;

    if (p->note_count)
        at = usec_min(at, p->notes[0].at);
    for (int i = 0; i < 2; i++)
        at = usec_min(at, session_next_timeout(p->end[i]));
    if (p->relay)
        at = usec_min(at, relay_next_timeout(p->relay));
    return at;
}

void session_pair_run(struct session_pair *p, usec until)
{
    for (usec at = next_at(p); at <= until; at = next_at(p)) {
        usec timers[2] = { session_next_timeout(p->end[0]), session_next_timeout(p->end[1]) };

        p->now = usec_max(p->now, at);
        if (p->note_count && p->notes[0].at <= p->now)
            deliver_note(p);
        if (p->letter_count && p->letters[0].at <= p->now)
            deliver(p);
        if (p->relay)
            relay_tick(p->relay, p->now);
        for (int i = 0; i < 2; i++) {
            if (timers[i] <= p->now) {
                session_tick(p->end[i], p->now);
                session_pair_drain(p, i);
            }
        }
    }
    p->now = usec_max(p->now, until);
}
