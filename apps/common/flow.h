/* flow.h: lines, frames and whole buffers over a channel, which is a stream of bytes.
 *
 * Every wait here is a limit of silence: it starts again whenever bytes move. A signal to stop
 * (stop.h) ends it with -14. */
#ifndef HAWSER_APPS_COMMON_FLOW_H
#define HAWSER_APPS_COMMON_FLOW_H

#include "core/base/bytes.h"

#define FLOW_PATIENT_MS INT32_MAX /* until the session ends */

/* The receiving side of one channel: what has arrived and was not yet taken. */
struct flow {
    int handle, channel;
    uint8_t *buf;
    size_t start, end, cap;
};

void flow_init(struct flow *f, int handle, int channel);
void flow_deinit(struct flow *f);

/* Takes the next line, at most len_max bytes with its newline, which is not part of it. 0; -3 when
 * nothing came in time (call again: nothing is lost); -5 when it is too long; -29; or the code the
 * session closed with. The line lives until the next call. */
int flow_next_line(struct flow *f, size_t len_max, int timeout_ms, struct bytes *line);

/* The same for what follows a big-endian length of four bytes, at most len_max. */
int flow_next_frame(struct flow *f, size_t len_max, int timeout_ms, struct bytes *frame);

/* Sends all of it. 0, or a code; after -3 a part may have gone out, so the channel is useless. */
int flow_send(int handle, int channel, struct bytes data, int timeout_ms);

#endif
