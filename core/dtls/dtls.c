/* dtls.c: the states of an association and who gets a datagram in each. */
#include "core/dtls/dtls.h"

#include "core/dtls/handshake.h"
#include "core/dtls/record.h"
#include "core/dtls/wire.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

/* Datagrams that came too early: a ClientHello before start, data before the Finished. */
#define HELD_MAX 16

/* Records of the next epoch that OpenSSL may have to keep, at 17 KiB each, until it has the keys.
 * A peer needs one per sending of its last flight. */
#define SEALED_EARLY_MAX 16

#define EVENTS_MAX 3 /* keys, up, and one of the two ends */

enum dtls_state {
    DTLS_IDLE,
    DTLS_HANDSHAKE,
    DTLS_EARLY, /* client: we have finished, the server has not */
    DTLS_UP,
    DTLS_CLOSED,
    DTLS_FAILED,
    DTLS_STATES
};

struct dtls {
    enum dtls_state state;
    enum dtls_role role;
    bool may_be_early;
    struct dtls_handshake handshake;
    struct dtls_record record;
    struct dtls_queue held;
    size_t sealed_early;
    bool is_close_due; /* close_notify is the next output */
    struct dtls_event events[EVENTS_MAX];
    size_t event_count;
    struct verdicts verdicts;
};

/* Row: from; bits: to. */
static const uint8_t may_become[DTLS_STATES] = {
    [DTLS_IDLE] = 1 << DTLS_HANDSHAKE,
    [DTLS_HANDSHAKE] = 1 << DTLS_EARLY | 1 << DTLS_UP | 1 << DTLS_FAILED,
    [DTLS_EARLY] = 1 << DTLS_UP | 1 << DTLS_CLOSED | 1 << DTLS_FAILED,
    [DTLS_UP] = 1 << DTLS_CLOSED | 1 << DTLS_FAILED,
};

static void enter(struct dtls *d, enum dtls_state to)
{
    assert(may_become[d->state] & 1 << to);
    d->state = to;
}

static void add_event(struct dtls *d, enum dtls_event_type type, enum dtls_reason reason)
{
    assert(d->event_count < EVENTS_MAX);
    d->events[d->event_count++] = (struct dtls_event){ .type = type, .reason = reason };
}

static void fail(struct dtls *d, enum dtls_reason reason)
{
    enter(d, DTLS_FAILED);
    add_event(d, DTLS_EVENT_FAILED, reason);
}

int dtls_new(struct dtls **out, const struct dtls_config *cfg, const struct rng *rng)
{
    struct dtls *d = *out = calloc(1, sizeof *d);
    int err = ERR_NOMEM;

    (void)rng; /* OpenSSL draws from its own generator; a record layer for DTLS 1.3 needs ours */
    if (d) {
        d->role = cfg->role;
        d->may_be_early = cfg->false_start && cfg->role == DTLS_CLIENT;
        dtls_queue_init(&d->held, HELD_MAX);
        err = dtls_handshake_init(&d->handshake, cfg);
    }
    if (err == ERR_OK)
        return ERR_OK;
    ERR_clear_error();
    dtls_free(d);
    *out = NULL;
    return err;
}

void dtls_free(struct dtls *d)
{
    if (!d)
        return;
    dtls_record_deinit(&d->record);
    dtls_handshake_deinit(&d->handshake);
    dtls_queue_deinit(&d->held);
    OPENSSL_cleanse(d, sizeof *d);
    free(d);
}

static void send_close_notify(struct dtls *d)
{
    uint8_t alert[DTLS_CLOSE_NOTIFY_MAX];
    size_t len = dtls_record_seal_close(&d->record, alert);

    if (len)
        (void)dtls_queue_add(&d->handshake.io.out, bytes_of(alert, len));
    ERR_clear_error();
}

/* RFC 6347 §4.2.4: whose flight was the last says it again when asked, for as long as it lives:
 * data is no proof that the peer has it (RFC 7918). A client's last step wrote nothing. */
