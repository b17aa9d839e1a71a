/* message.h: the three messages by which an app finds a device on the local network without naming
 * it. Whoever has the device's LAN secret can make and check them; for others they are chance.
 *
 *      0       3   4   5   6       8                24               40               56
 *      | "hwL" | 1 | t | 0 | port  | nonce (16)     | echo (16)      | MAC (16)       |
 *
 *     t 1, probe: app to the group. nonce by chance, echo and port 0
 *     t 2, reply: device to the probe's source. echo: the probe's nonce; port: of its TCP listener
 *     t 3, hello: first on the TCP connection. echo: the reply's nonce; port 0
 *
 *     MAC = HMAC-SHA-256(secret, "hawser lan 1" | 0 | the 40 bytes before it), the first 16 bytes
 *
 * All are equally long, so a device is no amplifier. There is no time in them: devices have no
 * clock that apps could rely on. */
#ifndef HAWSER_LAN_MESSAGE_H
#define HAWSER_LAN_MESSAGE_H

#include "core/base/bytes.h"
#include "core/base/err.h"

#define LAN_SECRET_BYTES  32
#define LAN_NONCE_BYTES   16
#define LAN_MAC_BYTES     16
#define LAN_MESSAGE_BYTES 56

enum lan_type { LAN_PROBE = 1, LAN_REPLY = 2, LAN_HELLO = 3 };

struct lan_message {
    enum lan_type type;
    uint16_t port;
    uint8_t nonce[LAN_NONCE_BYTES], echo[LAN_NONCE_BYTES];
};

/* ERR_CRYPTO. */
int lan_message_encode(uint8_t out[LAN_MESSAGE_BYTES], const struct lan_message *m,
                       const uint8_t secret[LAN_SECRET_BYTES]);

/* Looks at the form alone: FOREIGN (not ours, or of another version), MALFORMED, TAKEN. */
enum verdict lan_message_decode(struct lan_message *out, struct bytes message);

/* Of a message that was decoded: one HMAC. */
bool lan_message_is_genuine(struct bytes message, const uint8_t secret[LAN_SECRET_BYTES]);

#endif
