/* describe.h: a session in words and as JSON. */
#ifndef HAWSER_APPS_COMMON_DESCRIBE_H
#define HAWSER_APPS_COMMON_DESCRIBE_H

#include <jansson.h>
#include <stddef.h>

#include "hawser/hawser.h"

/* "lan", "direct", "relayed" or "none". */
const char *describe_path(enum hawser_path_kind path);

/* "direct 192.0.2.1:4000 - 192.0.2.2:4001", or that there is none for the moment. */
void describe_route(const struct hawser_session_info *info, char *text, size_t cap);

/* The same and ", round trip 0.4 ms". */
void describe_session(const struct hawser_session_info *info, char *text, size_t cap);

/* "host", "server-reflexive", …; "works", "failed", … */
const char *describe_end(enum hawser_end_kind kind);
const char *describe_fate(enum hawser_pair_fate fate);

/* What keeps more from being sent: "application", "credit", "congestion", "pacing", "path". */
const char *describe_limit(enum hawser_limit limit);

/* Every pair that was tried: an array, best first. */
json_t *describe_pairs_json(int handle);

/* All that is known of a session but its pairs; NULL if it is gone. */
json_t *describe_session_json(int handle);

#endif