static void answer_again(struct dtls *d)
{
    if (d->record.has_asked && d->handshake.io.out.count == 0)
        dtls_bio_repeat(&d->handshake.io);
}

/* Opens records of an association that is up, and sees whether the peer ended it with them. */
static enum verdict open_records(struct dtls *d, const struct dtls_scan *scan)
{
    enum verdict verdict = dtls_record_open(&d->record, scan);

    answer_again(d);
    if (d->record.state == DTLS_RECORD_CLOSED) {
        send_close_notify(d); /* RFC 5246 §7.2.1: the other side's is answered */
        enter(d, DTLS_CLOSED);
        add_event(d, DTLS_EVENT_CLOSED, DTLS_REASON_CLOSE);
    } else if (d->record.state == DTLS_RECORD_ALERT) {
        fail(d, DTLS_REASON_ALERT);
    }
    return verdict;
}

static bool take_keys(struct dtls *d)
{
    struct dtls_keys keys;
    int err = dtls_keys_get(&keys, d->handshake.ssl, d->role);

    if (!err)
        err = dtls_record_init(&d->record, &keys, d->handshake.io.sealed_nonce);
    OPENSSL_cleanse(&keys, sizeof keys);
    ERR_clear_error();
    if (err)
        fail(d, DTLS_REASON_PROTOCOL);
    else
        add_event(d, DTLS_EVENT_KEYS, DTLS_REASON_NONE);
    return err == ERR_OK;
}

/* The keys are all that the record layer needs: OpenSSL's 60 KiB go. */
static void on_done(struct dtls *d)
{
    if (d->state == DTLS_HANDSHAKE && !take_keys(d))
        return;
    dtls_handshake_end(&d->handshake);
    enter(d, DTLS_UP);
    add_event(d, DTLS_EVENT_UP, DTLS_REASON_NONE);
}

static void on_step(struct dtls *d, enum dtls_step step)
{
    if (step == DTLS_STEP_FAILED)
        fail(d, d->handshake.reason);
    else if (step == DTLS_STEP_DONE)
        on_done(d);
    else if (d->state == DTLS_HANDSHAKE && d->may_be_early && d->handshake.io.has_sealed &&
             take_keys(d))
        enter(d, DTLS_EARLY);
}

static bool is_shaking_hands(const struct dtls *d)
{
    return d->state == DTLS_HANDSHAKE || d->state == DTLS_EARLY;
}

static enum verdict hold(struct dtls *d, struct bytes dgram)
{
    return dtls_queue_add(&d->held, dgram) ? VERDICT_TAKEN : VERDICT_LIMIT;
}

static enum verdict on_flight(struct dtls *d, usec now, const struct dtls_scan *scan)
{
    size_t data_len = scan->whole.len - scan->flight.len;
    enum verdict held = VERDICT_TAKEN;

    /* Data that overtook the Finished, or came with it, waits for the keys: not for OpenSSL. Others
     * can fill its place with noise, which must not keep the flight out. */
    if (data_len)
        held = hold(d, bytes_of(scan->whole.data + scan->flight.len, data_len));
    if (scan->flight.len == 0)
        return held;
    if (scan->sealed_count > SEALED_EARLY_MAX - d->sealed_early)
        return VERDICT_LIMIT;
    d->sealed_early += scan->sealed_count;
    on_step(d, dtls_handshake_input(&d->handshake, now, scan->flight));
    return VERDICT_TAKEN;
}

static enum verdict take(struct dtls *d, usec now, struct bytes dgram)
{
    struct dtls_scan scan;

