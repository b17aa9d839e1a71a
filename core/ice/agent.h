/* agent.h: what the files of this module share; nobody else includes it.
 *
 *     agent.c      life, configuration, state, timers
 *     report.c     events and what may be asked: paths, pairs and their fate
 *     base.c       sockets and relayed addresses of ours, coming and going
 *     gather.c     STUN servers tell how they see them
 *     pairs.c      remote candidates, the table of pairs, priorities
 *     select.c     which path carries data
 *     nominate.c   how both sides agree on it
 *     checks.c     when and what we ask the peer
 *     input.c      what arrives: the peer's checks and answers to ours
 *     consent.c    keeping paths that work
 *     suspect.c    noticing those that no longer do, and leaving them
 *     again.c      trying once more what had failed
 *     sped.c       data that checks carry
 *     hurry.c      asking at once because of it
 *     candidate.c  candidates as text */
#ifndef HAWSER_ICE_AGENT_H
#define HAWSER_ICE_AGENT_H

#include "core/ice/ice.h"
#include "core/ice/limits.h"
#include "core/stun/stun.h"

#define ICE_NONE 0xff /* no index */

enum ice_state { ICE_NEW, ICE_CHECKING, ICE_CONNECTED, ICE_FAILED, ICE_STATES };

struct ice_base {
    struct addr addr;    /* ADDR_NONE: a free place */
    struct addr related; /* of a relayed address */
    uint16_t preference;
    bool is_relayed;
};

struct ice_local {
    struct addr addr;
    uint8_t type;         /* enum ice_type */
    uint8_t base, server; /* indexes; server is ICE_NONE for a host candidate */
    bool is_told;         /* its event has been taken */
};

struct ice_remote {
    struct addr addr; /* scope 0: a zone means nothing to the other side */
    uint32_t priority;
    uint8_t type;
    bool has_answered; /* some check of ours: no longer a mere claim of the peer */
};

/* One question to a STUN server. */
struct ice_query {
    struct stun_txn txn;
    uint8_t base, server;
    bool is_due; /* for poll_output */
};

/* One answer to the peer, written when poll_output asks for it. */
struct ice_answer {
    struct stun_id id;
    struct addr to;
    uint16_t error_code; /* 0: success */
    uint8_t base, unknown_count;
    bool is_light; /* carries nothing long */
    uint16_t unknown[STUN_UNKNOWN_MAX];
};

/* RFC 8445 §6.1.2.6 without Frozen (deviations.md, I1). */
enum ice_pair_state { ICE_PAIR_WAITING, ICE_PAIR_IN_PROGRESS, ICE_PAIR_SUCCEEDED, ICE_PAIR_FAILED };

enum ice_pair_flag {
    ICE_PAIR_TRIGGERED = 1 << 0,     /* the peer's check arrived: ask next (RFC 8445 §7.3.1.4) */
    ICE_PAIR_DUE = 1 << 1,           /* a request waits for poll_output */
    ICE_PAIR_NOMINATED = 1 << 2,     /* valid and nominated */
    ICE_PAIR_WAS_ASKED_FOR = 1 << 3, /* controlled: was nominated, our own check decides */
    ICE_PAIR_RETRIED = 1 << 4,       /* it had failed before: a shorter series */
    ICE_PAIR_PROMISING = 1 << 5      /* the peer's check came by it: one direction works */
};

/* A base and a remote candidate. Local reflexive candidates are sent from their base, so pairs of
 * theirs would be redundant (RFC 8445 §6.1.2.4). Once SUCCEEDED it is a path. */
struct ice_pair {
    uint8_t base, remote, state, flags;
    uint8_t local_type; /* how the peer sees our end: enum ice_type */
    uint8_t sends;      /* requests of this series */
    uint8_t missed;     /* requests on this path since its last answer */
    uint8_t left;       /* how often it was left for being silent */

