#include "core/ice/hurry.h"

#include "core/ice/agent.h"

void ice_ask_selected(struct ice *a, usec now)
{
    struct ice_pair *p;

    if (!ice_is_path(a, a->selected))
        return;
    p = &a->pairs[a->selected];
    if (p->missed == 0)
        ice_begin_series(a, p);
    ice_send_check(a, p, now);
    p->next_at = now + ice_consent_interval(a, p, now);
}
