/* session_outage.c: the only path carries nothing for a while, and data goes on when it does again.
 * Round trip 40 ms, a picture of 1000 bytes every 33 ms. */
#include <stdio.h>

#include "core/session/internal.h"
#include "tests/check.h"
#include "tests/support/session_pair.h"

#define EVERY (33 * MILLISECOND)

enum { PICTURE = 1000, CHANNEL = 3, PHASES = 16 };

static const struct session_config usual = { 0 };
static struct session_pair p;

static struct sctp_info info_of(int end)
{
    struct session_info info;

    session_get_info(p.end[end], &info);
    return info.sctp;
}

static void speak(void)
{
    static uint8_t picture[PICTURE];

    memset(picture, CHANNEL, sizeof picture);
    (void)session_send(p.end[OFFERER], p.now, CHANNEL, bytes_of(picture, sizeof picture));
    session_pair_drain(&p, OFFERER);
}

/* Speaks until then, in step with the whole test, or until something arrives if that is wanted. */
static void talk(usec until, bool until_heard)
{
    uint64_t received = p.seen[ANSWERER].received[CHANNEL];

    while (p.now < until && !(until_heard && p.seen[ANSWERER].received[CHANNEL] > received)) {
        if (p.now % EVERY == 0)
            speak();
        session_pair_run(&p, p.now + MILLISECOND);
    }
}

static void open_pair(usec phase_us)
{
    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    p.delay_us = p.note_delay_us = 20 * MILLISECOND;
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    talk(p.now + 3 * SECOND + phase_us, false);
    CHECK("both are open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
}

/* From the path's return to the first data that arrives. */
static usec resumes_after(usec outage_us, usec phase_us, bool cuts_signaling)
{
    usec back_at, after;

    open_pair(phase_us);
    p.is_cut = true;
    p.is_silent = cuts_signaling;
    talk(p.now + outage_us, false);
    p.is_cut = p.is_silent = false;
    back_at = p.now;
    talk(p.now + 30 * SECOND, true);
    after = p.now - back_at;
    talk(p.now + SECOND, false);
    CHECK("nobody died", !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
    CHECK("nothing is wrong", p.seen[ANSWERER].wrong == 0);
    session_pair_deinit(&p);
    return after;
}

/* Nobody may be later than this: while checks are frequent the time between two of them, later an
 * eighth of the outage; then a round trip for the check, half of one for the data, and 20 ms. */
static usec latest(usec outage_us)
{
    return usec_max(50 * MILLISECOND, usec_min(outage_us / 8, SECOND)) + 80 * MILLISECOND;
}

static const struct {
    usec outage_us;
    bool cuts_signaling;
} rows[] = {
    { 200 * MILLISECOND, true }, { 400 * MILLISECOND, true },
    { 700 * MILLISECOND, true }, { SECOND, true },
    { 2 * SECOND, true },        { 3 * SECOND, true },
    { 10 * SECOND, true },       { 700 * MILLISECOND, false },
    { SECOND, false },           { 2 * SECOND, false },
    { 3 * SECOND, false },
};

TEST(data_goes_on_soon_after_an_outage)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        usec most = 0, sum = 0;

        for (int phase = 0; phase < PHASES; phase++) {
            usec after =
                resumes_after(rows[i].outage_us, phase * 23 * MILLISECOND, rows[i].cuts_signaling);

            most = usec_max(most, after);
            sum += after;
        }
        printf("outage of %4.1f s%s: next data after %.0f ms, at most %.0f\n",
               (double)rows[i].outage_us / SECOND, rows[i].cuts_signaling ? "" : ", signaling up",
               (double)sum / PHASES / MILLISECOND, (double)most / MILLISECOND);
        CHECK("as soon as that", most <= latest(rows[i].outage_us));
    }
}

static usec back_at(void)
{
    struct ice_path path;

    CHECK("a path", ice_selected(p.end[OFFERER]->agent.ice, &path));
    return path.back_at;
}

/* T3 goes on backing off where checks pass and data does not, also if checks get lost now and then,
 * so that ICE finds the path back time and again. */
TEST(a_path_that_loses_all_but_checks_is_sent_to_ever_more_seldom)
{
    for (int cuts = 0; cuts < 2; cuts++) {
        uint64_t timeouts, backs = 0;

        open_pair(0);
        timeouts = info_of(OFFERER).timeouts;
        CHECK("never away", back_at() == 0);
        p.payload_max = 250;
        for (int i = 0; i < 20; i++) {
            usec was_back_at = back_at();

            talk(p.now + 880 * MILLISECOND, false);
            p.is_cut = cuts;
            session_check_paths(p.end[OFFERER], p.now);
            talk(p.now + 120 * MILLISECOND, false);
            p.is_cut = false;
            backs += back_at() != was_back_at;
        }
        CHECK("back often if away", cuts ? backs >= 15 : backs == 0);
        CHECK("few timeouts", info_of(OFFERER).timeouts - timeouts <= (cuts ? 10u : 6u));
        CHECK("of seconds", info_of(OFFERER).rto_us > 3 * SECOND);
        session_pair_deinit(&p);
    }
}

TESTS(TEST_ROW(data_goes_on_soon_after_an_outage),
      TEST_ROW(a_path_that_loses_all_but_checks_is_sent_to_ever_more_seldom))
