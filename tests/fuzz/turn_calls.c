/* A sequence of calls, messages and pieces of a stream chosen by the input, some of them answers to
 * what was asked, properly signed. After each one the client's tables are within their limits, what
 * goes out goes to the server and reads well, and no deadline is in the past twice. */
#include "core/turn/client.h"

#include <assert.h>

#include "tests/support/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct run {
    struct turn *turn;
    struct rd in;
    usec now;
    struct stun_id asked; /* the last request that went out */
    uint16_t method;
    bool is_signed;
    unsigned allocated, ended; /* events */
};

static const char *const some[] = {
    "203.0.113.1:3478", "203.0.113.1:50000", "198.51.100.7:6000", "198.51.100.7:6001",
    "198.51.100.8:1",   "[2001:db8::1]:1",   "[2001:db8::7]:7",   "127.0.0.1:9",
    "224.0.0.1:1",      "10.0.0.2:5000",
};

static struct addr pick_addr(struct run *r)
{
    struct addr a = { .family = ADDR_IPV4 };
    uint8_t which = rd_u8(&r->in);

    if (which < 0xe0) {
        addr_parse(&a, some[which % COUNT(some)]);
        return a;
    }
    a.port = rd_u8(&r->in);
    a.ip[0] = which;
    a.ip[3] = rd_u8(&r->in);
    return a;
}

static const uint16_t codes[] = { 300, 400, 401, 403, 437, 438, 441, 442, 486, 500, 508 };

static void add_error(struct run *r, struct wr *w)
{
    struct addr other = pick_addr(r);
    char text[] = "realm-a";

    text[6] = (char)rd_u8(&r->in);
    stun_add_error(w, codes[rd_u8(&r->in) % COUNT(codes)], "");
    stun_add_bytes(w, STUN_ATTR_REALM, bytes_of_string("example.org"));
    stun_add_bytes(w, STUN_ATTR_NONCE, bytes_of_string(text));
    stun_add_addr(w, STUN_ATTR_ALTERNATE_SERVER, &other);
}

static void add_grant(struct run *r, struct wr *w)
{
    struct addr relayed = pick_addr(r), mapped = pick_addr(r);

    stun_add_xor_addr(w, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed);
    stun_add_xor_mapped(w, &mapped);
    stun_add_u32(w, STUN_ATTR_LIFETIME, (uint32_t)rd_u8(&r->in) * rd_u8(&r->in));
}

/* An answer to what was last asked. */
static struct bytes answer(struct run *r, uint8_t kind, uint8_t *raw, size_t cap)
{
    struct wr w = wr_of(raw, cap);

    stun_encode_header(&w, kind & 1 ? STUN_SUCCESS : STUN_ERROR, r->method, &r->asked);
    if (kind & 1)
        add_grant(r, &w);
    else
        add_error(r, &w);
    if (r->is_signed && !(kind & 2))
        stun_add_integrity(&w, bytes_of(r->turn->key, sizeof r->turn->key));
    return wr_written(&w);
}

static struct bytes peer_data(struct run *r, uint8_t kind, uint8_t *raw, size_t cap)
{
    static const uint8_t zeroes[300];
    struct wr w = wr_of(raw, cap);
    size_t len = rd_u8(&r->in);
    struct stun_id id = { { 1 } };
    struct addr peer;

    if (kind & 1) {
        wr_u16(&w, (uint16_t)(TURN_CHANNEL_FIRST + rd_u8(&r->in) % 10));
        wr_u16(&w, (uint16_t)len);
        wr_bytes(&w, bytes_of(zeroes, len + turn_padding(len)));
        return wr_written(&w);
    }
    peer = pick_addr(r);
    stun_encode_header(&w, STUN_INDICATION, STUN_DATA, &id);
    stun_add_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
    stun_add_bytes(&w, STUN_ATTR_DATA, bytes_of(zeroes, len));
    return wr_written(&w);
}

static void pull_data(struct run *r)
{
    struct addr from;
    struct bytes data;
    size_t count = 0;

    while (turn_poll_data(r->turn, &from, &data)) {
        const uint8_t *start = r->turn->in.buf;

        assert(turn_is_permitted(r->turn, &from) || turn_is_live(r->turn));
        assert(data.len > 0 && data.len <= TURN_DATAGRAM_MAX + TURN_HEAD_MAX);
        assert(data.data >= start && data.data + data.len <= start + r->turn->in.cap);
        assert(++count <= TURN_STREAM_MAX / 4);
    }
}

