/* limits.h: what bounds an ICE agent, beside the numbers of ice.h. */
#ifndef HAWSER_ICE_LIMITS_H
#define HAWSER_ICE_LIMITS_H

#define ICE_BASES_MAX   16 /* sockets of ours */
#define ICE_QUERIES_MAX 32 /* questions to STUN servers under way */
#define ICE_ANSWERS_MAX 8  /* answers to the peer's checks waiting for poll_output */

/* Checks that may go without waiting for Ta; the allowance refills by one per Ta. A handful of
 * candidates on both sides then costs no time. */
#define ICE_BURST 10

/* Per pair and per question: 250 ms, doubled up to 1.6 s, over 13 s and 5 s (deviations.md, I3). */
#define ICE_CHECK_SENDS_MAX 10
#define ICE_QUERY_SENDS_MAX 5
#define ICE_RTO_MAX_US      (1600 * MILLISECOND)

/* Checks ever sent to addresses that have not answered: whoever hands us candidates could point
 * them at a victim (RFC 8445 §19.5.1). */
#define ICE_UNANSWERED_MAX 400

/* Peer-reflexive candidates: whoever sees one authentic check can repeat it from any source. */
#define ICE_LEARNED_MAX 8

#define ICE_SPARE_PATHS_MAX 3 /* working paths kept alive beside the selected one */

/* Consent checks in a row without an answer before a spare path that does answer is preferred. */
#define ICE_MISSED_MAX 2

/* A nomination that the peer has not repeated for so long yields to one it just made: two consent
 * checks with the largest jitter. */
#define ICE_NOMINATION_AGE_US (12 * SECOND)

#endif
