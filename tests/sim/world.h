/* world.h: the clock and the chance that OpenSSL finds by itself, made part of the simulation.
 *
 * Whatever is linked with this file sees gettimeofday() and time() stand where world_set_time() put
 * them, and OpenSSL's random numbers come from a seed. So even a DTLS handshake repeats, byte for
 * byte. One world per process. */
#ifndef HAWSER_TESTS_SIM_WORLD_H
#define HAWSER_TESTS_SIM_WORLD_H

#include "core/base/usec.h"

#include <stdint.h>

#define WORLD_EPOCH_S 1700000000 /* the wall clock at usec 0 */

/* From here on OpenSSL draws from this seed. Stops the program where OpenSSL refuses. */
void world_seed(uint64_t seed);
void world_set_time(usec now);

#endif
