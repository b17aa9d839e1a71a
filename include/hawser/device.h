/* device.h: the side that is connected to. The rules of hawser.h hold here too; the data calls are
 * the same. A process may open several devices, with or without hawser_init(). One process at a
 * time uses a key: the broker keeps the newest login, and the older one is offline for a minute. */
#ifndef HAWSER_DEVICE_H
#define HAWSER_DEVICE_H

#include "hawser/hawser.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Why a device refuses or closes: the app sees -100 - reason, also for one it does not know. */
enum hawser_reason {
    HAWSER_REASON_TERMINATED = 0,
    HAWSER_REASON_PRIVACY = 2,
    HAWSER_REASON_NO_SENDER = 3,
    HAWSER_REASON_FULL = 4,
    HAWSER_REASON_UNAUTHORISED = 5,
    HAWSER_REASON_AS_EXPECTED = 6,
    HAWSER_REASON_ZOMBIE = 8,
    HAWSER_REASON_CLOSED = 9,
    HAWSER_REASON_LEFT = 10,
    HAWSER_REASON_PRIVACY_ON = 11,
    HAWSER_REASON_IN_CALL = 13,
    HAWSER_REASON_NO_RESOURCES = 14
};

#define HAWSER_REASON_MAX 899

/* Opens the device whose key has this label (made if there is none) and begins to listen for
 * offers by the configured broker. Returns a device number >= 0, not a session handle; the same
 * label again: HAWSER_ERR_ALREADY_INITIALISED. HAWSER_ERR_INVALID, HAWSER_ERR_NO_MEMORY. */
HAWSER_API int hawser_device_open(const char *label);

/* Leaves the module: every session is closed with reason 10, listen() returns -16, and the device
 * number becomes invalid (HAWSER_ERR_INVALID). With the last one of a process that never called
 * hawser_init(), everything is freed; hawser_deinit() is not needed. Not from a callback. */
HAWSER_API int hawser_device_close(int device);

/* Fills in the device's own ID. */
HAWSER_API int hawser_device_id(int device, char id[HAWSER_ID_MAX]);

/* 1 while the broker holds our subscription, else 0. Blocks up to timeout_ms for it. */
HAWSER_API int hawser_device_wait_online(int device, int timeout_ms);

/* Blocks for the next authorised and established session and returns its handle.
 * HAWSER_ERR_TIMEOUT, or HAWSER_ERR_LISTEN_BROKEN after hawser_device_listen_break(). */
HAWSER_API int hawser_device_listen(int device, int timeout_ms);

/* The call blocked in hawser_device_listen(), or else the next one, returns -16. */
HAWSER_API int hawser_device_listen_break(int device);

struct hawser_request {
    char peer_id[HAWSER_ID_MAX]; /* whose signature the offer bears */
    char role[16];               /* of its grant: "owner", "user", "guest" */
    uint8_t channels;            /* bit i: channel i is granted */
    int sessions;                /* of this device, established or being so */
};

/* Asked for each authorised offer before it is answered; 0 accepts, a positive reason refuses.
 * Must answer soon: the asking app is waiting, others queue. */
typedef int hawser_accept_cb(void *ctx, int device, const struct hawser_request *request);
HAWSER_API int hawser_device_set_accept(int device, hawser_accept_cb *cb, void *ctx);

/* Closes a session of either kind with a reason 0…HAWSER_REASON_MAX, which the peer sees as
 * -100 - reason. Flushes as hawser_disconnect() does. */
HAWSER_API int hawser_close(int handle, int reason);

/* on: sessions are closed with reason 11 and new ones refused with 2. */
HAWSER_API int hawser_device_set_privacy(int device, int on);

/* on: new sessions are refused with reason 13; open ones stay. */
HAWSER_API int hawser_device_set_in_call(int device, int on);

/* Most sessions at once, 1…256, default 8: more are refused with -23. */
HAWSER_API int hawser_device_set_limit(int device, int sessions_max);

/* Makes a pairing line (for a QR code): valid_s seconds (1…3600; 0: 300), 5 tries, one use; a new
 * one replaces the last. The app that presents it becomes an owner. */
HAWSER_API int hawser_device_invite(int device, int valid_s, char invite[HAWSER_INVITE_MAX]);

/* Told when an app has paired; peer_id is its ID. */
typedef void hawser_paired_cb(void *ctx, int device, const char *peer_id);
HAWSER_API int hawser_device_set_paired(int device, hawser_paired_cb *cb, void *ctx);

#ifdef __cplusplus
}
#endif

#endif
