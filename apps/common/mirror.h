/* mirror.h: sends back what comes. */
#ifndef HAWSER_APPS_COMMON_MIRROR_H
#define HAWSER_APPS_COMMON_MIRROR_H

/* Everything that comes on a channel, until the session ends. Blocks. */
void mirror_channel(int handle, int channel);

#endif
