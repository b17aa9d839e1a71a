/* link.c: the code that the end of a session becomes. */
#include "hawser/hawser.h"
#include "sdk/link.h"
#include "tests/check.h"

TEST(a_peer_tells_no_codes_but_its_own)
{
    static const struct {
        const char *claim;
        unsigned reason;
        int code;
    } rows[] = {
        { "no reason", 0, -100 },
        { "a known one", 9, -109 },
        { "one of later versions", 77, -177 },
        { "the last", HAWSER_REASON_MAX, -999 },
        { "not that the directory failed", 900, -100 },
        { "nor anything else", 65535, -100 },
    };
    const struct link l = { .phase = LINK_OPEN };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct session_event ev = { .end = SESSION_END_PEER_REASON, .reason = rows[i].reason };

        CHECK(rows[i].claim, link_code_of_end(&l, &ev) == rows[i].code);
    }
}

TESTS(TEST_ROW(a_peer_tells_no_codes_but_its_own))
