#include "core/ice/agent.h"

void ice_describe_path(const struct ice *a, const struct ice_pair *p, struct ice_path *path)
{
    *path = (struct ice_path){
        .local = a->bases[p->base].addr,
        .remote = ice_pair_to(a, p),
        .local_type = (enum ice_type)p->local_type,
        .remote_type = (enum ice_type)a->remotes[p->remote].type,
        .rtt_us = p->rtt_us,
        .heard_at = p->heard_at,
        .back_at = a->back_at,
    };
}

bool ice_selected(const struct ice *a, struct ice_path *path)
{
    if (a->selected == ICE_NONE)
        return false;
    ice_describe_path(a, &a->pairs[a->selected], path);
    return true;
}

static enum ice_fate fate_of(const struct ice *a, uint8_t pair)
{
    static const enum ice_fate fates[] = {
        [ICE_PAIR_WAITING] = ICE_FATE_WAITING,
        [ICE_PAIR_IN_PROGRESS] = ICE_FATE_TRYING,
        [ICE_PAIR_SUCCEEDED] = ICE_FATE_WORKS,
        [ICE_PAIR_FAILED] = ICE_FATE_FAILED,
    };

    return pair == a->selected ? ICE_FATE_SELECTED : fates[a->pairs[pair].state];
}

static struct ice_pair_info info_of(const struct ice *a, uint8_t pair)
{
    const struct ice_pair *p = &a->pairs[pair];

    return (struct ice_pair_info){
        .local = a->bases[p->base].addr,
        .remote = ice_pair_to(a, p),
        .local_type = (enum ice_type)p->local_type,
        .remote_type = (enum ice_type)a->remotes[p->remote].type,
        .fate = fate_of(a, pair),
        .rtt_us = p->rtt_us,
        .checks = p->checks,
    };
}

size_t ice_get_pairs(const struct ice *a, struct ice_pair_info *out, size_t max)
{
    bool is_taken[ICE_PAIRS_MAX] = { false };
    size_t count = 0;

    for (; count < max && count < a->pair_count; count++) {
        uint8_t best = ICE_NONE;

        for (uint8_t i = 0; i < a->pair_count; i++)
            if (!is_taken[i] && (best == ICE_NONE || ice_pair_priority(a, &a->pairs[i]) >
                                                         ice_pair_priority(a, &a->pairs[best])))
                best = i;
        if (best == ICE_NONE)
            break; /* cannot be: there are more pairs than were taken */
        is_taken[best] = true;
        out[count] = info_of(a, best);
    }
    return count;
}

static bool poll_gathering(struct ice *a, struct ice_event *ev)
{
    for (uint8_t i = 0; i < a->local_count; i++) {
        if (a->locals[i].is_told)
            continue;
        a->locals[i].is_told = true;
        *ev = (struct ice_event){ .type = ICE_EVENT_LOCAL_CANDIDATE,
                                  .candidate = ice_local_candidate(a, &a->locals[i]) };
        return true;
    }
    if (a->gathered_told || ice_is_gathering(a))
        return false;
    a->gathered_told = true;
    *ev = (struct ice_event){ .type = ICE_EVENT_GATHERED };
    return true;
}

bool ice_poll_event(struct ice *a, struct ice_event *ev)
{
    static const enum ice_event_type types[] = {
        [ICE_NEWS_SELECTED] = ICE_EVENT_SELECTED,
        [ICE_NEWS_LOST] = ICE_EVENT_LOST,
        [ICE_NEWS_FAILED] = ICE_EVENT_FAILED,
    };

    if (poll_gathering(a, ev))
        return true;
    if (a->news != ICE_NEWS_NONE) {
        *ev = (struct ice_event){ .type = types[a->news], .at = a->news_at };
        if (a->news == ICE_NEWS_SELECTED)
            ice_selected(a, &ev->path);
        a->news = ICE_NEWS_NONE;
        return true;
    }
    if (!a->dark_due)
        return false;
    a->dark_due = false;
    *ev = (struct ice_event){ .type = ICE_EVENT_DARK, .at = a->dark_at };
    return true;
}
