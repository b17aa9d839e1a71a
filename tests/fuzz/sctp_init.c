/* A peer's INIT chunk by signaling, then packets from it. Input: a byte of length, so many bytes of
 * a chunk, and the chunks of packets as in sctp_packet.c. Whatever was believed of the chunk, the
 * association stays within its limits, and a refused one changes nothing. */
#include "core/sctp/sctp.h"

#include <assert.h>

#include "tests/support/sctp_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { RX_MAX = 65536, US = 1 };

static struct bytes take(struct rd *r)
{
    size_t wanted = rd_u8(r), most = rd_left(r);

    return rd_bytes(r, wanted < most ? wanted : most);
}

static uint32_t our_tag(struct sctp *s)
{
    uint8_t init[SCTP_INIT_MAX];
    struct rd r = rd_of(bytes_of(init, sctp_get_init(s, init)));

    rd_skip(&r, 4);
    return rd_u32(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t bytes[3000];
    struct sctp_config cfg = { .rx_bytes_max = RX_MAX, .streams_max = 32, .is_protected = true };
    struct rd r = rd_of(bytes_of(data, len));
    struct sctp_pair p;
    struct sctp *us;
    struct sctp_info info;
    bool is_believed;
    uint32_t tag;

    assert(pair_init(&p, 1, &cfg));
    p.is_cut = true;
    us = p.side[US].sctp;
    tag = our_tag(us);
    is_believed = sctp_set_remote_init(us, take(&r)) == ERR_OK;
    (void)sctp_send(us, p.now, 0, 53, bytes_of(bytes, sizeof bytes));
    assert(sctp_connect(us, p.now) == ERR_OK && sctp_is_up(us) == is_believed);
    pair_drain(&p);
    while (r.ok && rd_left(&r)) {
        uint8_t choice = rd_u8(&r);

        pair_inject(&p, US, choice & 1 ? 0 : tag, take(&r));
        p.now += (choice >> 4) * 40 * MILLISECOND;
        sctp_tick(us, p.now);
        pair_drain(&p);
        sctp_get_info(us, &info);
        assert(info.unread_bytes <= 2 * RX_MAX && pool_used(p.side[US].pool) < 1200);
    }
    pair_deinit(&p);
    return 0;
}
