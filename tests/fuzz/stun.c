/* Any datagram: what decodes stays within its bounds, and written again it reads the same. */
#include "core/stun/stun.h"

#include <assert.h>

#include "core/relay/relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_within(const struct stun_msg *m, struct bytes part)
{
    assert(part.len == 0 ||
           (part.data >= m->whole.data && part.data + part.len <= m->whole.data + m->whole.len));
}

static void encode_turn(const struct stun_msg *m, struct wr *w)
{
    if (m->has & STUN_HAS_CHANNEL)
        stun_add_u32(w, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)m->channel << 16);
    if (m->has & STUN_HAS_LIFETIME)
        stun_add_u32(w, STUN_ATTR_LIFETIME, m->lifetime_s);
    if (m->has & STUN_HAS_PEER)
        stun_add_xor_addr(w, STUN_ATTR_XOR_PEER_ADDRESS, &m->peer);
    if (m->has & STUN_HAS_DATA)
        stun_add_bytes(w, STUN_ATTR_DATA, m->data);
    if (m->has & STUN_HAS_RELAYED)
        stun_add_xor_addr(w, STUN_ATTR_XOR_RELAYED_ADDRESS, &m->relayed);
    if (m->has & STUN_HAS_FAMILY)
        stun_add_u32(w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)m->family << 24);
    if (m->has & STUN_HAS_TRANSPORT)
        stun_add_u32(w, STUN_ATTR_REQUESTED_TRANSPORT, (uint32_t)m->transport << 24);
    if (m->has & STUN_HAS_ALTERNATE)
        stun_add_addr(w, STUN_ATTR_ALTERNATE_SERVER, &m->alternate);
}

static void encode_drafts(const struct stun_msg *m, struct wr *w)
{
    if (m->has & STUN_HAS_NOMINATION)
        stun_add_u32(w, STUN_ATTR_NOMINATION, m->nomination);
    if (m->has & STUN_HAS_DTLS)
        stun_add_bytes(w, STUN_ATTR_DTLS, m->dtls);
    if (m->has & STUN_HAS_DTLS_ACKS)
        stun_add_bytes(w, STUN_ATTR_DTLS_ACKS, m->dtls_acks);
    if (m->has & STUN_HAS_CHANGE_REQUEST)
        stun_add_u32(w, STUN_ATTR_CHANGE_REQUEST, m->change_request);
    if (m->has & STUN_HAS_OTHER_ADDRESS)
        stun_add_addr(w, STUN_ATTR_OTHER_ADDRESS, &m->other);
}

static void encode(const struct stun_msg *m, struct bytes key, struct wr *w)
{
    stun_encode_header(w, m->class, m->method, &m->id);
    if (m->has & STUN_HAS_USERNAME)
        stun_add_bytes(w, STUN_ATTR_USERNAME, m->username);
    if (m->has & STUN_HAS_REALM)
        stun_add_bytes(w, STUN_ATTR_REALM, m->realm);
    if (m->has & STUN_HAS_NONCE)
        stun_add_bytes(w, STUN_ATTR_NONCE, m->nonce);
    if (m->has & STUN_HAS_MAPPED)
        stun_add_xor_mapped(w, &m->mapped);
    if (m->has & STUN_HAS_PRIORITY)
        stun_add_u32(w, STUN_ATTR_PRIORITY, m->priority);
    if (m->has & STUN_HAS_CONTROLLING)
        stun_add_u64(w, STUN_ATTR_ICE_CONTROLLING, m->tie_breaker);
    encode_turn(m, w);
    encode_drafts(m, w);
    if (m->has & STUN_HAS_ERROR)
        stun_add_error(w, m->error_code, "reason");
    stun_add_integrity(w, key);
    stun_add_fingerprint(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char key[] = "VOkJxbRl1RmTxUk/WvJxBt";
    static uint8_t raw[70000]; /* all attributes of a message as long as can be, plus ours */
    struct bytes secret = bytes_of_string(key);
    struct addr from = addr_ipv4(0xc0000201, 80);
    struct wr w = wr_of(raw, RELAY_ANSWER_MAX);
    struct stun_msg m, again;

    (void)relay_answer_binding(bytes_of(data, len), &from, &w);
    assert(w.ok);
    if (len > 60000 || stun_decode(&m, bytes_of(data, len)) != VERDICT_TAKEN)
        return 0; /* all of it and our integrity and fingerprint must fit again */
    check_within(&m, m.username);
    check_within(&m, m.realm);
    check_within(&m, m.nonce);
    check_within(&m, m.software);
    check_within(&m, m.reason);
    check_within(&m, m.data);
    check_within(&m, m.dtls);
    check_within(&m, m.dtls_acks);
    (void)stun_has_integrity(&m, secret);

    w = wr_of(raw, sizeof raw);
    encode(&m, secret, &w);
    assert(w.ok && stun_decode(&again, wr_written(&w)) == VERDICT_TAKEN);
    assert(again.class == m.class && again.method == m.method);
    assert(bytes_equal(again.username, m.username) && bytes_equal(again.nonce, m.nonce));
    assert(addr_equal(&again.mapped, &m.mapped) && again.error_code == m.error_code);
    assert(addr_equal(&again.peer, &m.peer) && addr_equal(&again.relayed, &m.relayed));
    assert(addr_equal(&again.alternate, &m.alternate) && addr_equal(&again.other, &m.other));
    assert(bytes_equal(again.data, m.data) && bytes_equal(again.dtls, m.dtls));
    assert(bytes_equal(again.dtls_acks, m.dtls_acks) && again.nomination == m.nomination);
    assert(again.channel == m.channel && again.lifetime_s == m.lifetime_s);
    assert(again.family == m.family && again.transport == m.transport);
    assert(stun_has_integrity(&again, secret));
    return 0;
}
