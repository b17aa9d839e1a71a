/* ice_wire.h: two ICE agents, a STUN server and the network between them, in virtual time.
 *
 * A node stands in a LAN: its addresses are reached from the same LAN only. LAN 0 is the public
 * network. A node with nat_ip also reaches the others, through a NAT that maps every socket to
 * nat_ip and port + 1000 and lets in only who was sent to before (port-restricted). Candidates and
 * credentials travel by signaling, which has a delay of its own. A relayed address is public, and
 * one delay further away. */
#ifndef HAWSER_TESTS_SUPPORT_ICE_WIRE_H
#define HAWSER_TESTS_SUPPORT_ICE_WIRE_H

#include "core/ice/ice.h"

#define WIRE_PACKETS_MAX 512
#define WIRE_HOSTS_MAX   6
#define WIRE_STUN        "198.51.100.1:3478"

struct wire_packet {
    usec at;
    struct addr from, to;
    int lan; /* of the sender, after its NAT */
    size_t len;
    uint8_t data[1500];
};

struct wire_node {
    struct ice *ice;
    int lan;
    struct addr hosts[WIRE_HOSTS_MAX];
    bool is_relayed[WIRE_HOSTS_MAX];
    size_t host_count;
    struct addr nat_ip; /* ADDR_NONE: no NAT */
    struct addr opened[64];
    size_t opened_count;
    bool is_mute; /* signals no candidates: a browser that hides its addresses */

    /* What was seen. */
    size_t candidates, selected_count, lost_count, failed_count, gathered_count, sent;
    size_t dark_count, data_sent, data_heard;
    usec selected_at, gathered_at, lost_at, failed_at, told_at; /* told_at: the last event's own */
    usec dark_at, data_at;                                      /* data_at: when it was heard */
    struct ice_path path;
    struct ice_candidate last_candidate;
    char lines[8][ICE_CANDIDATE_TEXT_MAX];
};

struct wire {
    usec now, delay_us, signaling_us;
    uint32_t loss_ppm;
    bool is_cut;          /* nothing arrives any more */
    struct addr cut_host; /* nothing to or from this address arrives */
    struct addr cut_also; /* nor this one */
    struct addr cut_from; /* nothing from this address arrives */
    struct addr cut_data; /* to and from this one only checks and answers do */

    /* Applications: each side with a path sends so often (0: never), and grows suspicious when
     * nothing has come for so long (0: never). */
    usec talk_us, patience_us;
    usec talk_at;
    uint64_t seed;
    struct rng rng;
    struct wire_node node[2];
    struct wire_packet packets[WIRE_PACKETS_MAX];
    size_t packet_count;
    usec credentials_at; /* when both sides learn the other's; USEC_NEVER: the test does it */
};

/* Both agents are made with the rng of the wire; `second` NULL: as `first`, with the other role. */
void wire_init(struct wire *w, uint64_t seed, const struct ice_config *first,
               const struct ice_config *second);

/* Both agents are of the same abilities, the first is controlling. */
void wire_init_able(struct wire *w, uint64_t seed, unsigned abilities);

/* The same with two hosts each and two paths between them: one by IPv4, which is preferred, from
 * 192.168.1.10:4000 to 192.168.1.20:5000, and one by IPv6, from [fd00::10]:4001 to
 * [fd00::20]:5001. Nothing is signalled yet. */
void wire_init_two_paths(struct wire *w, uint64_t seed, unsigned abilities);
void wire_deinit(struct wire *w);
void wire_add_host(struct wire *w, int node, const char *addr, uint16_t preference);
void wire_add_relayed(struct wire *w, int node, const char *addr, uint16_t preference);
void wire_remove(struct wire *w, int node, const char *addr);
void wire_add_stun(struct wire *w, int node);

/* Tells each side the other's credentials and every candidate it will ever have, `delay` later. */
void wire_signal(struct wire *w, usec delay);

/* Runs until the time is `until`. */
void wire_run(struct wire *w, usec until);

/* Runs until both are selected; false when that has not happened by `until`. */
bool wire_connect(struct wire *w, usec until);

/* From now on until `talk_us` is 0 again. */
void wire_talk(struct wire *w, usec talk_us, usec patience_us);

/* Signals at once and connects within a second, or returns false; then both talk every 20 ms and
 * grow suspicious after 200 ms. */
bool wire_connect_talking(struct wire *w);

/* Both applications heard something within the last 50 ms. */
bool wire_has_flow(const struct wire *w);

/* Both have selected a path of this family. */
bool wire_is_on(const struct wire *w, enum addr_family family);

/* What both agents are told of each other, right after wire_init(). */
void wire_set_abilities(struct wire *w, unsigned abilities);

/* One datagram of the test's own. */
void wire_send(struct wire *w, const struct addr *from, const struct addr *to, struct bytes data);

struct addr wire_addr(const char *text);

#endif
