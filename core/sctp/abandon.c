/* Messages are given up: RFC 3758, by time or by retransmissions (RFC 7496 §3.1, §3.2), with I-DATA
 * RFC 8260 §2.3.
 *
 * What was never sent is dropped as if it had not been. Of a message begun the rest is dropped, one
 * TSN that is never sent stands for its end, and nothing of it is sent again; FORWARD-TSN tells the
 * peer not to wait as soon as nothing else is missing before it. What the network still holds fills
 * the window until it is acknowledged or lost, for it is there (deviations.md, S30). */
#include "core/sctp/assoc.h"

enum { SKIPS_MAX = 64 /* streams in one FORWARD-TSN; the next one tells of the others */ };

/* The message that the stream's next byte belongs to, NULL if there is none. */
static const struct tx_message *head_of(const struct stream *st)
{
    const struct place *p = &st->tx.next_message;

    return st->tx.unsent ? (const void *)(p->block->data + p->at) : NULL;
}

void abandon_note(struct sctp *s, const struct stream *st)
{
    const struct tx_message *head = head_of(st);

    if (head && head->give_up_at < s->give_up_at)
        s->give_up_at = head->give_up_at;
}

/* Unsent bytes leave the middle of the stream's chain. */
static void drop_unsent(struct sctp *s, struct stream *st, size_t len)
{
    queue_cut(&st->tx.chain, &st->tx.next, len);
    st->tx.unsent -= len;
    st->tx.payload -= len;
    s->tx.payload_bytes -= len;
    s->tx.queued_bytes -= len;
    st->tx.message = NULL;
    st->tx.message_left = 0;
}

static void drop_unbegun(struct sctp *s, struct stream *st)
{
    drop_unsent(s, st, head_of(st)->len);
    queue_cut(&st->tx.messages, &st->tx.next_message, sizeof(struct tx_message));
    s->tx.queued_bytes -= sizeof(struct tx_message);
}

static bool is_begun(const struct stream *st)
{
    return st->tx.message && st->tx.fsn > 0;
}

/* The peer may have all that was sent, and even have acknowledged it: only by a TSN behind that can
 * it be told that no more comes. False: the ring has no room for it now. */
static bool drop_rest(struct sctp *s, struct stream *st)
{
    if (!tx_reserve_chunk(s))
        return false;
    *tx_chunk_at(s, s->tx.next_tsn) = (struct tx_chunk){
        .message = st->tx.message,
        .mid = st->tx.mid,
        .stream = st->id,
        .flags = (uint8_t)(DATA_ENDS | (st->tx.message->is_unordered ? DATA_UNORDERED : 0)),
        .header_len = DATA_HEADER_LEN,
        .state = TX_GONE,
        .is_given_up = true,
    };
    s->tx.next_tsn++;
    drop_unsent(s, st, st->tx.message_left);
    place_advance(&st->tx.next_message, sizeof(struct tx_message));
    return true;
}

static bool is_same_message(const struct tx_chunk *a, const struct tx_chunk *b)
{
    return a->stream == b->stream && a->mid == b->mid && !((a->flags ^ b->flags) & DATA_UNORDERED);
}

static void give_up_chunk(struct sctp *s, struct tx_chunk *c)
{
    c->is_given_up = true;
    if (c->state != TX_LOST)
        return;
    s->tx.lost_count--;
    c->state = TX_GONE;
}

/* All that was sent of the message that the chunk is of (RFC 3758 §3.5 A3). */
static void give_up_sent(struct sctp *s, uint32_t tsn)
{
    const struct tx_chunk one = *tx_chunk_at(s, tsn);
    bool is_whole = false;

    for (uint32_t at = tsn; !is_whole && !tsn_before(at, s->tx.base_tsn); at--) {
        struct tx_chunk *c = tx_chunk_at(s, at);

        if (!is_same_message(c, &one))
            continue;
        give_up_chunk(s, c);
        is_whole = c->flags & DATA_BEGINS;
    }
    is_whole = one.flags & DATA_ENDS;
    for (uint32_t at = tsn + 1; !is_whole && at != s->tx.next_tsn; at++) {
        struct tx_chunk *c = tx_chunk_at(s, at);

        if (!is_same_message(c, &one))
            continue;
        give_up_chunk(s, c);
        is_whole = c->flags & DATA_ENDS;
    }
}

