/* channel_duo.h: the eight channels of two associations with nothing between them (sctp_duo.h): two
 * hawsers, or one whose peer is plain SCTP that the test drives by hand. */
#ifndef HAWSER_TESTS_SUPPORT_CHANNEL_DUO_H
#define HAWSER_TESTS_SUPPORT_CHANNEL_DUO_H

#include "core/channel/channel.h"
#include "tests/support/sctp_duo.h"

enum { DUO_APP, DUO_DEVICE };

struct channel_duo {
    struct sctp_duo two;
    struct channel_set channels[2];
    bool is_raw[2]; /* that end is plain SCTP: the test reads and writes its streams itself */

    /* Events. */
    unsigned writable[2][CHANNEL_COUNT], overruns[2], closes[2];
};

#define RAW_MESSAGE_MAX (1 << 20)

/* Opens the association. is_app_raw: the app's end is the test's, and may send longer messages. */
void channel_duo_open(struct channel_duo *d, bool is_app_raw, bool has_credit);
void channel_duo_close(struct channel_duo *d);

/* Moves all that can move within so many delayed acknowledgements. */
void channel_duo_run(struct channel_duo *d, unsigned rounds);

/* Takes what is there up to a message's end; false: there was no end. */
bool channel_duo_recv(struct channel_duo *d, int end, unsigned channel, struct chain *to);

/* Takes every message that is there to its end; how many. */
size_t channel_duo_drain(struct channel_duo *d, int end, unsigned channel);

#endif
