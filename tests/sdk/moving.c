/* Sessions whose hosts change addresses and interfaces while bytes flow: none is lost, none comes
 * twice, the handle stays. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "io/loop.h"
#include "tests/check.h"
#include "tests/sdk/support/plain.h"

#define CHANNEL   5
#define PIECE     8192
#define AFTER     (4 * 1024 * 1024) /* bytes that must come back after a change */
#define PATIENCE  (20 * SECOND)
#define NO_CHANGE "\n"

/* A channel that is echoed, numbered bytes out and in. */
static struct traffic {
    int handle;
    atomic_size_t received, wrong;
    atomic_llong longest_us; /* without a byte */
    atomic_bool is_ending, is_reset;
    pthread_t sender, receiver;
} traffic;

static struct {
    atomic_uint paths, ends;
} told;

static void on_state(void *ctx, int handle, int code)
{
    (void)ctx;
    (void)handle;
    atomic_fetch_add(code == HAWSER_ERR_OK ? &told.paths : &told.ends, 1);
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 11));
}

static void *run_sender(void *ctx)
{
    uint8_t data[PIECE];
    size_t sent = 0;

    (void)ctx;
    while (!atomic_load(&traffic.is_ending)) {
        int n;

        for (size_t i = 0; i < sizeof data; i++)
            data[i] = byte_at(sent + i);
        n = hawser_send_data(traffic.handle, CHANNEL, data, sizeof data, 100);
        if (n < 0 && n != HAWSER_ERR_TIMEOUT)
            break;
        sent += n > 0 ? (size_t)n : 0;
    }
    return NULL;
}

static void *run_receiver(void *ctx)
{
    uint8_t data[65536];
    usec last = io_now();
    size_t received = 0;
    int n;

    (void)ctx;
    while ((n = hawser_recv_data(traffic.handle, CHANNEL, data, sizeof data, -1)) > 0) {
        usec now = io_now();

        for (int i = 0; i < n; i++)
            if (data[i] != byte_at(received + (size_t)i))
                atomic_fetch_add(&traffic.wrong, 1);
        if (atomic_exchange(&traffic.is_reset, false))
            atomic_store(&traffic.longest_us, 0);
        if (now - last > atomic_load(&traffic.longest_us))
            atomic_store(&traffic.longest_us, now - last);
        last = now;
        received += (size_t)n;
        atomic_store(&traffic.received, received);
    }
    return NULL;
}

static void traffic_start(struct pair_of_handles h)
{
    memset(&traffic, 0, sizeof traffic);
    traffic.handle = h.app;
    (void)peer_ask(&plain.peer, "echo %d", h.device);
    CHECK("a thread", pthread_create(&traffic.sender, NULL, run_sender, NULL) == 0);
    CHECK("a thread", pthread_create(&traffic.receiver, NULL, run_receiver, NULL) == 0);
}

/* Returns when so many more have come; false: they did not in time. */
static bool traffic_goes_on(size_t more)
{
    size_t until = atomic_load(&traffic.received) + more;
    usec deadline = io_now() + PATIENCE;

    while (atomic_load(&traffic.received) < until && io_now() < deadline)
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = 1000000 }, NULL);
    return atomic_load(&traffic.received) >= until;
}

static void traffic_stop(struct pair_of_handles h)
{
    atomic_store(&traffic.is_ending, true);
    pthread_join(traffic.sender, NULL);
    plain_disconnect(h);
    pthread_join(traffic.receiver, NULL);
}

enum host { APP, DEVICE };

static const struct row {
    const char *claim;
    enum host host;
    const char *before; /* on the host */
    const char *change;
    const char *local; /* the app's address afterwards, if it is known */
    const char *back;
} rows[] = {
    { "nothing happens", APP, NO_CHANGE, NO_CHANGE, "10.1.0.2:", NO_CHANGE },
    { "the app gets another address", APP, NO_CHANGE,
      "addr add 10.1.0.3/24 dev a0\naddr del 10.1.0.2/24 dev a0\n"
      "addr add 10.1.0.3/24 dev a0\nroute replace default via 10.1.0.1\n",
      "10.1.0.3:",
      "addr add 10.1.0.2/24 dev a0\naddr del 10.1.0.3/24 dev a0\n"
      "addr replace 10.1.0.2/24 dev a0\nroute replace default via 10.1.0.1\n" },
    { "the device gets another address", DEVICE, NO_CHANGE,
      "addr flush dev d0\naddr add 10.2.0.3/24 dev d0\nroute replace default via 10.2.0.1\n",
      "10.1.0.2:",
      "addr flush dev d0\naddr add 10.2.0.2/24 dev d0\nroute replace default via 10.2.0.1\n" },
    { "from one interface to another", APP, NO_CHANGE,
      "addr flush dev a0\nlink set a0 down\naddr add 10.3.0.2/24 dev a1\nlink set a1 up\n"
      "route replace default via 10.3.0.1\n",
      "10.3.0.2:",
      "link set a0 up\naddr add 10.1.0.2/24 dev a0\nroute replace default via 10.1.0.1\n"
      "addr flush dev a1\nlink set a1 down\n" },
};