static void after_drop(struct sctp *s, struct stream *st)
{
    if (s->tx.current == st)
        s->tx.current = NULL;
    if (!st->tx.unsent)
        sched_remove(s, st);
    abandon_note(s, st);
}

static void note_given_up(struct sctp *s, struct stream *st)
{
    s->info.given_up_messages++;
    st->tx.given_up++;
}

/* The chunk's payload must not have been released. */
static bool give_up_message(struct sctp *s, uint32_t tsn)
{
    const struct tx_chunk *c = tx_chunk_at(s, tsn);
    struct stream *st = stream_find(s, c->stream);

    if (st->tx.message == c->message) {
        if (!drop_rest(s, st))
            return false;
        after_drop(s, st);
    }
    give_up_sent(s, tsn);
    note_given_up(s, st);
    return true;
}

/* How many TSNs from this one on the peer may be told of: a message at once, for the fragments of
 * a skipped SSN must not follow; I-DATA's tell what they are of. What is on its way is waited for:
 * once the peer is told not to, its answer to that hides whether it came, and a window that is no
 * larger than what expires in a round trip would learn of no delivery and never grow. */
static uint32_t tellable(const struct sctp *s, uint32_t tsn)
{
    for (uint32_t at = tsn; at != s->tx.next_tsn; at++) {
        const struct tx_chunk *c = tx_chunk_at(s, at);

        if (!c->is_given_up || c->state == TX_IN_FLIGHT)
            return 0;
        if (c->flags & DATA_ENDS || s->tx.is_interleaved)
            return at + 1 - tsn;
    }
    return 0;
}

/* RFC 3758 §3.5 C2, and what need never be sent again is released. */
static void advance(struct sctp *s)
{
    uint32_t before = s->tx.advanced_tsn, count;

    while ((count = tellable(s, s->tx.advanced_tsn + 1)))
        while (count--) {
            const struct tx_chunk *c = tx_chunk_at(s, ++s->tx.advanced_tsn);

            queue_release(s, stream_find(s, c->stream), c);
        }
    if (s->tx.advanced_tsn == before)
        return;
    s->tx.is_forward_due = true;
    queue_wake_waiters(s);
}

static bool is_over(const struct tx_chunk *c, usec now)
{
    const struct tx_message *m = c->message;

    return now >= m->give_up_at ||
           (m->retransmits_max != TX_RETRANSMITS_ANY && c->retransmits >= m->retransmits_max);
}

bool abandon_instead(struct sctp *s, usec now, uint32_t tsn)
{
    struct tx_chunk *c = tx_chunk_at(s, tsn);

    if (c->is_given_up) {
        give_up_chunk(s, c);
        advance(s);
        return true;
    }
    if (!s->tx.may_forward || !is_over(c, now) || !give_up_message(s, tsn))
        return false;
    advance(s);
    return true;
}

/* The message in front, if its time is over. One that was begun the peer must be able to skip. */
static bool shed_head(struct sctp *s, struct stream *st)
{
    if (!is_begun(st)) {
        drop_unbegun(s, st);
        note_given_up(s, st);
        return true;
    }
    if (!s->tx.may_forward || !drop_rest(s, st))
        return false;
    give_up_sent(s, s->tx.next_tsn - 1);
    note_given_up(s, st);
    return true;
}

/* Nor is one begun that could not be sent to its end in time: a path that takes too little would
 * carry beginnings alone. */
static bool is_hopeless(const struct sctp *s, const struct stream *st,
                        const struct tx_message *head, usec now)
{
    uint64_t rate = s->cc.pacing_rate;

    return head->give_up_at != USEC_NEVER && !is_begun(st) && rate &&
           now + (usec)(head->len * (uint64_t)SECOND / rate) > head->give_up_at;
}