    if (dgram.len == 0 || dgram.data[0] < DTLS_FIRST_BYTE_MIN ||
        dgram.data[0] > DTLS_FIRST_BYTE_MAX)
        return VERDICT_FOREIGN;
    if (dgram.len > DTLS_DATAGRAM_MAX)
        return VERDICT_LIMIT;
    if (!dtls_scan(dgram, &scan))
        return VERDICT_MALFORMED;
    if (is_shaking_hands(d))
        return on_flight(d, now, &scan);
    if (d->state == DTLS_UP)
        return open_records(d, &scan);
    if (d->state == DTLS_IDLE && d->role == DTLS_SERVER)
        return hold(d, scan.whole);
    return VERDICT_UNEXPECTED;
}

enum verdict dtls_input(struct dtls *d, usec now, struct bytes dgram)
{
    return verdict_note(&d->verdicts, take(d, now, dgram));
}

/* Gives what was held to the handshake, once each: data may be held again. */
static void replay_held(struct dtls *d, usec now)
{
    struct bytes dgram;
    struct dtls_scan scan;

    for (size_t left = d->held.count; left > 0; left--) {
        if (is_shaking_hands(d) && dtls_queue_get(&d->held, &dgram) && dtls_scan(dgram, &scan) &&
            scan.first_type != DTLS_CONTENT_DATA)
            (void)on_flight(d, now, &scan);
        dtls_queue_remove(&d->held);
    }
}

void dtls_start(struct dtls *d, usec now)
{
    if (d->state != DTLS_IDLE)
        return;
    enter(d, DTLS_HANDSHAKE);
    on_step(d, dtls_handshake_input(&d->handshake, now, bytes_of(NULL, 0)));
    replay_held(d, now);
}

void dtls_set_rtt(struct dtls *d, usec rtt_us)
{
    dtls_handshake_set_rtt(&d->handshake, rtt_us);
}

uint64_t dtls_flight(const struct dtls *d)
{
    return d->handshake.io.flight;
}

void dtls_tick(struct dtls *d, usec now)
{
    if (is_shaking_hands(d))
        on_step(d, dtls_handshake_tick(&d->handshake, now));
}

bool dtls_poll_output(struct dtls *d, struct out *out)
{
    struct dtls_queue *queue = &d->handshake.io.out;
    size_t count_before = out->count;
    struct bytes dgram;

    if (d->is_close_due && dtls_can_seal(d)) {
        send_close_notify(d);
        enter(d, DTLS_CLOSED);
    }
    while (dtls_queue_get(queue, &dgram)) {
        if (!out_add_bytes(out, dgram) && out->count)
            break; /* longer than the run's segment: it begins the next run */
        dtls_queue_remove(queue);
    }
    return out->count > count_before;
}

bool dtls_poll_event(struct dtls *d, struct dtls_event *ev)
{
    if (d->event_count == 0)
        return false;
    *ev = d->events[0];
    d->event_count--;
    for (size_t i = 0; i < d->event_count; i++)
        d->events[i] = d->events[i + 1];
    return true;
}

usec dtls_next_timeout(const struct dtls *d)
{
    return is_shaking_hands(d) ? d->handshake.resend_at : USEC_NEVER;
}

bool dtls_poll_data(struct dtls *d, struct bytes *packet)
{
    struct bytes dgram;
    struct dtls_scan scan;

    while (!dtls_record_next(&d->record, packet)) {
        if (d->state != DTLS_UP || !dtls_queue_get(&d->held, &dgram))
            return false;
        if (dtls_scan(dgram, &scan))
            (void)open_records(d, &scan);
        dtls_queue_remove(&d->held);
    }
    return true;
}

int dtls_seal(struct dtls *d, struct out *run)
{
    return dtls_can_seal(d) ? dtls_record_seal(&d->record, run) : ERR_WRONG_STATE;
}

void dtls_close(struct dtls *d)
{
    d->is_close_due = dtls_can_seal(d);
}

bool dtls_can_seal(const struct dtls *d)
{
    return d->state == DTLS_EARLY || d->state == DTLS_UP;
}

bool dtls_is_up(const struct dtls *d)
{
    return d->state == DTLS_UP;
}

const struct verdicts *dtls_verdicts(const struct dtls *d)
{
    return &d->verdicts;
}
