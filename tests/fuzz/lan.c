/* Any datagrams at both ends, beside genuine ones: only those who know the secret are answered, and
 * strangers cost no more than the gate allows. */
#include <assert.h>

#include "core/lan/finder.h"
#include "core/lan/responder.h"
#include "tests/support/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t secret[LAN_SECRET_BYTES] = "known to the two";

static void feed_device(struct lan_responder *r, usec now, struct bytes b, uint8_t host)
{
    struct addr from = addr_ipv4(0x0a000000u + host, 1);
    uint8_t reply[LAN_MESSAGE_BYTES];
    enum verdict v = lan_responder_input(r, now, &from, b, 1, reply);

    assert(v != VERDICT_TAKEN || lan_message_is_genuine(b, secret));
    if (lan_responder_hello(r, now, b))
        assert(lan_message_is_genuine(b, secret));
}

static void feed_app(const struct lan_finder *f, struct bytes b)
{
    struct lan_message m;

    if (lan_finder_input(f, b, &m) == VERDICT_TAKEN)
        assert(lan_message_is_genuine(b, secret) && m.port);
}

/* A search that succeeds, with one byte changed on its way; unchanged it must succeed. */
static void meet(struct lan_responder *r, struct lan_finder *f, usec now, uint8_t at,
                 uint8_t change)
{
    struct addr from = addr_ipv4(0x0a0a0a0a, 1);
    uint8_t probe[LAN_MESSAGE_BYTES], reply[LAN_MESSAGE_BYTES];
    struct lan_message m;
    enum verdict v;

    if (lan_finder_probe(f, probe))
        return;
    probe[at % sizeof probe] ^= change;
    v = lan_responder_input(r, now, &from, bytes_of(probe, sizeof probe), 9, reply);
    assert(change == 0 || v != VERDICT_TAKEN);
    if (v == VERDICT_TAKEN)
        assert(lan_finder_input(f, bytes_of(reply, sizeof reply), &m) == VERDICT_TAKEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint64_t seed = 3;
    struct rng rng = test_rng(&seed);
    struct rd r = rd_of(bytes_of(data, len));
    struct lan_finder f = { .round_count = 0 };
    struct lan_responder *device;
    usec now = 0;
    int tag;

    if (lan_responder_new(&device, &rng))
        return 0;
    (void)lan_responder_add(device, secret, &tag);
    lan_finder_start(&f, now, &rng, secret);
    while (rd_left(&r) > 3) {
        uint8_t what = rd_u8(&r), a = rd_u8(&r), b = rd_u8(&r);
        size_t piece = a < rd_left(&r) ? a : rd_left(&r);

        now += b * MILLISECOND;
        if (what % 3 == 0)
            meet(device, &f, now, a, b);
        else if (what % 3 == 1)
            feed_device(device, now, rd_bytes(&r, piece), b);
        else
            feed_app(&f, rd_bytes(&r, piece));
    }
    assert(lan_responder_cost(device) <=
           2 * (LAN_GATE_ALL_BURST + (uint64_t)(now / LAN_GATE_ALL_US) + 2) + LAN_PROBES_MAX);
    lan_responder_free(device);
    return 0;
}
