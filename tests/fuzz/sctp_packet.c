/* Packets with right checksums into an association in some state.
 *
 * Input: a byte that chooses the state and what was agreed, then packets: a byte that chooses the
 * tag and how much time passes, a byte of length, and so many bytes of chunks. Whatever comes in,
 * what goes out is well formed, and nothing held passes its limit. */
#include "core/base/crc32c.h"
#include "core/sctp/sctp.h"

#include <assert.h>

#include "tests/support/sctp_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { RX_MAX = 65536, VICTIM = 1 };

enum { UNREAD = 0x80, WOVEN = 0x40, PROTECTED = 0x20, ENTRY = 0x1f };

enum entry { FRESH, ASKING, UP, SENDING, WITH_GAP, LEAVING, ENTRIES };

static bool check_packet(void *ctx, int from, struct bytes packet)
{
    static const uint8_t zero[4];
    struct rd r = rd_of(packet);
    uint32_t crc, sum;

    (void)from;
    assert(packet.len >= 16 && packet.len <= 1160 && packet.len % 4 == 0);
    crc = crc32c(crc32c(0, bytes_of(packet.data, 8)), bytes_of(zero, 4));
    crc = crc32c(crc, bytes_of(packet.data + 12, packet.len - 12));
    rd_skip(&r, 8);
    sum = rd_u32(&r);
    assert(sum == __builtin_bswap32(crc) || (sum == 0 && *(const bool *)ctx));
    while (rd_left(&r)) {
        rd_skip(&r, 2);
        uint16_t chunk_len = rd_u16(&r);

        assert(chunk_len >= 4);
        rd_skip(&r, (chunk_len + 3u) / 4 * 4 - 4u);
    }
    assert(r.ok);
    return true;
}

static void enter(struct sctp_pair *p, enum entry entry)
{
    static const uint8_t bytes[3000];

    if (entry == FRESH)
        return;
    sctp_connect(p->side[entry == ASKING ? VICTIM : !VICTIM].sctp, p->now);
    if (entry == ASKING) {
        pair_drain(p);
        return;
    }
    assert(pair_run_until_up(p, p->now + 10 * SECOND));
    p->is_cut = true;
    for (uint16_t i = 0; entry == SENDING && i < 8; i++)
        pair_send(p, VICTIM, i, 53, bytes_of(bytes, sizeof bytes));
    if (entry == WITH_GAP) {
        pair_send(p, !VICTIM, 0, 53, bytes_of(bytes, 100));
        pair_drain(p);
        p->is_cut = false;
        pair_send(p, !VICTIM, 1, 53, bytes_of(bytes, 1000));
        pair_run(p, p->now + 2 * MILLISECOND);
        p->is_cut = true;
    }
    if (entry == LEAVING)
        sctp_shutdown(p->side[VICTIM].sctp, p->now);
    pair_drain(p);
}

static void check_limits(const struct sctp_pair *p)
{
    struct sctp_info info;

    sctp_get_info(p->side[VICTIM].sctp, &info);
    assert(info.unread_bytes <= 2 * RX_MAX);
    assert(pool_used(p->side[VICTIM].pool) < 1200);
    assert(info.flight_bytes <= info.queued_bytes + 16 * 1024 * 32);
}

/* Only the victim goes on: its packets are looked at and thrown away. */
static void let_time_pass(struct sctp_pair *p, usec span)
{
    usec until = p->now + span;

    pair_drain(p);
    for (int i = 0; i < 20 && sctp_next_timeout(p->side[VICTIM].sctp) <= until; i++) {
        p->now = usec_max(p->now, sctp_next_timeout(p->side[VICTIM].sctp));
        sctp_tick(p->side[VICTIM].sctp, p->now);
        pair_drain(p);
    }
    p->now = usec_max(p->now, until);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rd r = rd_of(bytes_of(data, len));
    struct sctp_pair p;
    uint8_t how = rd_u8(&r);
    struct sctp_config cfg = {
        .rx_bytes_max = RX_MAX,
        .streams_max = 32,
        .without = how & WOVEN ? 0 : SCTP_I_DATA,
        .is_protected = how & PROTECTED,
    };

    assert(pair_init(&p, 1, &cfg));
    p.tap = check_packet;
    p.tap_ctx = &cfg.is_protected;
    p.side[VICTIM].is_reading = !(how & UNREAD);
    enter(&p, (how & ENTRY) % ENTRIES);
    while (r.ok && rd_left(&r)) {
        uint8_t choice = rd_u8(&r), chunks_len = rd_u8(&r);
        size_t left = rd_left(&r);
        struct bytes chunks = rd_bytes(&r, chunks_len < left ? chunks_len : left);

        pair_inject(&p, VICTIM, choice & 1 ? 0 : p.tag[VICTIM] + (choice >> 1 & 1), chunks);
        let_time_pass(&p, (choice >> 4) * 40 * MILLISECOND);
        check_limits(&p);
    }
    pair_deinit(&p);
    return 0;
}
