/* claims.h: the claims of a text that is signed, with one of them wrong. */
#ifndef HAWSER_TESTS_SUPPORT_CLAIMS_H
#define HAWSER_TESTS_SUPPORT_CLAIMS_H

#include <jansson.h>

/* Puts `json` in the place of the member, if it has one; NULL leaves the member out. */
void claims_change(json_t *claims, const char *member, const char *json);

#endif
