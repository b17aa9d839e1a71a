#include "tests/sim/app.h"

#define PIECE_MAX 20000

void app_init(struct app *a, const struct app_plan *plan, const struct rng *rng)
{
    *a = (struct app){ .plan = *plan, .rng = rng };
    a->read_at = a->paced_at = a->first_data_at = a->last_data_at = USEC_NEVER;
    live_init(&a->live, &plan->live);
}

void app_deinit(struct app *a)
{
    live_deinit(&a->live);
}

static bool is_live(const struct app *a, unsigned channel)
{
    return a->plan.live.every_us && channel == LIVE_CHANNEL;
}

/* Byte `at` of a channel: no two places within reach of each other look alike. */
static uint8_t byte_of(uint64_t key, unsigned channel, uint32_t at)
{
    uint64_t z = (key + channel) * 0x9e3779b97f4a7c15 + at * 0xbf58476d1ce4e5b9;

    return (uint8_t)((z ^ z >> 31) * 0x94d049bb133111eb >> 56);
}

/* Offers the session one piece of a channel; false once it takes less, or all is sent. */
static bool send_piece(struct app *a, struct session *s, usec now, unsigned channel)
{
    uint32_t left = a->plan.tx_bytes[channel] - a->sent[channel];
    uint8_t piece[PIECE_MAX];
    size_t len = 1 + rng_below(a->rng, PIECE_MAX), taken;

    if (!a->is_writable[channel] || left == 0)
        return false;
    len = len < left ? len : left;
    for (size_t i = 0; i < len; i++)
        piece[i] = byte_of(a->plan.tx_key, channel, a->sent[channel] + (uint32_t)i);
    taken = session_send(s, now, channel, bytes_of(piece, len));
    a->sent[channel] += (uint32_t)taken;
    a->is_writable[channel] = taken == len;
    return a->is_writable[channel];
}

/* A piece of this channel, a piece of that one, until none takes more. */
static void write_all(struct app *a, struct session *s, usec now)
{
    bool is_any = a->plan.paced_every_us == 0;

    while (is_any) {
        unsigned first = rng_below(a->rng, CHANNEL_COUNT);

        is_any = false;
        for (unsigned i = 0; i < CHANNEL_COUNT; i++)
            is_any |= send_piece(a, s, now, (first + i) % CHANNEL_COUNT);
    }
}

/* What a full queue does not take goes with a later piece. */
static void send_paced(struct app *a, struct session *s, usec now)
{
    uint8_t piece[PIECE_MAX];

    a->paced_at = now + a->plan.paced_every_us;
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        uint32_t left = a->plan.tx_bytes[i] - a->sent[i];
        uint32_t len = a->plan.paced_bytes < left ? a->plan.paced_bytes : left;

        for (uint32_t k = 0; k < len; k++)
            piece[k] = byte_of(a->plan.tx_key, i, a->sent[i] + k);
        if (len)
            a->sent[i] += (uint32_t)session_send(s, now, i, bytes_of(piece, len));
    }
    if (memcmp(a->sent, a->plan.tx_bytes, sizeof a->sent) == 0)
        a->paced_at = USEC_NEVER;
}

void app_open(struct app *a, struct session *s, usec now)
{
    memset(a->is_writable, true, sizeof a->is_writable);
    live_open(&a->live, s, now);
    if (a->plan.paced_every_us)
        send_paced(a, s, now);
    write_all(a, s, now);
}

void app_write(struct app *a, struct session *s, usec now, unsigned channel)
{
    if (a->plan.paced_every_us && a->paced_at == USEC_NEVER)
        send_paced(a, s, now);
    a->is_writable[channel] = true;
    write_all(a, s, now);
}

static void note_data(struct app *a, usec now)
{
    if (a->first_data_at == USEC_NEVER)
        a->first_data_at = now;
    if (a->last_data_at != USEC_NEVER && now - a->last_data_at > a->gap_us) {
        a->gap_us = now - a->last_data_at;
        a->gap_at = now;
    }
    a->last_data_at = now;
}

static void compare(struct app *a, unsigned channel, struct bytes data)
{
    uint32_t at = a->received[channel];

    if (data.len > a->plan.rx_bytes[channel] - at) {
        a->fault = "more was received than sent";
        return;
    }
    for (size_t i = 0; i < data.len; i++)
        if (data.data[i] != byte_of(a->plan.rx_key, channel, at + (uint32_t)i))
            a->fault = "a received byte is not the sent one";
    a->received[channel] = at + (uint32_t)data.len;
}

static void read_all(struct app *a, struct session *s, usec now)
{
    struct bytes data;

    a->read_at = USEC_NEVER;
    live_read(&a->live, s, now);
    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        while (!is_live(a, i) && !a->fault && (data = session_peek(s, now, i)).len) {
            note_data(a, now);
            compare(a, i, data);
            session_consume(s, now, i, data.len);
        }
}

void app_read(struct app *a, struct session *s, usec now)
{
    if (a->plan.reads_every_us == 0)
        read_all(a, s, now);
    else if (a->read_at == USEC_NEVER)
        a->read_at = now + a->plan.reads_every_us;
}

void app_close(struct app *a, struct session *s, usec now)
{
    read_all(a, s, now);
    a->paced_at = USEC_NEVER;
    live_stop(&a->live);
}

void app_tick(struct app *a, struct session *s, usec now)
{
    if (now >= a->read_at)
        read_all(a, s, now);
    if (now >= a->paced_at)
        send_paced(a, s, now);
    live_tick(&a->live, s, now);
}

usec app_next_timeout(const struct app *a)
{
    return usec_min(usec_min(a->read_at, a->paced_at), a->live.next_at);
}

void app_extend(struct app *a, unsigned channel, uint32_t tx_bytes, uint32_t rx_bytes)
{
    a->plan.tx_bytes[channel] += tx_bytes;
    a->plan.rx_bytes[channel] += rx_bytes;
}

void app_watch(struct app *a, usec now)
{
    a->gap_us = 0;
    a->last_data_at = now;
}

bool app_has_everything(const struct app *a)
{
    return memcmp(a->received, a->plan.rx_bytes, sizeof a->received) == 0;
}

const char *app_fault(const struct app *a, const struct session_info *info)
{
    if (a->fault || a->live.fault)
        return a->fault ? a->fault : a->live.fault;
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        uint64_t sent = is_live(a, i) ? a->live.sent_bytes : a->sent[i];
        uint64_t received = is_live(a, i) ? a->live.received_bytes : a->received[i];

        if (info->unsent[i] > sent)
            return "more is queued than was sent";
        if (info->channel[i].sent != sent || info->channel[i].received != received)
            return "the session counts otherwise than the application";
    }
    return NULL;
}
