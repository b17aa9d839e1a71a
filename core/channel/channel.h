/* channel.h: hawser's eight channels and its control stream over one SCTP association.
 *
 * Channel i is stream i, negotiated in advance, ordered and reliable; bytes travel as binary
 * messages of at most CHANNEL_MESSAGE_MAX. Messages of foreign peers are delivered as stream bytes
 * while they arrive. Stream 8 is the control stream between two hawsers (docs/protocol.md §6).
 * A peer that opens a channel in band (RFC 8832) is acknowledged on streams 0…7 and refused by a
 * stream reset elsewhere. */
#ifndef HAWSER_CHANNEL_H
#define HAWSER_CHANNEL_H

#include "core/base/meter.h"
#include "core/channel/credit.h"
#include "core/sctp/sctp.h"

#define CHANNEL_COUNT          8
#define CHANNEL_CONTROL_STREAM 8
#define CHANNEL_MESSAGE_MAX    16384
#define CHANNEL_CONTROL_MAX    64 /* of a control message; a longer one is not read */

enum channel_event_type {
    CHANNEL_EVENT_READABLE,   /* channel: bytes to read where there were none; or it is lossy now */
    CHANNEL_EVENT_WRITABLE,   /* channel: room again after channel_send() took less than all */
    CHANNEL_EVENT_KEEP_ALIVE, /* the peer wants to keep the session, or no longer: is_on */
    CHANNEL_EVENT_CLOSE,      /* the peer's CLOSE arrived: reason */
    CHANNEL_EVENT_OVERRUN     /* channel: the peer sent more than it was granted; deserves an end */
};

struct channel_event {
    enum channel_event_type type;
    unsigned channel;
    unsigned reason;
    bool is_on;
};

struct channel_count {
    uint64_t sent, received; /* bytes accepted from and handed to the application */
    struct meter sending, receiving;
};

/* How what is sent on a lossy channel may be lost. */
struct channel_loss {
    usec lifetime_us;
    unsigned retransmits_max;
};

struct channel_set {
    struct sctp *sctp;               /* borrowed */
    uint16_t readable;               /* bit i: a READABLE event of channel i is due */
    uint16_t writable;               /* likewise */
    bool keep_alive_due, keep_alive; /* a KEEP_ALIVE event is due, with this */
    bool close_due;                  /* a CLOSE event is due */
    unsigned close_reason;
    struct channel_count count[CHANNEL_COUNT];
    uint8_t priority_class[CHANNEL_COUNT], weight[CHANNEL_COUNT];
    uint8_t control[CHANNEL_CONTROL_MAX]; /* the control message that is arriving */
    size_t control_len;
    uint64_t dropped_bytes; /* of foreign streams and of in-band establishment */

    bool has_credit; /* the peer is a hawser */
    struct credit credit[CHANNEL_COUNT];
    uint16_t ungranted; /* bit i: the peer is to be told of new credit of channel i */
    uint16_t waiting;   /* bit i: channel_send() met the end of the credit */
    uint16_t overrun;   /* bit i: an OVERRUN event of channel i is due */

    uint16_t lossy, peer_lossy; /* bit i: channel i is, in what this side and the peer send */
    uint16_t untold_lossy;      /* bit i: the peer is to be told */
    uint16_t cut;               /* bit i: the message being read on channel i ends here */
    struct channel_loss loss[CHANNEL_COUNT];
};

/* What all channels may hold unread together: to be announced as a_rwnd, so that SCTP's window is
 * never what stops a channel that has credit. */
#define CHANNEL_UNREAD_MAX ((size_t)(3 * 4 + 2) << 20)

/* ERR_NOMEM. Nothing to release: sctp is freed by its owner. */
int channel_init(struct channel_set *c, struct sctp *sctp);

/* Channels of a lower class (1…7) go first, those of one share by weight (1…SCTP_WEIGHT_MAX, in
 * bytes). Usual: 0 control, 2 audio, 1 video, 4 pass-through, 3 playback, 5 files, then 6 and 7.
 * ERR_INVALID, ERR_NOMEM. */
