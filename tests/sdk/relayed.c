/* Sessions between hosts that only see a TURN server: coturn, by each way to it. */
#include <string.h>

#include "core/base/bytes.h"
#include "tests/check.h"
#include "tests/sdk/support/plain.h"

static const char *const no_udp[] = { "--no-udp", NULL };
static const char *const elsewhere[] = { "--alternate-server", "10.1.0.1:3480", NULL };
static const char *const other_port[] = { "--listening-port", "3480", "--no-tls", NULL };
static const char *const and_back[] = { "--listening-port",   "3480",          "--no-tls",
                                        "--alternate-server", "10.1.0.1:3478", NULL };

static const struct row {
    const char *claim, *turn;
    const char *const *server; /* coturn's arguments */
    const char *password;
    bool connects;
} rows[] = {
    { "UDP", "turn:10.1.0.1", NULL, "secret", true },
    { "UDP alone", "turn:10.1.0.1?transport=udp", NULL, "secret", true },
    { "TCP alone", "turn:10.1.0.1?transport=tcp", NULL, "secret", true },
    { "TLS", "turns:10.1.0.1", NULL, "secret", true },
    { "TCP where UDP is not answered", "turn:10.1.0.1", no_udp, "secret", true },
    { "a dead one and one that is nowhere delay nothing",
      "turn:10.1.0.9,turn:no-such-host.invalid,turns:10.1.0.9,turn:10.1.0.1", NULL, "secret",
      true },
    { "redirected", "turn:10.1.0.1", elsewhere, "secret", true },
    { "redirected over TCP", "turn:10.1.0.1?transport=tcp", elsewhere, "secret", true },
    { "redirected in circles", "turn:10.1.0.1", elsewhere, "secret", false },
    { "the wrong password", "turn:10.1.0.1", NULL, "wrong", false },
    { "no server", "", NULL, "secret", false },
};

static bool is_echoed(struct pair_of_handles h)
{
    char data[4096], back[4096];
    size_t len = 0;

    memset(data, 'x', sizeof data);
    (void)peer_ask(&plain.peer, "echo %d", h.device);
    if (hawser_send_data(h.app, 2, data, sizeof data, 5000) != sizeof data)
        return false;
    while (len < sizeof back) {
        int got = hawser_recv_data(h.app, 2, back + len, (int)(sizeof back - len), 5000);

        if (got <= 0)
            return false;
        len += (size_t)got;
    }
    return memcmp(data, back, sizeof data) == 0;
}

static void check_row(const struct row *row)
{
    struct hawser_session_info info;
    struct pair_of_handles h = plain_connect(row->connects ? 10000 : 2000);

    if (!row->connects) {
        CHECK(row->claim, h.app == HAWSER_ERR_NO_PATH || h.app == HAWSER_ERR_TIMEOUT);
        if (h.app != HAWSER_ERR_NO_PATH && h.app != HAWSER_ERR_TIMEOUT)
            print_error("    %d\n", h.app);
        return;
    }
    CHECK(row->claim, h.app >= 0 && h.device >= 0);
    if (h.app < 0)
        print_error("    %d\n", h.app);
    CHECK("bytes go and come", is_echoed(h));
    CHECK("it says so", hawser_session_info(h.app, &info) == 0 && info.path == HAWSER_PATH_RELAYED);
    print_message("    %s: %lld us\n", row->claim, (long long)info.connect_us);
    plain_disconnect(h);
}

TEST(by_coturn_alone)
{
    struct coturn other = { .pid = 0 };

    CHECK("nothing is passed on", plain_forward(false));
    CHECK("another coturn runs", plain_start_turn(&other, other_port));
    for (size_t i = 0; i < COUNT(rows); i++) {
        char ca[80];
        const struct plain_option options[] = {
            { "turn", rows[i].turn },
            { "turn_username", "user" },
            { "turn_password", rows[i].password },
            { "turn_ca", ca },
        };

        (void)snprintf(ca, sizeof ca, "%s/cert.pem", plain.directory);
        if (strcmp(rows[i].claim, "redirected in circles") == 0)
            CHECK("the other one sends us back", plain_start_turn(&other, and_back));
        CHECK("coturn runs", plain_start_turn(&plain.turn, rows[i].server));
        CHECK("options", plain_reinit(options, COUNT(options)));
        check_row(&rows[i]);
        coturn_read_log(&other);
    }
    coturn_stop(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST_ROW(by_coturn_alone) };

    if (!plain_is_possible())
        return 77; /* skipped */
    return cmocka_run_group_tests(tests, plain_open, plain_close);
}
