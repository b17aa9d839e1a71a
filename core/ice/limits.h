/* limits.h: what bounds an ICE agent, beside the numbers of ice.h. */
#ifndef HAWSER_ICE_LIMITS_H
#define HAWSER_ICE_LIMITS_H

#define ICE_BASES_MAX   16 /* sockets and relayed addresses of ours */
#define ICE_QUERIES_MAX 16 /* questions to STUN servers under way */
#define ICE_ANSWERS_MAX 16 /* answers to the peer's checks waiting for poll_output */

/* Checks that may go without waiting for Ta; the allowance refills by one per Ta. A handful of
 * candidates on both sides then costs no time. */
#define ICE_BURST 20

/* Of the table of pairs: so many places are the relayed ones' own, however many direct ones the
 * peer makes us try. */
#define ICE_RELAYED_PAIRS_KEPT 10

/* Per pair: a few sends at a steady pace, then doubled up to 1.6 s, 13 s in all; a pair tried once
 * more gets fewer. Per question to a server: doubled, 5 s (deviations.md, I3). */
#define ICE_CHECK_SENDS_MAX    15
#define ICE_CHECK_SENDS_STEADY 6
#define ICE_RETRY_SENDS_MAX    8
#define ICE_QUERY_SENDS_MAX    6
#define ICE_RTO_MIN_US         (30 * MILLISECOND)

/* A NAT of the peer's may let our checks in only once the peer has sent to the address that we have
 * just found and told: what was first sent around then is soon sent once more. */
#define ICE_TOLD_US (3 * MILLISECOND)

#define ICE_RTO_MAX_US (1600 * MILLISECOND)

/* Checks to addresses that have not answered: whoever hands us candidates could point them at a
 * victim (RFC 8445 §19.5.1). The allowance refills by one every other second; resends must leave a
 * quarter of it to what comes later. */
#define ICE_UNANSWERED_MAX    400
#define ICE_UNANSWERED_KEPT   100
#define ICE_UNANSWERED_REFILL (2 * SECOND)

/* An agent that follows another has what that one left of it, or this: enough to ask once by each
 * pair and to repeat a little, however much was asked in vain before. */
#define ICE_UNANSWERED_ANEW 120

/* One that carries so much data (SPED) counts twice. */
#define ICE_HEAVY_BYTES 200

/* Peer-reflexive candidates: whoever sees one authentic check can repeat it from any source. */
#define ICE_LEARNED_MAX 8

#define ICE_SPARE_PATHS_MAX 2 /* working paths kept alive beside the selected one */
#define ICE_SPARE_US        (25 * SECOND)

/* Checks in a row without an answer before a path is not believed to work both ways. */
#define ICE_MISSED_MAX 2

/* Unanswered ones before a spare path is asked no more often than every consent interval. */
#define ICE_SPARE_MISSED_MAX 5

/* A nomination by USE-CANDIDATE that the peer has not repeated for so long yields to one it just
 * made: two consent checks with the largest jitter. */
#define ICE_NOMINATION_AGE_US (12 * SECOND)
#define ICE_NOMINATION_MAX    0xffffffu /* draft-thatcher-ice-renomination: 24 bits */

/* Between hawsers: without data for so long, checks become rare (deviations.md, I12). */
#define ICE_IDLE_AFTER_US  (30 * SECOND)
#define ICE_IDLE_US        (15 * SECOND)
#define ICE_IDLE_MISSED_US (17 * SECOND) /* the controlled side asks itself then */
#define ICE_REPEAT_US      SECOND        /* unanswered */

/* After data, silence for so long is worth a check. */
#define ICE_SILENCE_US SECOND

/* Suspicion: how long the selected path has to answer while others are asked too, when nobody has
 * answered for too long, and how many paths are asked. */
#define ICE_DECISION_US        (100 * MILLISECOND)
#define ICE_DARK_US            (600 * MILLISECOND)
#define ICE_SUSPECTS_MAX       6
#define ICE_SUSPECT_AGAIN_US   SECOND       /* for data that came another way */
#define ICE_IDLE_SUSPICION_US  (2 * SECOND) /* a path without traffic has time */
#define ICE_SHUN_US            (2 * SECOND) /* a path that was left waits, doubled each time … */
#define ICE_SHUN_DOUBLINGS_MAX 5            /* … so often */
#define ICE_SHUN_FORGIVEN_US   MINUTE       /* selected for so long, it has a clean slate */

/* Checks on the selected path that need an answer soon (nomination, SPED) go at the pace of
 * resends, so many in a row. */
#define ICE_URGENT_MISSED_MAX 8
#define ICE_URGENT_MAX        40

/* Relayed: failed direct pairs are tried again, and the wait is doubled. */
#define ICE_RETRY_MIN_US (30 * SECOND)
#define ICE_RETRY_MAX_US (5 * MINUTE)
#define ICE_RETRY_GAP_US (2 * SECOND) /* between two series of one pair */

#endif
