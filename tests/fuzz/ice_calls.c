/* A sequence of calls and datagrams chosen by the input, some of them properly signed. After each
 * one the agent's tables are within their limits and its next deadline is not in the past twice. */
#include "core/ice/agent.h"

#include <assert.h>

#include "tests/support/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REMOTE_PWD "thePeersPassword0123456"

struct run {
    struct ice *ice;
    struct rd in;
    usec now;
    struct stun_id asked; /* the id of the last request that went out */
    struct addr asked_from, asked_to;
    uint8_t carried[900]; /* what the checks carry */
};

static struct addr pick_addr(struct rd *in)
{
    static const char *const some[] = {
        "192.168.1.1:4000", "192.168.1.2:5000", "[fd00::1]:4001",   "[fd00::2]:5001",
        "127.0.0.1:4002",   "203.0.113.1:3478", "[fe80::1%2]:4003", "[fe80::2]:5003",
    };
    uint8_t which = rd_u8(in);
    struct addr a = { .family = ADDR_IPV4 };

    if (which < 0xc0) {
        addr_parse(&a, some[which % COUNT(some)]);
        return a;
    }
    a.port = rd_u8(in);
    a.ip[0] = rd_u8(in);
    a.ip[3] = which;
    return a;
}

/* A request with our credentials, or an answer with theirs to what was last asked. */
static struct bytes sign(struct run *r, uint8_t kind, uint8_t raw[700])
{
    struct wr w = wr_of(raw, 700);
    struct addr mapped = pick_addr(&r->in);
    uint8_t priority = rd_u8(&r->in);
    char username[64] = { 0 };

    memcpy(username, ice_ufrag(r->ice), strlen(ice_ufrag(r->ice)));
    memcpy(username + strlen(username), ":peer", 5);
    stun_encode_header(&w, (enum stun_class)(kind & 3), STUN_BINDING, &r->asked);
    if (kind & 4)
        stun_add_error(&w, kind & 8 ? 487 : 400, "");
    else
        stun_add_xor_mapped(&w, &mapped);
    stun_add_bytes(&w, STUN_ATTR_USERNAME, bytes_of_string(username));
    stun_add_u32(&w, STUN_ATTR_PRIORITY, (uint32_t)priority << 16);
    if (priority & 1)
        stun_add_u32(&w, STUN_ATTR_NOMINATION, priority);
    if (priority & 2)
        stun_add_bytes(&w, STUN_ATTR_DTLS, rd_bytes(&r->in, priority));
    if (priority & 6)
        stun_add_bytes(&w, STUN_ATTR_DTLS_ACKS, rd_bytes(&r->in, priority & 28));
    stun_add_u64(&w, kind & 16 ? STUN_ATTR_ICE_CONTROLLING : STUN_ATTR_ICE_CONTROLLED,
                 (uint64_t)kind << 56);
    if (kind & 32)
        stun_add_bytes(&w, STUN_ATTR_USE_CANDIDATE, bytes_of(NULL, 0));
    stun_add_integrity(&w,
                       bytes_of_string((kind & 3) == STUN_REQUEST ? ice_pwd(r->ice) : REMOTE_PWD));
    stun_add_fingerprint(&w);
    return wr_written(&w);
}

/* What a datagram brought lies within it. */
static void look_at_sped(const struct ice *a, struct bytes dgram)
{
    struct ice_sped got;

    if (!ice_get_sped(a, &got))
        return;
    assert(!got.has_data || (got.data.data >= dgram.data && got.data.len <= dgram.len));
    assert(!got.is_on || (got.acks.data >= dgram.data && got.acks.len <= dgram.len));
}

static void give(struct run *r)
{
    uint8_t kind = rd_u8(&r->in), raw[700];
    struct addr local = kind & 64 ? pick_addr(&r->in) : r->asked_from;
    struct addr from = kind & 64 ? pick_addr(&r->in) : r->asked_to;
    struct bytes dgram;

    if (kind & 128)
        dgram = rd_bytes(&r->in, rd_u8(&r->in));
    else
        dgram = sign(r, kind, raw);
    assert(ice_input(r->ice, r->now, &local, &from, dgram) < VERDICT_COUNT);
    look_at_sped(r->ice, dgram);
}