/* Over a stream in one piece or byte by byte. */
static void give(struct run *r, uint8_t kind, struct bytes message)
{
    struct addr from = r->turn->cfg.server;
    size_t piece = kind & 4 ? 1 : message.len;

    if (!r->turn->cfg.stream) {
        if ((kind & 12) == 12)
            from = pick_addr(r);
        assert(turn_input(r->turn, r->now, &from, message) < VERDICT_COUNT);
        pull_data(r);
        return;
    }
    for (size_t at = 0; at < message.len; at += piece) {
        assert(turn_input_stream(r->turn, r->now, bytes_of(message.data + at, piece)) <
               VERDICT_COUNT);
        pull_data(r);
    }
}

static void wrap(struct run *r)
{
    static uint8_t buf[6000];
    size_t count = rd_u8(&r->in) % 5, len = 1 + rd_u8(&r->in);
    struct addr peer = pick_addr(r);
    struct out run;

    out_init(&run, buf, 100 + (size_t)rd_u8(&r->in) * 20);
    for (size_t i = 0; i < count && out_room(&run) >= len; i++)
        out_add(&run, len);
    run.to = peer;
    if (turn_wrap(r->turn, &run) == ERR_OK) {
        assert(addr_equal(&run.to, &r->turn->cfg.server) && run.len <= run.cap);
        assert(run.len > (run.count - 1) * run.segment && run.len <= run.count * run.segment);
        assert(turn_is_live(r->turn));
    } else {
        assert(addr_equal(&run.to, &peer));
    }
}

static void call(struct run *r)
{
    uint8_t raw[1024], what = rd_u8(&r->in), kind = rd_u8(&r->in);
    struct addr peer;

    switch (what % 12) {
    case 0:
        peer = pick_addr(r);
        (void)turn_permit(r->turn, r->now, &peer);
        break;
    case 1:
        peer = pick_addr(r);
        (void)turn_bind(r->turn, r->now, &peer);
        break;
    case 2:
        wrap(r);
        break;
    case 3:
        r->now += (usec)kind * kind * 10 * MILLISECOND;
        break;
    case 4:
        if (kind == 4)
            turn_stop(r->turn, r->now);
        else
            turn_check(r->turn, r->now);
        break;
    case 5:
        give(r, kind, rd_bytes(&r->in, rd_u8(&r->in)));
        break;
    case 6:
    case 7:
        give(r, kind, peer_data(r, kind, raw, sizeof raw));
        break;
    default:
        give(r, kind, answer(r, kind, raw, sizeof raw));
    }
}

static void check_output(struct run *r, const struct out *out)
{
    struct stun_msg m;

    assert(addr_equal(&out->to, &r->turn->cfg.server) && out->count == 1);
    assert(stun_decode(&m, out_datagram(out, 0)) == VERDICT_TAKEN && m.unknown_count == 0);
    if (m.class != STUN_REQUEST)
        return;
    r->asked = m.id;
    r->method = m.method;
    r->is_signed = (m.has & STUN_HAS_INTEGRITY) != 0;
}

static void drain(struct run *r)
{
    uint8_t buf[2048];
    struct turn_event ev;
    struct out out;
    unsigned rounds = 0;

    out_init(&out, buf, sizeof buf);
    while (turn_poll_output(r->turn, r->now, &out)) {
        check_output(r, &out);
        assert(++rounds <= TURN_ASKS + 1);
    }
    while (turn_poll_event(r->turn, &ev)) {
        r->allocated += ev.type == TURN_EVENT_ALLOCATED;
        r->ended += ev.type != TURN_EVENT_ALLOCATED;
        assert(r->allocated <= 1 && r->ended <= 1 && (r->ended == 0 || !turn_is_live(r->turn)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint64_t seed = 1;
    struct rng rng = test_rng(&seed);
    struct run r = { .in = rd_of(bytes_of(data, len)), .now = 1000 * SECOND };
    struct turn_config cfg = { .username = "user", .password = "secret" };
    uint8_t flags = rd_u8(&r.in);

    addr_parse(&cfg.local, "10.0.0.2:5000");
    addr_parse(&cfg.server, some[0]);
    cfg.stream = flags & 1;
    cfg.family = flags & 2 ? ADDR_IPV6 : ADDR_IPV4;
    if (len > 4096 || turn_new(&r.turn, &cfg, &rng) != ERR_OK)
        return 0;
    turn_start(r.turn, r.now);
    drain(&r);
    while (r.in.ok && rd_left(&r.in)) {
        call(&r);
        turn_tick(r.turn, r.now);
        drain(&r);
        assert(turn_next_timeout(r.turn) > r.now);
    }
    turn_free(r.turn);
    return 0;
}
