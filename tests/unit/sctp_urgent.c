/* How long a command waits for a long message that was begun before it, in virtual time. */
#include "core/sctp/sctp.h"

#include <assert.h>

#include "tests/check.h"
#include "tests/support/flows.h"

enum { COMMAND_STREAM = 0, COMMAND_BYTES = 1024, COMMANDS = 40 };

#define EVERY_US  (300 * MILLISECOND)
#define DELAY_US  (10 * MILLISECOND)
#define RATE_BPS  10000000
#define BUFFER_US SECOND

struct app {
    size_t message_bytes; /* of the stream that always has more */
    usec next_at, sent_at;
    unsigned count;
    usec took_us, longest_us; /* all together; the longest */
    uint64_t received;
};

static void send_command(struct flows *f, struct app *a)
{
    static const uint8_t some[COMMAND_BYTES];

    if (f->now < a->next_at || a->sent_at || a->count == COMMANDS)
        return;
    assert(sctp_send(f->flow[0].end[0], f->now, COMMAND_STREAM, 53, bytes_of(some, sizeof some)) ==
           ERR_OK);
    a->sent_at = f->now;
    a->next_at = f->now + EVERY_US;
}

static void read_command(struct flows *f, struct app *a)
{
    struct sctp_piece piece;

    while (sctp_recv(f->flow[0].end[1], COMMAND_STREAM, &piece)) {
        if (piece.ends) {
            a->took_us += f->now - a->sent_at;
            a->longest_us = usec_max(a->longest_us, f->now - a->sent_at);
            a->sent_at = 0;
            a->count++;
        }
        sctp_consume(f->flow[0].end[1], f->now, COMMAND_STREAM, piece.data.len);
    }
}

static void on_turn(struct flows *f, void *ctx)
{
    static const uint8_t some[262144];
    struct app *a = ctx;

    read_command(f, a);
    while (sctp_send(f->flow[0].end[0], f->now, FLOW_STREAM, 53,
                     bytes_of(some, a->message_bytes)) == ERR_OK)
        continue;
    send_command(f, a);
    f->app_at = a->sent_at || a->count == COMMANDS ? USEC_NEVER : usec_max(a->next_at, f->now);
}

static const struct {
    const char *claim;
    unsigned without;
    size_t message_bytes;
    usec least_ms, most_ms; /* of the longest, beyond the way there */
} rows[] = {
    { "with I-DATA it overtakes a message of 256 KiB", 0, 262144, 0, 40 },
    { "and one of 16 KiB", 0, 16384, 0, 40 },
    { "without, it waits until the message has gone", SCTP_I_DATA, 262144, 150, 300 },
    { "which is short if messages are", SCTP_I_DATA, 16384, 0, 60 },
};

TEST(a_command_beside_long_messages)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        static const struct link_config link = { .delay_us = DELAY_US, .rate_bps = RATE_BPS };
        struct flow_config flow = { .kind = FLOW_HAWSER,
                                    .start_at = 10000 * SECOND,
                                    .without = rows[i].without };
        struct flows *f = flows_new(31, &link, NULL, &flow, 1);
        struct app app = { .message_bytes = rows[i].message_bytes };
        usec longest_ms;
        double share;

        assert(f && sctp_set_stream_priority(f->flow[0].end[0], COMMAND_STREAM, 0, 1) == ERR_OK);
        assert(sctp_set_stream_limit(f->flow[0].end[0], FLOW_STREAM, 1 << 20) == ERR_OK);
        f->app = on_turn;
        f->app_ctx = &app;
        app.next_at = f->now + 3 * SECOND;
        flows_run(f, f->now + 3 * SECOND + COMMANDS * (EVERY_US + 400 * MILLISECOND));
        longest_ms = (app.longest_us - DELAY_US) / MILLISECOND;
        share = (double)flow_received(&f->flow[0]) / ((double)f->now / SECOND * RATE_BPS / 8);
        print_message("%s: %lld ms at most, %lld on average\n", rows[i].claim,
                      (long long)longest_ms,
                      (long long)((app.took_us / COMMANDS - DELAY_US) / MILLISECOND));
        CHECK(rows[i].claim, app.count == COMMANDS);
        CHECK(rows[i].claim, longest_ms >= rows[i].least_ms && longest_ms <= rows[i].most_ms);
        CHECK("the path is full all the same", share > 0.8);
        flows_free(f);
    }
}

TESTS(TEST_ROW(a_command_beside_long_messages))