/* True if something was dropped, so that another stream may be next. */
bool abandon_shed(struct sctp *s, usec now, struct stream *st)
{
    const struct tx_message *head;
    bool has_shed = false;

    while ((head = head_of(st)) && (now >= head->give_up_at || is_hopeless(s, st, head, now)) &&
           shed_head(s, st))
        has_shed = true;
    if (!has_shed)
        return false;
    after_drop(s, st);
    advance(s);
    queue_wake_waiters(s);
    closing_advance(s, now);
    reconfig_advance(s, now);
    return true;
}

/* Messages expire while the window is shut, too, and make room. */
void abandon_tick(struct sctp *s, usec now)
{
    if (now < s->give_up_at)
        return;
    s->give_up_at = USEC_NEVER;
    for (size_t i = 0; i < s->streams_cap; i++) {
        struct stream *st = s->streams[i];
        const struct tx_message *head;

        if (!st)
            continue;
        abandon_shed(s, now, st);
        head = head_of(st);
        if (head && head->give_up_at > now) /* one that cannot be dropped will be sent */
            abandon_note(s, st);
    }
}

/* ---- FORWARD-TSN ----------------------------------------------------------------------------- */

static bool has_to_tell(const struct sctp *s)
{
    return !tsn_before(s->tx.advanced_tsn, s->tx.base_tsn);
}

bool abandon_is_told(const struct sctp *s, uint32_t tsn)
{
    return !tsn_before(s->tx.told_tsn, tsn);
}

bool abandon_repeat(struct sctp *s)
{
    s->tx.is_forward_due = has_to_tell(s);
    return s->tx.is_forward_due;
}

/* RFC 3758 §3.5 C3: told again once the first telling could have been answered (F2). */
void abandon_on_sack(struct sctp *s, usec now)
{
    advance(s);
    if (!has_to_tell(s))
        s->tx.is_forward_due = false;
    else if (s->tx.told_tsn != s->tx.advanced_tsn ||
             now - s->tx.told_at >= usec_max(s->rto.srtt_us, MILLISECOND))
        s->tx.is_forward_due = true;
}

/* The entry of the stream and kind, made if there is room; NULL if not. */
static struct forward_skip *find_skip(struct forward_skip *skips, size_t *count, size_t cap,
                                      const struct tx_chunk *c)
{
    bool is_unordered = c->flags & DATA_UNORDERED;

    for (size_t i = *count; i-- > 0;)
        if (skips[i].stream == c->stream && skips[i].is_unordered == is_unordered)
            return &skips[i];
    if (*count == cap)
        return NULL;
    skips[*count] = (struct forward_skip){ .stream = c->stream, .is_unordered = is_unordered };
    return &skips[(*count)++];
}

/* RFC 3758 §3.5 C4: of each stream the last message, up to the TSN where the chunk is full. */
void abandon_encode(struct sctp *s, usec now, struct wr *w)
{
    struct forward_skip skips[SKIPS_MAX], *skip;
    size_t len = s->tx.is_interleaved ? I_FORWARD_SKIP_LEN : FORWARD_SKIP_LEN, count = 0, cap;
    uint32_t tsn = s->tx.base_tsn;

    if (wr_left(w) < FORWARD_HEADER_LEN + len)
        return; /* the next packet takes it */
    cap = (wr_left(w) - FORWARD_HEADER_LEN) / len;
    cap = cap < SKIPS_MAX ? cap : SKIPS_MAX;
    s->tx.is_forward_due = false;
    for (; !tsn_before(s->tx.advanced_tsn, tsn); tsn++) {
        const struct tx_chunk *c = tx_chunk_at(s, tsn);

        if (!s->tx.is_interleaved && c->flags & DATA_UNORDERED)
            continue;
        skip = find_skip(skips, &count, cap, c);
        if (!skip)
            break;
        skip->ssn = c->mid;
    }
    if (tsn == s->tx.base_tsn)
        return;
    forward_encode(w, s->tx.is_interleaved, tsn - 1, skips, count);
    s->tx.told_tsn = tsn_max(s->tx.told_tsn, tsn - 1);
    s->tx.told_at = now;
    if (s->t3_at == USEC_NEVER)
        loss_arm_t3(s, now); /* C5 */
    loss_arm_probe(s, now);
}
