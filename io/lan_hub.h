/* lan_hub.h: what the files of lan.h share. */
#ifndef HAWSER_IO_LAN_HUB_H
#define HAWSER_IO_LAN_HUB_H

#include "core/lan/finder.h"
#include "core/lan/responder.h"
#include "io/lan.h"
#include "io/lan_conn.h"
#include "io/lan_net.h"
#include "io/lan_socket.h"

#define LAN_FAMILIES 2 /* IPv4, IPv6: index is the family less one */

struct lan_peer;
struct lan_guest;

/* libuv's handle outlives the hub by a round of the loop. */
struct lan_listener {
    uv_tcp_t tcp;
    struct lan *lan;
    uint16_t port;
    bool has_pending; /* a connection that could not be taken for want of memory */
};

struct lan_service {
    struct lan *lan;
    struct lan_service *next;
    struct lan_service_handler handler;
};

struct lan {
    struct io_loop *loop;
    struct rng rng;
    struct lan_config cfg;
    struct lan_nets nets;
    usec nets_at; /* when they were read */
    struct addr group_addr[LAN_FAMILIES];

    struct lan_socket *probe[LAN_FAMILIES]; /* apps: probes out, replies in */
    struct lan_socket *group[LAN_FAMILIES]; /* devices: probes in, replies out */
    struct lan_listener *listener[LAN_FAMILIES];
    struct lan_responder *responder;
    struct lan_service *services;
    struct lan_guest *guests;
    uint64_t last_guest;
    struct io_timer refresh; /* while something is served */
    struct lan_peer *peers;
    struct lan_counts counts;
};

/* Reads the networks again if what is known is older than max_age_us. */
void lan_refresh(struct lan *lan, usec max_age_us);

/* Is this address on a network of ours? A stranger's is counted. */
bool lan_is_near(struct lan *lan, const struct addr *a, unsigned index);

/* Opens the sockets for probes if they are not there. False: none can be had. */
bool lan_open_probes(struct lan *lan);

/* lan_server.c */
int lan_server_open(struct lan *lan);
void lan_server_close(struct lan *lan);
void lan_server_retry(struct lan *lan);
void lan_server_end_service(struct lan *lan, const struct lan_service *s);

/* lan_peer.c: a datagram for whoever sent the probe. */
void lan_peers_input(struct lan *lan, const struct lan_datagram *d);

#endif
