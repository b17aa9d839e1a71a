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
    if (m->has & STUN_HAS_ERROR)
        stun_add_error(w, m->error_code, "reason");
    stun_add_integrity(w, key);
    stun_add_fingerprint(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char key[] = "VOkJxbRl1RmTxUk/WvJxBt";
    static uint8_t raw[4096];
    struct bytes secret = bytes_of_string(key);
    struct addr from = addr_ipv4(0xc0000201, 80);
    struct wr w = wr_of(raw, RELAY_ANSWER_MAX);
    struct stun_msg m, again;

    (void)relay_answer_binding(bytes_of(data, len), &from, &w);
    assert(w.ok);
    if (stun_decode(&m, bytes_of(data, len)) != VERDICT_TAKEN)
        return 0;
    check_within(&m, m.username);
    check_within(&m, m.realm);
    check_within(&m, m.nonce);
    check_within(&m, m.software);
    check_within(&m, m.reason);
    (void)stun_has_integrity(&m, secret);

    w = wr_of(raw, sizeof raw);
    encode(&m, secret, &w);
    assert(w.ok && stun_decode(&again, wr_written(&w)) == VERDICT_TAKEN);
    assert(again.class == m.class && again.method == m.method);
    assert(bytes_equal(again.username, m.username) && bytes_equal(again.nonce, m.nonce));
    assert(addr_equal(&again.mapped, &m.mapped) && again.error_code == m.error_code);
    assert(stun_has_integrity(&again, secret));
    return 0;
}
