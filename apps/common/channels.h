/* channels.h: what the eight channels of a session are for (docs/channels.md). */
#ifndef HAWSER_APPS_COMMON_CHANNELS_H
#define HAWSER_APPS_COMMON_CHANNELS_H

enum {
    CHANNEL_CONTROL,
    CHANNEL_VIDEO, /* also enum record_media */
    CHANNEL_AUDIO,
    CHANNEL_PLAYBACK,
    CHANNEL_PASS_THROUGH,
    CHANNEL_FILES
};

#endif