/* The calls of one byte that leave no choice but an address. */
static void call_by_name(struct run *r, uint8_t what)
{
    struct ice_sped sped = { .is_on = what & 8, .has_data = what & 16, .acks = { r->carried, 8 } };
    struct addr a = pick_addr(&r->in), b = pick_addr(&r->in);

    switch (what & 7) {
    case 0:
        ice_add_relayed(r->ice, r->now, &a, &b, what);
        break;
    case 1:
        ice_remove_base(r->ice, r->now, &a);
        break;
    case 2:
        ice_set_abilities(r->ice, what >> 3 & 3);
        break;
    case 3:
        ice_suspect(r->ice, r->now);
        break;
    case 4:
        ice_check_again(r->ice, r->now);
        break;
    case 5:
        ice_heard(r->ice, r->now, &a, &b);
        break;
    case 6:
        ice_heard(r->ice, r->now, &r->asked_from, &r->asked_to);
        break;
    default:
        sped.data = bytes_of(r->carried, what & 32 ? sizeof r->carried : 0);
        ice_set_sped(r->ice, &sped);
    }
}

static void call(struct run *r)
{
    uint8_t what = rd_u8(&r->in);
    struct ice_candidate c = { .type = (enum ice_type)(what >> 4 & 3), .priority = what };
    struct addr a;

    if (what % 8 == 0) {
        a = pick_addr(&r->in);
        ice_add_host(r->ice, r->now, &a, what);
    } else if (what % 8 == 1) {
        a = pick_addr(&r->in);
        ice_add_stun_server(r->ice, r->now, &a);
    } else if (what % 8 == 2) {
        c.addr = pick_addr(&r->in);
        ice_add_remote(r->ice, r->now, &c);
    } else if (what == 3) {
        ice_set_remote(r->ice, r->now, "peer", REMOTE_PWD);
    } else if (what == 11) {
        ice_end_local(r->ice, r->now);
    } else if (what == 19) {
        ice_end_remote(r->ice, r->now);
    } else if (what % 8 == 3) {
        call_by_name(r, rd_u8(&r->in));
    } else if (what % 8 == 4) {
        r->now += (usec)what * 100 * MILLISECOND;
        ice_tick(r->ice, r->now);
    } else {
        give(r);
    }
}

static void drain(struct run *r)
{
    uint8_t buf[1500];
    struct ice_event ev;
    struct stun_msg m;
    struct out out;
    unsigned rounds = 0;

    out_init(&out, buf, sizeof buf);
    while (ice_poll_output(r->ice, &out)) {
        assert(stun_decode(&m, out_datagram(&out, 0)) == VERDICT_TAKEN && m.unknown_count == 0);
        assert(out.to.port != 0 && addr_scope_of(&out.to) != ADDR_SCOPE_UNUSABLE);
        assert(out.to.family == out.from.family);
        if (m.class == STUN_REQUEST) {
            r->asked = m.id;
            r->asked_from = out.from;
            r->asked_to = out.to;
        }
        assert(++rounds < 300);
    }
    while (ice_poll_event(r->ice, &ev))
        assert(++rounds < 400);
}

/* No pair and no candidate has a base that is gone; every path selected is one that works. */
static void check_tables(const struct ice *a)
{
    struct ice_pair_info info[ICE_PAIRS_MAX];

    for (uint8_t i = 0; i < a->pair_count; i++)
        assert(a->bases[a->pairs[i].base].addr.family != ADDR_NONE &&
               a->pairs[i].remote < a->remote_count);
    for (uint8_t i = 0; i < a->local_count; i++)
        assert(a->bases[a->locals[i].base].addr.family != ADDR_NONE);
    for (uint8_t i = 0; i < a->answer_count; i++)
        assert(a->bases[a->answers[i].base].addr.family != ADDR_NONE);
    assert(ice_get_pairs(a, info, COUNT(info)) == a->pair_count);
    assert(a->suspect_at == USEC_NEVER || a->selected != ICE_NONE);
}

static void check_limits(const struct ice *a)
{
    check_tables(a);
    assert(a->pair_count <= ICE_PAIRS_MAX && a->remote_count <= ICE_CANDIDATES_MAX);
    assert(a->local_count <= ICE_CANDIDATES_MAX && a->base_count <= ICE_BASES_MAX);
    assert((a->state == ICE_CONNECTED) == (a->selected != ICE_NONE));
    assert(a->selected == ICE_NONE || a->pairs[a->selected].state == ICE_PAIR_SUCCEEDED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ice_config cfg = { .ufrag = "ours", .controlling = len & 1 };
    uint64_t seed = 1;
    struct rng rng = test_rng(&seed);
    struct run r = { .in = rd_of(bytes_of(data, len)), .now = 1000 * SECOND };

    if (len > 4096 || ice_new(&r.ice, &cfg, &rng) != ERR_OK)
        return 0;
    while (r.in.ok && rd_left(&r.in)) {
        call(&r);
        drain(&r);
        check_limits(r.ice);
        if (ice_next_timeout(r.ice) <= r.now) {
            ice_tick(r.ice, r.now);
            drain(&r);
            assert(ice_next_timeout(r.ice) > r.now);
        }
    }
    ice_free(r.ice);
    return 0;
}
