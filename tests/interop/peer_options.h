/* peer_options.h: what the program peer is told.
 *
 *     peer --offer|--answer [--bytes N | --echo | --give | --take] [--deadline SECONDS]
 *          [--seconds N]
 *          [--no-sped] [--no-snap] [--expect none|sped|snap|both]
 *          [--without EXTENSIONS] [--agreed EXTENSIONS]
 *          [--turn ADDRESS --user NAME --password WORD [--relay-only]]
 *
 * --give sends on channel 5 and --take takes, on any, for --seconds (3) once the session is open,
 * and closes it. --no-sped and --no-snap take halves of the short handshake out of both
 * descriptions, --expect fails unless just those were used. --without offers no such extensions of
 * SCTP, --agreed fails unless just those are in use at the end; EXTENSIONS are "i-data",
 * "zero-checksum", "forward-tsn" and "parts", with commas between, or "none". --turn asks for a
 * relay from each socket of its family, --relay-only tells the peer of no other candidate. */
#ifndef HAWSER_TESTS_INTEROP_PEER_OPTIONS_H
#define HAWSER_TESTS_INTEROP_PEER_OPTIONS_H

#include "core/base/addr.h"
#include "core/base/usec.h"

#define ANY_AGREED UINT32_MAX

enum peer_task { PEER_ASK /* bytes that are to come back */, PEER_ECHO, PEER_GIVE, PEER_TAKE };

struct peer_options {
    enum peer_task task;
    bool is_offerer;
    bool has_role, no_sped, no_snap, is_relay_only;
    const char *expected;     /* of the short handshake; NULL: anything */
    unsigned without, agreed; /* bits of enum sctp_extension; ANY_AGREED: whatever it is */
    struct addr turn;         /* ADDR_NONE: none */
    const char *user, *password;
    uint64_t bytes;
    usec deadline_us, flow_us;
};

/* Not 0: the exit status, and why has been told. */
int peer_options_read(struct peer_options *o, int argc, char **argv);

#endif