    /* What the last eight of them said: bit 0 the last one, bit 1 the one before, and so on. */
    uint8_t said_controlling, said_use_candidate, said_nomination;
    uint8_t awaited; /* which have no answer yet: each is answered at most once */
    uint16_t checks; /* requests ever */
    uint32_t rtt_us;
    uint32_t nomination; /* controlled: the newest that came by it */
    struct stun_id id;   /* of the last request; the series shares all but the last byte */
    usec sent_at, sent_before_at;
    usec begun_at;      /* when the first of the series was sent */
    usec asked_at;      /* the first of those that were missed; before it works: of the series */
    usec next_at;       /* resend, give up, or next keep-alive */
    usec heard_at;      /* last authenticated sign of life */
    usec consent_at;    /* last one that says we may send (RFC 7675; deviations.md, I12) */
    usec asked_for_at;  /* controlled: the peer's last check with USE-CANDIDATE */
    usec shunned_until; /* it was left: not to be selected again before */
};

enum ice_path_news { ICE_NEWS_NONE, ICE_NEWS_SELECTED, ICE_NEWS_LOST, ICE_NEWS_FAILED };

struct ice {
    const struct rng *rng;
    struct ice_config cfg; /* defaults filled in; ufrag and pwd not used */
    enum ice_state state;
    unsigned abilities; /* enum ice_ability, of the peer */
    bool is_controlling, local_ended, remote_ended, gathered_told;
    bool had_path;    /* since LOST was last told */
    uint8_t selected; /* index of a pair or ICE_NONE */
    uint8_t news;     /* enum ice_path_news: the newest counts */
    usec news_at;
    uint64_t tie_breaker;
    char *ufrag, *pwd, *remote_ufrag, *remote_pwd; /* owned */

    uint8_t base_count, local_count, remote_count, server_count, pair_count, answer_count;
    uint8_t pairs_cap;
    struct ice_base bases[ICE_BASES_MAX]; /* base_count with the free ones among them */
    struct ice_local locals[ICE_CANDIDATES_MAX];
    struct ice_remote remotes[ICE_CANDIDATES_MAX];
    struct addr servers[ICE_STUN_SERVERS_MAX];
    struct ice_query queries[ICE_QUERIES_MAX];
    struct ice_answer answers[ICE_ANSWERS_MAX]; /* first in, first out */
    struct ice_pair *pairs; /* pairs_cap of them: grows up to ICE_PAIRS_MAX, most need a few */

    /* When the whole burst is available again: to the peer, and to STUN servers. Apart, so that the
     * one who answers, and gathers while it checks, is as quick as the one who asked. */
    usec checks_full_at, queries_full_at;
    usec unanswered_full_at; /* likewise the allowance for addresses that have not answered */
    usec fail_at;            /* USEC_NEVER outside CHECKING */
    usec reflexive_at;       /* when the last server-reflexive candidate was found */

    uint32_t nomination; /* ours, of the selected path */
    uint32_t remote_nomination;
    bool nomination_acked;

    usec selected_at;
    usec active_at; /* last data of the peer, or change of path */
    usec data_at;   /* last data of the peer on the selected path */

    /* Suspicion of the selected path: since when (USEC_NEVER: none), next round of checks. */
    usec suspect_at, suspect_round_at, suspect_next_at, suspected_at;
    bool is_dark, dark_due;
    bool asks_sooner;      /* the next round comes for the peer's check … */
    bool has_asked_sooner; /* … or the last one did */
    bool is_accused;       /* by the owner */
    bool is_on_trial;      /* the selected path is new, and no data has come by it */
    usec dark_at;
    usec back_at; /* when it answered after it had lost checks, under suspicion; 0: never */

    usec retry_at, retry_us; /* direct pairs, while the selected path is relayed */

    struct ice_sped sped; /* borrowed */
    struct ice_sped got;  /* points into the datagram of the last ice_input() */
    bool has_got, has_sent_sped;
    uint8_t urgent; /* urgent checks since SPED had nothing to carry */
    struct verdicts verdicts;
};

/* agent.c */
void ice_enter(struct ice *a, enum ice_state to, usec now);
void ice_tell(struct ice *a, enum ice_path_news news, usec now);
usec ice_pace_next(const struct ice *a, usec full_at);
void ice_pace_take(const struct ice *a, usec *full_at, usec now);

/* report.c */
void ice_describe_path(const struct ice *a, const struct ice_pair *p, struct ice_path *path);

/* base.c */
uint32_t ice_priority(enum ice_type type, uint16_t preference);
enum ice_type ice_base_type(const struct ice_base *base);
uint8_t ice_find_base(const struct ice *a, const struct addr *local);
struct ice_candidate ice_local_candidate(const struct ice *a, const struct ice_local *l);
void ice_add_local(struct ice *a, const struct ice_local *l);

