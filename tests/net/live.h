/* live.h: live pictures of a camera as messages on channel 1, each with the time at which it was
 * due, and at the other end how long each took to be there whole. */
#ifndef HAWSER_TESTS_NET_LIVE_H
#define HAWSER_TESTS_NET_LIVE_H

#include "core/base/usec.h"

enum { FRAMES_A_SECOND = 30, KEY_FRAME_EVERY = 60, KEY_FRAME_TIMES = 8 };

/* Bytes of a frame that is no key frame, in a stream of this rate. */
int live_frame_bytes(long kbits);

struct live_plan {
    int lifetime_ms;   /* of a frame, after which it is given up; < 0: all arrive, however late */
    int bytes;         /* of most frames; key frames are longer, see above */
    long count, first; /* frames, and after how many of them the first key frame comes */
};

/* Blocks while it sends frames at their times, then prints
 * {"code": 0, "sent": COUNT, "refused": COUNT, "given_up": COUNT}. Refused: there was no room for
 * them; given up: accepted, and too old before they were there. */
void live_send(int handle, const struct live_plan *plan);

/* A thread takes frames from now on, until the session ends. */
void live_receive(int handle);

/* Blocks for `span`, then prints {"code": 0, "wrong": COUNT, "took_us": [...]}: how long each of
 * the first `count` frames took since it was due, 0: it is not here. Wrong are those that are not
 * as they were sent, or come twice. */
void live_print(long count, usec span);

#endif