static void check_path(const struct row *row, int handle)
{
    struct hawser_session_info info;

    CHECK("it has a path",
          hawser_session_info(handle, &info) == 0 && info.path != HAWSER_PATH_NONE);
    CHECK("from there", strncmp(info.local_address, row->local, strlen(row->local)) == 0);
    if (strncmp(info.local_address, row->local, strlen(row->local)) != 0)
        print_error("    %s: from %s to %s\n", row->claim, info.local_address, info.remote_address);
}

static void check_row(const struct row *row)
{
    int host = row->host == APP ? plain.app : plain.device;
    struct pair_of_handles h;

    h = plain_connect(10000);
    CHECK(row->claim, h.app >= 0 && h.device >= 0);
    if (h.app < 0 || h.device < 0)
        return;
    traffic_start(h);
    CHECK("bytes flow", traffic_goes_on(PIECE));
    atomic_store(&told.paths, 0);
    atomic_store(&traffic.is_reset, true);
    CHECK("it changes", plain_ip(host, row->change));
    CHECK(row->claim, traffic_goes_on(AFTER));
    check_path(row, h.app);
    print_message("    %s: %lld ms without a byte\n", row->claim,
                  (long long)(atomic_load(&traffic.longest_us) / MILLISECOND));
    CHECK("the application is told of a path, where there is another",
          (atomic_load(&told.paths) > 0) == (row->change != rows[0].change));
    traffic_stop(h);
    CHECK("every byte once, and as it was", atomic_load(&traffic.wrong) == 0);
    CHECK("back", plain_ip(host, row->back));
}

/* Another way out for the app. */
static bool wire_second(void)
{
    char lines[256];

    (void)snprintf(lines, sizeof lines,
                   "link add r3 type veth peer name a1 netns /proc/%d/fd/%d\n"
                   "addr add 10.3.0.1/24 dev r3\nlink set r3 up\n",
                   getpid(), plain.app);
    return plain_ip(plain.router, lines);
}

TEST(bytes_flow_on)
{
    CHECK("everything is passed on", plain_forward(true) && wire_second());
    CHECK("options", plain_reinit(NULL, 0));
    CHECK("watched", hawser_set_state_callback(on_state, NULL) == 0);
    for (size_t i = 0; i < COUNT(rows); i++)
        check_row(&rows[i]);
    CHECK("no end was told of but by us", atomic_load(&told.ends) == 0);
}

static bool restart_turn(const struct row *row)
{
    (void)row;
    return plain_start_turn(&plain.turn, NULL);
}

static bool change_address(const struct row *row)
{
    return plain_ip(plain.app, row->change);
}

/* Where only a relay is seen, the app moves, and the relay forgets everybody. */
TEST(bytes_flow_on_by_relays)
{
    static const struct {
        const char *claim, *turn;
        bool (*change)(const struct row *row);
    } relayed[] = {
        { "by UDP, another address", "turn:10.1.0.1?transport=udp", change_address },
        { "by TCP, another address", "turn:10.1.0.1?transport=tcp", change_address },
        { "by UDP, coturn restarts", "turn:10.1.0.1?transport=udp", restart_turn },
        { "by TCP, coturn restarts", "turn:10.1.0.1?transport=tcp", restart_turn },
    };

    CHECK("nothing is passed on", plain_forward(false));
    for (size_t i = 0; i < COUNT(relayed); i++) {
        const struct plain_option options[] = { { "turn", relayed[i].turn },
                                                { "turn_username", "user" },
                                                { "turn_password", "secret" } };
        struct pair_of_handles h;

        CHECK("coturn runs", plain_start_turn(&plain.turn, NULL));
        CHECK("options", plain_reinit(options, COUNT(options)));
        h = plain_connect(10000);
        CHECK(relayed[i].claim, h.app >= 0 && h.device >= 0);
        if (h.app < 0 || h.device < 0)
            continue;
        traffic_start(h);
        CHECK("bytes flow", traffic_goes_on(PIECE));
        atomic_store(&traffic.is_reset, true);
        CHECK("it changes", relayed[i].change(&rows[1]));
        CHECK(relayed[i].claim, traffic_goes_on(AFTER));
        print_message("    %s: %lld ms without a byte\n", relayed[i].claim,
                      (long long)(atomic_load(&traffic.longest_us) / MILLISECOND));
        traffic_stop(h);
        CHECK("every byte once, and as it was", atomic_load(&traffic.wrong) == 0);
        if (relayed[i].change == change_address)
            CHECK("back", plain_ip(plain.app, rows[1].back));
    }
}

TEST(saying_so_is_harmless)
{
    struct pair_of_handles h = plain_connect(10000);
    struct hawser_session_info before, after;

    CHECK("connected", h.app >= 0 && hawser_session_info(h.app, &before) == 0);
    for (int i = 0; i < 100; i++)
        CHECK("told", hawser_network_changed() == 0);
    CHECK("the same path", hawser_session_info(h.app, &after) == 0 &&
                               strcmp(before.local_address, after.local_address) == 0);
    plain_disconnect(h);
    (void)hawser_deinit();
    CHECK("not without a user", hawser_network_changed() == HAWSER_ERR_UNINITIALISED);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST_ROW(bytes_flow_on), TEST_ROW(bytes_flow_on_by_relays),
                                        TEST_ROW(saying_so_is_harmless) };

    if (!plain_is_possible())
        return 77; /* skipped */
    return cmocka_run_group_tests(tests, plain_open, plain_close);
}
