/* When a sender asks for a SACK at once (RFC 7053): only where it waits for one. */
#include "core/sctp/sctp.h"

#include "tests/check.h"
#include "tests/support/sctp_pair.h"

static const struct sctp_config defaults;

static bool up(struct sctp_pair *p, uint64_t seed, const struct sctp_config *cfg)
{
    return pair_connect(p, seed, cfg, 5 * MILLISECOND);
}

/* Two who answer each other at once, and one who never replies. */
TEST(an_answer_brings_the_acknowledgement)
{
    struct sctp_pair p;
    struct sctp_info info;
    uint64_t before[2] = { 0 }, alone;

    CHECK("up", up(&p, 21, &defaults));
    for (int i = 0; i < 23; i++) {
        if (i == 3)
            for (int side = 0; side < 2; side++)
                before[side] = p.side[side].packets_out;
        CHECK("asked", pair_send(&p, 0, 1, 53, bytes_of("ping", 4)) == ERR_OK);
        pair_run(&p, p.now + 6 * MILLISECOND);
        CHECK("there", pair_is_delivered(&p, 0));
        CHECK("replied", pair_send(&p, 1, 1, 53, bytes_of("pong", 4)) == ERR_OK);
        pair_run(&p, p.now + 6 * MILLISECOND);
        CHECK("and back", pair_is_delivered(&p, 1));
    }
    CHECK("one packet each way",
          p.side[0].packets_out - before[0] == 20 && p.side[1].packets_out - before[1] == 20);
    pair_run(&p, p.now + 22 * MILLISECOND);
    CHECK("the last one is acknowledged alone", p.side[0].packets_out - before[0] == 21);
    alone = p.side[1].packets_out;
    for (int i = 0; i < 10; i++) {
        CHECK("told", pair_send(&p, 0, 1, 53, bytes_of("note", 4)) == ERR_OK);
        pair_run(&p, p.now + (i ? 11 : 100) * MILLISECOND);
        CHECK("known to have arrived", sctp_unacked_bytes(p.side[0].sctp) == 0);
    }
    CHECK("each by one packet", p.side[1].packets_out - alone == 10);
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("nothing was sent twice", info.retransmitted_chunks == 0 && info.timeouts == 0);
    pair_deinit(&p);
}

/* Only what waits for an answer asks for one at once: the end of what was queued does. */
TEST(a_farewell_behind_much_data_asks_once)
{
    static const uint8_t bytes[9000];
    struct sctp_pair p;
    uint64_t before;

    CHECK("up", up(&p, 22, &defaults));
    before = p.side[1].packets_out;
    CHECK("queued", pair_send(&p, 0, 1, 53, bytes_of(bytes, sizeof bytes)) == ERR_OK);
    sctp_shutdown(p.side[0].sctp, p.now);
    CHECK("closed", pair_run_until_closed(&p, p.now + SECOND));
    CHECK("all arrived", pair_is_delivered(&p, 0));
    CHECK("a SACK for two packets, and SHUTDOWN ACK", p.side[1].packets_out - before <= 6);
    pair_deinit(&p);
}

TESTS(TEST_ROW(an_answer_brings_the_acknowledgement),
      TEST_ROW(a_farewell_behind_much_data_asks_once))
