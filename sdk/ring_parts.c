#include "sdk/ring_parts.h"

#include <assert.h>

static struct bytes bytes_of_part(const struct ring_part *part)
{
    return bytes_of(part, sizeof *part);
}

size_t ring_weight(const struct ring *ring)
{
    return ring->chain.len + ring->parts.len + ring->reserved;
}

const struct ring_part *ring_first(struct ring *ring)
{
    if (ring->first.len == 0 && ring->parts.len) {
        rings_uncount(chain_take(&ring->parts, &ring->first, sizeof ring->first));
    } else if (ring->first.len == 0) {
        ring->first = ring->ended;
        ring->ended.len = 0;
    }
    return ring->first.len ? &ring->first : NULL;
}

void ring_taken(struct ring *ring, size_t n)
{
    while (n > 0) {
        size_t here = n;

        if (!ring_first(ring)) {
            assert(n <= ring->loose);
            ring->loose -= n;
            return;
        }
        if (here > ring->first.len)
            here = ring->first.len;
        ring->first.len -= (uint32_t)here;
        n -= here;
    }
}

bool ring_settle(struct ring *ring)
{
    if (ring->ended.len && chain_append_all(&ring->parts, bytes_of_part(&ring->ended)) == ERR_OK) {
        rings_count(sizeof ring->ended);
        ring->ended.len = 0;
    }
    return ring->ended.len == 0;
}

void ring_end_message(struct ring *ring)
{
    assert(ring->ended.len == 0);
    ring->ended = (struct ring_part){ .len = (uint32_t)ring->loose, .is_message = true };
    ring->loose = 0;
    (void)ring_settle(ring); /* asked again before anything else comes */
}

bool ring_begin_message(struct ring *ring, size_t len, usec accepted_at)
{
    const struct ring_part before = { .len = (uint32_t)ring->loose };
    const struct ring_part message = { .len = (uint32_t)len,
                                       .is_message = true,
                                       .accepted_at = accepted_at };
    size_t len_before = ring->parts.len;

    if (chain_append_both(&ring->parts, before.len ? bytes_of_part(&before) : bytes_of(NULL, 0),
                          bytes_of_part(&message)))
        return false;
    ring->loose = 0;
    rings_count(ring->parts.len - len_before);
    return true;
}
