/* refused.c: messages that the broker refuses, or has nobody to give to. */
#include <string.h>

#include "core/base/bytes.h"
#include "sdk/internal.h"
#include "sdk/signals.h"
#include "tests/check.h"
#include "tests/sdk/support/here.h"

enum { MESSAGES_MAX = 8 }; /* in a second */

static bool is_refusing; /* the loop's, down to here */
static unsigned to_lose; /* so many messages get lost on the way */
static struct identity *sender;
static uint64_t refused_request;
static unsigned refused;

int __real_identity_send(struct identity *id, const char *to, const char *text, uint64_t request);
int __wrap_identity_send(struct identity *id, const char *to, const char *text, uint64_t request);

static void refuse(void *ctx)
{
    (void)ctx;
    signals_on_sent(sender, refused_request, SIGNALING_FAILED);
}

int __wrap_identity_send(struct identity *id, const char *to, const char *text, uint64_t request)
{
    if (to_lose) {
        to_lose--;
        return ERR_OK; /* nobody ever hears of it */
    }
    if (!is_refusing)
        return __real_identity_send(id, to, text, request);
    refused++;
    sender = id;
    refused_request = request;
    return refused < 1000 ? io_loop_post(lib.loop, refuse, NULL) : ERR_LIMIT; /* no storm here */
}

static void start_refusing(void *ctx)
{
    is_refusing = *(bool *)ctx;
    refused = 0;
}

static void set_refusing(bool on)
{
    io_loop_run(lib.loop, start_refusing, &on);
}

TEST(nobody_hammers_a_broker_that_refuses)
{
    char id[HAWSER_ID_MAX], invite[HAWSER_INVITE_MAX], got[HAWSER_ID_MAX];
    int device;

    device = here_open_device(id);
    CHECK("an invite", device >= 0 && hawser_device_invite(device, 0, invite) == 0);
    set_refusing(true);
    CHECK("no pairing", hawser_pair(invite, 1000, got) == HAWSER_ERR_TIMEOUT);
    CHECK("a few tries", refused >= 1 && refused <= MESSAGES_MAX);
    set_refusing(false);
    CHECK("paired", hawser_pair(invite, 10000, got) == 0);
    set_refusing(true);
    CHECK("no session", dial(id, 1000) == HAWSER_ERR_TIMEOUT);
    CHECK("a few tries", refused >= 1 && refused <= MESSAGES_MAX);
    set_refusing(false);
    CHECK("deinit", hawser_deinit() == 0);
}

static void start_losing(void *ctx)
{
    to_lose = *(unsigned *)ctx;
}

TEST(a_pairing_request_that_gets_lost_is_made_again)
{
    char id[HAWSER_ID_MAX], invite[HAWSER_INVITE_MAX], got[HAWSER_ID_MAX];
    int device = here_open_device(id);
    unsigned one = 1;

    CHECK("an invite", device >= 0 && hawser_device_invite(device, 0, invite) == 0);
    io_loop_run(lib.loop, start_losing, &one);
    CHECK("paired", hawser_pair(invite, 10000, got) == 0);
    CHECK("deinit", hawser_deinit() == 0);
}

TEST(pairing_with_a_device_that_is_away)
{
    char id[HAWSER_ID_MAX], invite[HAWSER_INVITE_MAX], got[HAWSER_ID_MAX];
    int device;

    device = here_open_paired_device(id);
    CHECK("an invite", device >= 0 && hawser_device_invite(device, 0, invite) == 0);
    CHECK("leaves", hawser_device_close(device) == 0);
    CHECK("the broker knows", dial(id, 10000) == HAWSER_ERR_OFFLINE); /* offers are sent again */
    CHECK("is known at once", hawser_pair(invite, 10000, got) == HAWSER_ERR_OFFLINE);
    CHECK("deinit", hawser_deinit() == 0);
}

TESTS_BETWEEN(here_open, here_close, TEST_ROW(nobody_hammers_a_broker_that_refuses),
              TEST_ROW(a_pairing_request_that_gets_lost_is_made_again),
              TEST_ROW(pairing_with_a_device_that_is_away))