/* gather.c */
bool ice_is_gathering(const struct ice *a);
void ice_gather_from(struct ice *a, usec now, uint8_t base);
void ice_gather_remove_base(struct ice *a, uint8_t base);
void ice_gather_tick(struct ice *a, usec now);
usec ice_gather_next_timeout(const struct ice *a);
bool ice_gather_poll(struct ice *a, struct out *out);
enum verdict ice_gather_input(struct ice *a, usec now, uint8_t base, const struct addr *from,
                              const struct stun_msg *m);

/* pairs.c */
struct addr ice_without_scope(const struct addr *a);
uint8_t ice_find_remote(const struct ice *a, const struct addr *addr);
uint8_t ice_learn_remote(struct ice *a, const struct addr *addr, uint32_t priority);
void ice_pair_up(struct ice *a);
uint8_t ice_find_pair(const struct ice *a, uint8_t base, uint8_t remote);
uint8_t ice_add_pair(struct ice *a, uint8_t base, uint8_t remote);
void ice_remove_pairs_of(struct ice *a, uint8_t base);
bool ice_is_relayed(const struct ice *a, const struct ice_pair *p);
uint64_t ice_pair_priority(const struct ice *a, const struct ice_pair *p);
struct addr ice_pair_to(const struct ice *a, const struct ice_pair *p);

/* select.c */
bool ice_is_path(const struct ice *a, uint8_t pair);
void ice_select(struct ice *a, usec now);
void ice_drop_selected(struct ice *a, usec now);
void ice_lose_selected(struct ice *a, usec now);
bool ice_leave_selected(struct ice *a, usec now, usec heard_since);

/* nominate.c */
bool ice_is_to_nominate(const struct ice *a, const struct ice_pair *p);
void ice_nominate(struct ice *a, struct ice_pair *p, usec now);
void ice_note_answered(struct ice *a, struct ice_pair *p, uint8_t age, usec now);
void ice_note_asked_for(struct ice *a, struct ice_pair *p, const struct stun_msg *m, usec now);
void ice_switch_role(struct ice *a);
bool ice_renominates(const struct ice *a);

/* checks.c */
void ice_begin_series(struct ice *a, struct ice_pair *p);
void ice_send_check(struct ice *a, struct ice_pair *p, usec now);
void ice_fail_pair(struct ice_pair *p);
usec ice_resend_after(const struct ice *a, const struct ice_pair *p);
void ice_checks_tick(struct ice *a, usec now);
usec ice_checks_next_timeout(const struct ice *a);
bool ice_checks_poll(struct ice *a, struct out *out);
bool ice_may_answer_long(struct ice *a, uint8_t remote, usec now);
bool ice_all_pairs_failed(const struct ice *a);

/* input.c */
void ice_answers_remove_base(struct ice *a, uint8_t base);
bool ice_answers_poll(struct ice *a, struct out *out);

/* consent.c */
bool ice_is_idle(const struct ice *a, usec now);
usec ice_consent_interval(const struct ice *a, const struct ice_pair *p, usec now);
void ice_consent_tick(struct ice *a, usec now);
usec ice_consent_next_timeout(const struct ice *a);

/* suspect.c */
usec ice_decision_us(const struct ice_pair *p);
void ice_tell_dark(struct ice *a, usec now);
void ice_acquit(struct ice *a, usec now, bool has_lost);
void ice_ask_sooner(struct ice *a, const struct ice_pair *p);
void ice_doubt(struct ice *a, usec now);
void ice_end_suspicion(struct ice *a);
void ice_suspect_other_way(struct ice *a, usec now);
void ice_suspect_tick(struct ice *a, usec now);
usec ice_suspect_next_timeout(const struct ice *a);

/* again.c */
void ice_schedule_retry(struct ice *a, usec now);
void ice_retry_tick(struct ice *a, usec now);

/* sped.c */
void ice_add_sped(const struct ice *a, struct wr *w, bool is_light);
void ice_note_sped(struct ice *a, const struct stun_msg *m);
bool ice_is_sped_pending(const struct ice *a);

#endif
