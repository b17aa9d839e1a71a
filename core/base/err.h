/* err.h: what a call into the core can answer, and what becomes of a datagram.
 *
 * A negative enum err is about the call: memory, a limit, the wrong moment; the object is unchanged
 * and may be used on. An enum verdict is about a datagram: whatever it is, the session goes on.
 * It is ERR_WRONG_STATE because <openssl/types.h> has a type named ERR_STATE. */
#ifndef HAWSER_BASE_ERR_H
#define HAWSER_BASE_ERR_H

#include <stdint.h>

#define ERRORS(X)                                                                 \
    X(OK, 0, "ok")                                                                \
    X(NOMEM, -1, "out of memory")                                                 \
    X(LIMIT, -2, "a configured limit is reached: try again after the next event") \
    X(WRONG_STATE, -3, "not possible in this state")                              \
    X(INVALID, -4, "malformed or out of range")                                   \
    X(AUTH, -5, "a signature, key or fingerprint does not match")                 \
    X(EXPIRED, -6, "outside its time of validity")                                \
    X(REPLAY, -7, "seen before")                                                  \
    X(CRYPTO, -8, "the cryptographic library failed")

#define AS_ERR_ENUM(name, value, text) ERR_##name = (value),
enum err { ERRORS(AS_ERR_ENUM) };
#undef AS_ERR_ENUM

#define VERDICTS(X)                             \
    X(TAKEN, "taken")                           \
    X(FOREIGN, "not for this module")           \
    X(MALFORMED, "malformed")                   \
    X(FORGED, "integrity check failed")         \
    X(DUPLICATE, "seen before")                 \
    X(UNEXPECTED, "not expected in this state") \
    X(LIMIT, "over a limit")

#define AS_VERDICT_ENUM(name, text) VERDICT_##name,
enum verdict { VERDICTS(AS_VERDICT_ENUM) VERDICT_COUNT };
#undef AS_VERDICT_ENUM

/* How many datagrams met each verdict. */
struct verdicts {
    uint64_t count[VERDICT_COUNT];
};

/* Counts and passes on: return verdict_note(&x->verdicts, VERDICT_FORGED); */
static inline enum verdict verdict_note(struct verdicts *v, enum verdict verdict)
{
    v->count[verdict]++;
    return verdict;
}

/* Static text; never NULL. */
const char *err_string(enum err err);
const char *verdict_string(enum verdict verdict);

#endif
