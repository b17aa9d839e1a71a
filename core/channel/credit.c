#include "core/channel/credit.h"

#define RTT_UNKNOWN_US (100 * MILLISECOND)

void credit_init(struct credit *c, usec now, size_t rx_window_max)
{
    *c = (struct credit){
        .tx_limit = CREDIT_FIRST,
        .rx_granted = CREDIT_FIRST,
        .rx_window = CREDIT_FIRST,
        .rx_window_max = rx_window_max,
        .rx_turn_at = now,
    };
}

size_t credit_room(const struct credit *c, uint64_t sent)
{
    uint64_t room = c->tx_limit > sent ? c->tx_limit - sent : 0;

    return room < SIZE_MAX ? (size_t)room : SIZE_MAX;
}

bool credit_input(struct credit *c, uint64_t limit)
{
    if (limit <= c->tx_limit)
        return false;
    c->tx_limit = limit;
    return true;
}

/* Half a window that was read in two round trips: with a larger one there may have been more to
 * read. Not the whole of it, for behind a loss everything waits a round trip or two. */
static void follow_reader(struct credit *c, usec now, usec rtt_us, uint64_t received)
{
    usec fast = 2 * (rtt_us ? rtt_us : RTT_UNKNOWN_US);

    if (received - c->rx_turn_from < c->rx_window / 2)
        return;
    if (now - c->rx_turn_at <= fast && c->rx_window < c->rx_window_max)
        c->rx_window *= 2;
    if (c->rx_window > c->rx_window_max)
        c->rx_window = c->rx_window_max;
    c->rx_turn_at = now;
    c->rx_turn_from = received;
}

/* A word for each byte would be more words than bytes. An eighth is little of a window whose rest a
 * hole may use up. */
static bool is_worth_telling(const struct credit *c, uint64_t received)
{
    return c->rx_granted != UINT64_MAX &&
           received + c->rx_window >= c->rx_granted + c->rx_window / 8;
}

bool credit_is_due(const struct credit *c, uint64_t received)
{
    return received - c->rx_turn_from >= c->rx_window / 2 || is_worth_telling(c, received);
}

bool credit_read(struct credit *c, usec now, usec rtt_us, uint64_t received)
{
    follow_reader(c, now, rtt_us, received);
    if (!is_worth_telling(c, received))
        return false;
    c->rx_granted = received + c->rx_window;
    return true;
}

void credit_end(struct credit *c)
{
    c->rx_granted = UINT64_MAX;
}

bool credit_is_endless(const struct credit *c)
{
    return c->tx_limit == UINT64_MAX;
}
