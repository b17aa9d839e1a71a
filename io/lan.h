/* lan.h: signaling without a server: the same sealed messages between two hosts of one local
 * network. All calls and handlers on the loop's thread.
 *
 *     app                                      device
 *      |  probe, multicast (core/lan/message.h)  |   each interface, IPv4 and IPv6
 *      |  <------------------- reply, unicast    |   only to who knows the device's LAN secret
 *      |  TCP to the reply's port: hello         |
 *      |  length (2) | sealed message, …         |   both ways, until one side closes
 *
 * Devices of this process share their sockets; several processes of one host share the port. Who is
 * not on a directly attached network is not heard and not connected to. */
#ifndef HAWSER_IO_LAN_H
#define HAWSER_IO_LAN_H

#include "core/base/addr.h"
#include "core/lan/message.h"
#include "io/loop.h"
#include "io/signaling.h"

/* Not assigned by IANA: "hw" in hexadecimal. The groups are of RFC 2365 §6.1 (site, sent with a TTL
 * of 1) and RFC 3307 §4.3 (link-local, group number of the dynamic range). */
#define LAN_PORT       26743
#define LAN_GROUP_IPV4 "239.255.104.119"
#define LAN_GROUP_IPV6 "ff12::8000:6877"

#define LAN_BINDS_MAX 16

struct lan;

struct lan_config {
    size_t bind_count; /* 0: all interfaces; else only those with one of these addresses */
    struct addr bind[LAN_BINDS_MAX];
    bool with_loopback; /* the loopback interface too */
};

/* Opens nothing yet. ERR_NOMEM. */
int lan_new(struct lan **out, struct io_loop *loop, const struct lan_config *cfg);

/* With nothing served and no signaling open. NULL is fine. */
void lan_free(struct lan *lan);

/* Is there an interface that could carry a probe? */
bool lan_is_usable(struct lan *lan);

/* The network has changed: groups are joined on new interfaces. Otherwise noticed within 10 s. */
void lan_nudge(struct lan *lan);

/* ---- Devices --------------------------------------------------------------------------------- */

struct lan_service;

struct lan_service_handler {
    /* A sealed message, borrowed; sender unverified. `guest` names the connection it came by. */
    void (*on_message)(void *ctx, uint64_t guest, struct bytes message);
    void *ctx;
};

/* Is found by this secret and listens. ERR_LIMIT (LAN_SERVICES_MAX, ports), ERR_NOMEM. */
int lan_serve(struct lan_service **out, struct lan *lan, const uint8_t secret[LAN_SECRET_BYTES],
              const struct lan_service_handler *h);
void lan_unserve(struct lan_service *s); /* its connections end; NULL is fine */

/* Sends by the connection. ERR_WRONG_STATE: it is gone. ERR_LIMIT, ERR_INVALID, ERR_NOMEM. */
int lan_reply(struct lan *lan, uint64_t guest, struct bytes message);

/* A guest that nobody holds has LAN_GUEST_US and LAN_GUEST_MESSAGES_MAX messages; one that is held
 * stays. Holds are counted; a guest that is gone is no error. */
#define LAN_GUEST_US           (15 * SECOND)
#define LAN_GUEST_HELLO_US     (3 * SECOND)
#define LAN_GUEST_MESSAGES_MAX 8
#define LAN_GUESTS_UNHELD_MAX  16
#define LAN_GUESTS_OF_ONE_MAX  4 /* unheld, of one source */
#define LAN_GUESTS_MAX         512
void lan_hold(struct lan *lan, uint64_t guest);
void lan_release(struct lan *lan, uint64_t guest);

/* ---- Apps ------------------------------------------------------------------------------------ */

#define LAN_SENDS_MAX 16 /* accepted and not yet told of by on_sent */
#define LAN_DIALS_MAX 16 /* connections tried, of one signaling */

/* Signaling to the one device that knows this secret. A send looks for it unless there is a
 * connection, for up to send_timeout_us; probes stop with the first reply, and are bounded for the
 * whole life of the signaling (finder.h). States: ONLINE when connected, DOWN when no more; to_id
 * is not looked at. ERR_NOMEM. */
int lan_open(struct signaling **out, struct lan *lan, const uint8_t secret[LAN_SECRET_BYTES],
             usec send_timeout_us, const struct signaling_handler *h);

/* ---- For tests ------------------------------------------------------------------------------- */

struct lan_counts {
    uint64_t probes_sent; /* multicast datagrams */
    uint64_t strangers;   /* datagrams and connections from beyond the attached networks */
    uint64_t macs;        /* HMACs for others' probes and hellos */
    uint64_t guests_refused;
};
struct lan_counts lan_counts(const struct lan *lan);
uint16_t lan_listener_port(const struct lan *lan, enum addr_family family); /* 0: none */

#endif
