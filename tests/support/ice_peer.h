/* ice_peer.h: the other end of one agent, played message by message. */
#ifndef HAWSER_TESTS_SUPPORT_ICE_PEER_H
#define HAWSER_TESTS_SUPPORT_ICE_PEER_H

#include "core/ice/ice.h"
#include "core/stun/stun.h"

#define PEER_UFRAG "peer"
#define PEER_PWD   "thePeersPassword0123456"
#define PEER_NOW   (1000 * SECOND)

struct peer {
    struct ice *ice;
    struct rng rng;
    uint64_t seed;
    struct addr host, from; /* the agent's socket, the peer's address */
    bool is_controlling;    /* what its checks claim, with this tie-breaker */
    uint64_t tie_breaker;
    bool nominates; /* its checks carry USE-CANDIDATE */
    uint8_t buf[1500];
    struct out out;
};

/* An agent with one host, 192.168.1.1:4000; the peer is at 192.168.1.2:5000. */
void peer_init(struct peer *p, const struct ice_config *cfg);

/* The agent, controlling and named "ours1234", knows credentials and address: a check is due. */
void peer_init_asked(struct peer *p);
void peer_describe(struct peer *p, usec now);

struct addr peer_addr(const char *text);
struct ice_candidate peer_candidate(const char *text, uint32_t priority);

/* What a request may lack or carry too much. */
enum flaw {
    NO_FLAW,
    WRONG_PASSWORD,
    NO_USERNAME,
    WRONG_UFRAG,
    LONGER_UFRAG,
    NO_PRIORITY,
    NO_FINGERPRINT,
    NO_INTEGRITY,
    UNKNOWN_REQUIRED,
    OTHER_METHOD
};

/* A check of the peer, and an answer of the peer to a check; error_code 0: success. */
struct bytes peer_request(struct peer *p, enum flaw flaw, uint8_t raw[700]);
struct bytes peer_answer(struct peer *p, const struct stun_id *id, const char *key,
                         uint16_t error_code, uint8_t raw[200]);

/* The peer's check arrives and is answered; true if a check goes out at once. */
bool peer_ask(struct peer *p, usec now);

/* Takes what goes out: the id of the last request to the peer, false if there is none. */
bool peer_next_check(struct peer *p, struct stun_msg *m);

/* Lets the time pass, up to `until`, and answers each check that goes out, if `answering`. Returns
 * how many went out; `at`, unless NULL, gets the times of the first `cap`. */
size_t peer_run(struct peer *p, usec *now, usec until, bool answering, usec *at, size_t cap);

#endif
