#include "core/relay/relay.h"

#include "core/stun/stun.h"

bool relay_answer_binding(struct bytes request, const struct addr *from, struct wr *answer)
{
    struct stun_msg m;

    if (from->port == 0 || addr_scope_of(from) == ADDR_SCOPE_UNUSABLE ||
        stun_decode(&m, request) != VERDICT_TAKEN || m.class != STUN_REQUEST ||
        m.method != STUN_BINDING)
        return false;
    if (m.has & STUN_HAS_CHANGE_REQUEST && m.unknown_count < STUN_UNKNOWN_MAX)
        m.unknown[m.unknown_count++] = STUN_ATTR_CHANGE_REQUEST; /* one address: not RFC 5780 */
    if (m.unknown_count) {
        stun_encode_header(answer, STUN_ERROR, STUN_BINDING, &m.id);
        stun_add_error(answer, 420, "Unknown Attribute");
        stun_add_unknown(answer, &m);
    } else {
        stun_encode_header(answer, STUN_SUCCESS, STUN_BINDING, &m.id);
        stun_add_xor_mapped(answer, from);
    }
    if (m.has & STUN_HAS_FINGERPRINT)
        stun_add_fingerprint(answer);
    return answer->ok;
}
