#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/token/invite.h"

#define LABEL "hawser pair 1" /* with its NUL */

int pairing_proof(uint8_t out[INVITE_PROOF_BYTES], const uint8_t secret[INVITE_SECRET_BYTES],
                  const struct pairing_claim *claim)
{
    uint8_t text[sizeof LABEL + ID_PUBLIC_BYTES + ID_LEN + ENVELOPE_SID_BYTES];
    struct wr w = wr_of(text, sizeof text);
    unsigned len = 0;

    wr_bytes(&w, bytes_of(LABEL, sizeof LABEL));
    wr_bytes(&w, bytes_of(claim->app, ID_PUBLIC_BYTES));
    wr_bytes(&w, bytes_of(claim->device, ID_LEN));
    wr_bytes(&w, bytes_of(claim->sid, ENVELOPE_SID_BYTES));
    return HMAC(EVP_sha256(), secret, INVITE_SECRET_BYTES, text, w.len, out, &len) ? ERR_OK
                                                                                   : ERR_CRYPTO;
}

void pairing_init(struct pairing *p)
{
    *p = (struct pairing){ .state = PAIRING_CLOSED, .expires_at = USEC_NEVER };
}

void pairing_deinit(struct pairing *p)
{
    OPENSSL_cleanse(p, sizeof *p);
    pairing_init(p);
}

void pairing_start(struct pairing *p, usec now, const struct rng *rng)
{
    pairing_init(p);
    rng_fill(rng, p->secret, sizeof p->secret);
    p->tries_left = PAIRING_TRIES;
    p->expires_at = usec_after(now, PAIRING_LIFETIME_US);
    p->state = PAIRING_OPEN;
}

static int on_wrong_proof(struct pairing *p)
{
    if (p->state == PAIRING_WON || --p->tries_left > 0)
        return ERR_AUTH;
    pairing_deinit(p);
    return ERR_LIMIT;
}

static void on_right_proof(struct pairing *p, const uint8_t app[ID_PUBLIC_BYTES])
{
    memcpy(p->winner, app, sizeof p->winner);
    p->state = PAIRING_WON;
}

int pairing_check(struct pairing *p, usec now, const struct pairing_claim *claim,
                  const uint8_t proof[INVITE_PROOF_BYTES])
{
    uint8_t wanted[INVITE_PROOF_BYTES];
    bool is_right;

    if (p->state == PAIRING_CLOSED)
        return ERR_WRONG_STATE;
    if (now >= p->expires_at) {
        pairing_deinit(p);
        return ERR_EXPIRED;
    }
    if (p->state == PAIRING_WON && memcmp(p->winner, claim->app, sizeof p->winner) != 0)
        return ERR_WRONG_STATE;
    if (pairing_proof(wanted, p->secret, claim) != ERR_OK)
        return ERR_CRYPTO;
    is_right = CRYPTO_memcmp(wanted, proof, sizeof wanted) == 0;
    OPENSSL_cleanse(wanted, sizeof wanted);
    if (!is_right)
        return on_wrong_proof(p);
    on_right_proof(p, claim->app);
    return ERR_OK;
}
