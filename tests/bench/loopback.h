/* loopback.h: blocking TCP connections over loopback, for the transports that run on them. */
#ifndef HAWSER_TESTS_BENCH_LOOPBACK_H
#define HAWSER_TESTS_BENCH_LOOPBACK_H

#include <stdint.h>

/* Descriptors; negative with errno. */
int loopback_listen(uint16_t port);
int loopback_connect(uint16_t port);

#endif
