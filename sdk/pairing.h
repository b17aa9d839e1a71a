/* pairing.h: from an invite to the owner's grant. On the loop's thread, but for hawser_pair() and
 * hawser_device_invite(), which wait for it. */
#ifndef HAWSER_SDK_PAIRING_H
#define HAWSER_SDK_PAIRING_H

#include "sdk/devices.h"

/* The device's side. */
void pairing_on_request(struct device *d, const struct envelope *e);

/* The app's side. */
void pairing_on_paired(struct identity *id, const struct envelope *e);
void pairing_on_refuse(struct identity *id, const struct envelope *e);
void pairing_on_sent(uint64_t request, enum signaling_result result);

/* Ends every call in hawser_pair() with this code; with lib.lock held. */
void pairing_break_all(int code);

#endif