#define CHANNEL_CLASSES 8
int channel_set_priority(struct channel_set *c, unsigned channel, unsigned priority_class,
                         unsigned weight);

/* The peer is a hawser: from now on channels are limited by credit, both ways. Before any data. */
void channel_use_credit(struct channel_set *c, usec now);

/* Passes on an event of the association; UP and CLOSED are the caller's own. */
void channel_input(struct channel_set *c, usec now, const struct sctp_event *ev);
bool channel_poll_event(struct channel_set *c, struct channel_event *ev);

/* How many bytes of this channel the peer takes now; SIZE_MAX where there is no credit. */
size_t channel_credit(const struct channel_set *c, unsigned channel);

/* Whether bytes of this channel wait for nothing but credit. */
bool channel_waits_for_credit(const struct channel_set *c, unsigned channel);

/* Returns how many bytes were queued; if fewer than given, CHANNEL_EVENT_WRITABLE follows. */
size_t channel_send(struct channel_set *c, usec now, unsigned channel, struct bytes data);

/* How many bytes channel_send() would take now. */
size_t channel_send_room(const struct channel_set *c, unsigned channel);

/* As channel_send(), for the first len bytes of a chain of any pool, which are taken over. */
size_t channel_send_chain(struct channel_set *c, usec now, unsigned channel, struct chain *from,
                          size_t len);

/* Sends the first len bytes of `from` as one message of at most CHANNEL_WHOLE_MAX, with its end
 * kept apart; all or none. accepted_at: when a lossy channel's lifetime began. ERR_LIMIT: no room
 * now, CHANNEL_EVENT_WRITABLE follows. ERR_INVALID: empty or too long. */
#define CHANNEL_WHOLE_MAX 262144
int channel_send_message(struct channel_set *c, usec now, unsigned channel, struct chain *from,
                         size_t len, usec accepted_at);

/* From now on what this side sends on the channel may be lost: a message is given up lifetime_us
 * after it was accepted (USEC_NEVER: never) or when a part of it would have to be sent again more
 * than retransmits_max times. A hawser is told, and once it knows it holds no credit back for this
 * channel but loses what it has no room for; until then nothing is given up. For the rest of the
 * session; another call changes the limits. ERR_INVALID. */
int channel_set_lossy(struct channel_set *c, usec now, unsigned channel, usec lifetime_us,
                      unsigned retransmits_max);
bool channel_is_lossy(const struct channel_set *c, unsigned channel); /* of this side */

/* And the peer's; a foreign one's once it has opened it so (RFC 8832) or given up what was read. */
bool channel_peer_is_lossy(const struct channel_set *c, unsigned channel);

/* Takes up to len bytes of the oldest unread message over into `to`, a chain of any pool; of a
 * channel whose peer is lossy all of it once it is whole, whatever len is: at most
 * CHANNEL_WHOLE_MAX at once of a longer one. *ends: that was a message's end. Returns how many
 * bytes; 0: none now, and *ends if the rest of what was taken will not come. */
size_t channel_recv_chain(struct channel_set *c, usec now, unsigned channel, struct chain *to,
                          size_t len, bool *ends);

/* The next contiguous unread bytes, or none.
 * Valid until the next non-const call. */
struct bytes channel_peek(struct channel_set *c, usec now, unsigned channel);
void channel_consume(struct channel_set *c, usec now, unsigned channel, size_t len);

/* Tells a hawser that this session is to be kept, whatever it is used for. ERR_LIMIT,
 * ERR_WRONG_STATE. */
int channel_send_keep_alive(struct channel_set *c, usec now, bool is_on);

/* Tells a hawser why this side closes. ERR_LIMIT, ERR_WRONG_STATE. */
int channel_send_close(struct channel_set *c, usec now, unsigned reason);

#endif
