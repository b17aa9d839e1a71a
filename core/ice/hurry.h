/* hurry.h: what checks carry need not wait for the next one. */
#ifndef HAWSER_ICE_HURRY_H
#define HAWSER_ICE_HURRY_H

#include "core/ice/ice.h"

/* What ice_set_sped() was given is new: the selected path, if there is one, is asked at once. */
void ice_ask_selected(struct ice *a, usec now);

#endif
