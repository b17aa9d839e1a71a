/* lossy.h: a pair of associations and numbered messages that may be given up, on one stream of two.
 * Each message tells its number and its length, so that the reader knows what is missing. */
#ifndef HAWSER_TESTS_SUPPORT_LOSSY_H
#define HAWSER_TESTS_SUPPORT_LOSSY_H

#include "tests/support/sctp_pair.h"

enum { LOSSY = 2, RELIABLE = 1, LOSSY_HEADER = 8, LOSSY_MESSAGE_MAX = 60000, LOSSY_NUMBERS = 4096 };

/* What came of the messages of one stream. */
struct lossy_reader {
    uint32_t count, last; /* whole ones; number of the last, from 1 */
    bool is_right;        /* none twice, none altered, and in order if they should be */
    bool is_ordered;
    uint8_t seen[LOSSY_NUMBERS];
    size_t at; /* in the message being read */
    uint8_t bytes[LOSSY_MESSAGE_MAX];
};

struct lossy {
    struct sctp_pair pair;
    struct lossy_reader reader[3]; /* by stream */
    uint32_t next_number[3];
    bool is_unordered;
    unsigned data, forwards, i_forwards; /* chunks of side 0 */
    unsigned pass_data, drop_data;       /* so many packets with data are lost, behind so many */
    unsigned drop_forward;               /* so many with FORWARD-TSN or I-FORWARD-TSN */
};

struct lossy_limits {
    usec lifetime_us; /* 0: none */
    unsigned retransmits_max;
};

extern const struct lossy_limits lossy_reliable;

/* With DATA and with I-DATA, in order and not. */
struct lossy_kind {
    const char *claim;
    unsigned without; /* bits of enum sctp_extension */
    bool is_unordered;
};

enum { LOSSY_KINDS = 4 };
extern const struct lossy_kind lossy_kinds[LOSSY_KINDS];

/* True if both are up, 10 ms from each other, and have what they should. */
bool lossy_open(struct lossy *s, uint64_t seed, const struct lossy_kind *kind);
void lossy_run(struct lossy *s, usec us);
int lossy_send(struct lossy *s, uint16_t stream, const struct lossy_limits *limits, size_t len);
struct sctp_info lossy_info(const struct lossy *s); /* of the sender */

#endif
