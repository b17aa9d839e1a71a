/* transfer.h: bytes to the device and back at a steady pace, and what became of them. */
#ifndef HAWSER_TESTS_NET_TRANSFER_H
#define HAWSER_TESTS_NET_TRANSFER_H

#include "core/base/usec.h"

/* Sends for so long, waits for the rest to come back, and prints what came of it as a line of JSON:
 * bytes, the gaps between arrivals, the paths it went over. A line `started` is printed first. */
void transfer_run(int handle, usec span);

#endif
