/* rng.h: chance from a seed, for tests: the same seed gives the same bytes on every machine. */
#ifndef HAWSER_TESTS_SUPPORT_RNG_H
#define HAWSER_TESTS_SUPPORT_RNG_H

#include "core/base/rng.h"

/* *state is the seed, then the generator's place; it must outlive the rng. Not for keys. */
struct rng test_rng(uint64_t *state);

#endif
