/* invite.h: pairing. The device prints one line, also as a QR code:
 *
 *     hawser:<ID>/<base64url of: u8 version 1 | Ed25519 32 | X25519 32 | secret 16 | u32 expiry |
 *                                broker URL, 0 … 120 bytes>
 *
 * A wrong X25519 key could neither pass for the device (what comes back is signed by the ID's key)
 * nor learn the secret (only a proof is sent): the line needs no signature. The app sends
 * ENVELOPE_PAIR {"proof": base64url, "name"?: …} with its card; the device answers ENVELOPE_PAIRED
 * {"grant":[…]} with its own, or ENVELOPE_REFUSE.
 *
 *     proof = HMAC-SHA256(secret, "hawser pair 1" | 0 | app's Ed25519 key | device's ID | sid) */
#ifndef HAWSER_TOKEN_INVITE_H
#define HAWSER_TOKEN_INVITE_H

#include "core/base/usec.h"
#include "core/token/envelope.h"

#define INVITE_SECRET_BYTES 16
#define INVITE_PROOF_BYTES  32
#define INVITE_BROKER_BYTES 121 /* with NUL */
#define INVITE_TEXT_BYTES   320 /* with NUL */

struct invite {
    struct card card; /* iat_s is 0: the line carries no card's signature */
    uint8_t secret[INVITE_SECRET_BYTES];
    int64_t exp_s;                    /* seconds since 1970, 0 if the device has no clock */
    char broker[INVITE_BROKER_BYTES]; /* URL, may be empty */
};

/* Wiping *out and the text is the caller's. ERR_INVALID, ERR_LIMIT. */
int invite_encode(const struct invite *in, char out[INVITE_TEXT_BYTES]);

/* Spaces around the text are forgiven. ERR_INVALID (also: the ID is not that key's). */
int invite_decode(struct invite *out, const char *text);
void invite_deinit(struct invite *in); /* wipes */

/* What the proof is over; all borrowed. */
struct pairing_claim {
    const uint8_t *app; /* Ed25519, the verified sender */
    const char *device; /* ID */
    const uint8_t *sid; /* of the pair request, ENVELOPE_SID_BYTES */
};

/* ERR_CRYPTO. */
int pairing_proof(uint8_t out[INVITE_PROOF_BYTES], const uint8_t secret[INVITE_SECRET_BYTES],
                  const struct pairing_claim *claim);

#define PAIRING_LIFETIME_US (5 * MINUTE)
#define PAIRING_TRIES       5

/* The device's side: CLOSED --start--> OPEN --right proof--> WON --5 min--> CLOSED
 *                                        '--5 wrong proofs or 5 min-------> CLOSED
 * WON accepts the same app again, whose answer may have been lost, and nobody else. */
enum pairing_state { PAIRING_CLOSED, PAIRING_OPEN, PAIRING_WON };

struct pairing {
    enum pairing_state state;
    usec expires_at;
    unsigned tries_left;
    uint8_t secret[INVITE_SECRET_BYTES];
    uint8_t winner[ID_PUBLIC_BYTES];
};

void pairing_init(struct pairing *p);

/* A new secret; an earlier invite is void. */
void pairing_start(struct pairing *p, usec now, const struct rng *rng);

/* ERR_OK, ERR_AUTH (one try less), ERR_LIMIT (that was the last one), ERR_EXPIRED,
 * ERR_WRONG_STATE (none is open, or another app has won), ERR_CRYPTO. */
int pairing_check(struct pairing *p, usec now, const struct pairing_claim *claim,
                  const uint8_t proof[INVITE_PROOF_BYTES]);
void pairing_deinit(struct pairing *p); /* closes and wipes */

#endif
