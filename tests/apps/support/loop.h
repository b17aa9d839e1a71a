/* loop.h: both ends of one session in this process: the data calls of hawser.h over two byte
 * queues a channel, for tests of the programs' protocols without a network. */
#ifndef HAWSER_TESTS_APPS_LOOP_H
#define HAWSER_TESTS_APPS_LOOP_H

enum { LOOP_APP = 0, LOOP_DEVICE = 1 }; /* the handles of the two ends */

/* Opens the session, each queue bounded to `cap` bytes; a session from before must be closed. */
void loop_open(int cap);

/* Frees what is left; both ends must be closed and no thread in a call. */
void loop_end(void);

#endif
