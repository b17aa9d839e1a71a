/* Data that rides in checks and their answers (draft-hancke-webrtc-sped): attributes before
 * MESSAGE-INTEGRITY, never in questions to STUN servers. What it means is not ours to know. */
#include "core/ice/agent.h"

void ice_set_sped(struct ice *a, const struct ice_sped *sped)
{
    a->sped = *sped;
    if (!ice_is_sped_pending(a))
        a->urgent = 0;
}

bool ice_get_sped(const struct ice *a, struct ice_sped *sped)
{
    if (a->has_got)
        *sped = a->got;
    return a->has_got;
}

bool ice_has_sent_sped(const struct ice *a)
{
    return a->has_sent_sped;
}

bool ice_is_sped_pending(const struct ice *a)
{
    return a->sped.is_on && a->sped.has_data && a->sped.data.len;
}

void ice_add_sped(const struct ice *a, struct wr *w, bool is_light)
{
    if (!a->sped.is_on)
        return;
    if (a->sped.has_data) /* an empty one says that we can */
        stun_add_bytes(w, STUN_ATTR_DTLS, is_light ? bytes_of(NULL, 0) : a->sped.data);
    stun_add_bytes(w, STUN_ATTR_DTLS_ACKS, a->sped.acks);
}

/* Of an authenticated message. */
void ice_note_sped(struct ice *a, const struct stun_msg *m)
{
    a->has_got = true;
    a->got = (struct ice_sped){ .is_on = m->has & STUN_HAS_DTLS_ACKS,
                                .has_data = m->has & STUN_HAS_DTLS,
                                .data = m->dtls,
                                .acks = m->dtls_acks };
}
