/* attacker.h: somebody on the path who sees every datagram, can send any from any address, and has
 * no keys. Once a session is open, nothing he sends may change what it delivers or how it ends. */
#ifndef HAWSER_TESTS_SIM_ATTACKER_H
#define HAWSER_TESTS_SIM_ATTACKER_H

#include "core/base/addr.h"
#include "core/base/bytes.h"
#include "core/base/rng.h"

#define ATTACKER_KEPT      16
#define ATTACKER_BYTES_MAX 1500

struct attacker {
    const struct rng *rng; /* borrowed */
    size_t seen;
    size_t len[ATTACKER_KEPT];
    uint8_t kept[ATTACKER_KEPT][ATTACKER_BYTES_MAX]; /* the last ones seen, in a ring */
    uint8_t forged[ATTACKER_BYTES_MAX];
};

void attacker_init(struct attacker *a, const struct rng *rng);
void attacker_input(struct attacker *a, struct bytes dgram);

/* A datagram and the source to give it, made up or stolen; valid until the next call. `from` is the
 * peer's true address. */
struct bytes attacker_next(struct attacker *a, struct addr *from);

#endif
