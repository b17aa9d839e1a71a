/* town.h: where two peers live, and the servers they know: what the simulator's scenarios and its
 * oracle build their networks from. Hosts 0 and 1 are the peers, then come the servers. */
#ifndef HAWSER_TESTS_SIM_TOWN_H
#define HAWSER_TESTS_SIM_TOWN_H

#include "tests/sim/net.h"
#include "tests/sim/punch.h"

#define TOWN_SOCKETS_MAX 4

enum home_kind {
    HOME_OPEN,        /* a public address */
    HOME_NAT,         /* behind one NAT */
    HOME_STACKED,     /* behind a port-restricted NAT behind the NAT: double NAT, CGNAT */
    HOME_NO_UDP,      /* behind a NAT that blocks UDP */
    HOME_ONLY_443,    /* behind one that lets out TCP to port 443 and nothing else */
    HOME_IPV6,        /* IPv6 alone, behind a firewall */
    HOME_DUAL,        /* both: IPv4 behind the NAT, IPv6 behind a firewall */
    HOME_BROKEN_IPV6, /* the same, but what is sent by IPv6 is lost */
    HOME_KINDS
};

struct home {
    enum home_kind kind;
    enum nat_rule mapping, filtering; /* of the NAT, the outer one of two */
    enum nat_ports ports;
    bool hairpinning;
    usec timeout_us;         /* of all its NATs; 0: 2 minutes */
    struct link_config line; /* to the internet, each way */
};

enum town_sharing {
    TOWN_APART,
    TOWN_ONE_HOME,   /* both peers in homes[0] */
    TOWN_ONE_CARRIER /* homes of their own behind the outer NAT of homes[0]: both are STACKED */
};

struct town_plan {
    struct home homes[2];
    enum town_sharing sharing;
    struct link_config lan;    /* of every host at home, each way */
    struct link_config server; /* of every server, each way */
};

/* Each server has an IPv4 and an IPv6 address. */
enum town_server { TOWN_STUN, TOWN_STUN_SECOND, TOWN_RELAY, TOWN_RELAY_SECOND, TOWN_SERVERS };

struct town {
    struct net *net;
    const struct rng *rng;
    struct {
        unsigned place; /* the home, or the internet */
        unsigned outer; /* where the NAT of the plan is: the home or its carrier */
        size_t socket_count;
        struct addr sockets[TOWN_SOCKETS_MAX]; /* with ports, one per access */
        unsigned accesses[TOWN_SOCKETS_MAX];
    } homes[2];
    unsigned server_accesses[TOWN_SERVERS][2];
};

/* packets_max: on each link at once. rng is borrowed; ports of the peers' sockets come from it. */
void town_init(struct town *t, const struct town_plan *plan, size_t packets_max,
               const struct rng *rng);
void town_deinit(struct town *t);

/* The same peer may move: another access, another socket. Returns its address. */
struct addr town_move_in(struct town *t, unsigned peer, unsigned place, const struct addr *ip,
                         const struct link_config *line);

unsigned town_host_of(enum town_server server);
struct addr town_address_of(enum town_server server, enum addr_family family);

/* The oracle: whether the peers can reach each other, and a peer the relay, by UDP or by TCP at
 * port 443. */
bool town_has_direct_path(const struct town_plan *plan);
bool town_is_served(const struct town_plan *plan, unsigned peer, enum nat_protocol protocol);

#endif
