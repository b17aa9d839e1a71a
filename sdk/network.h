/* network.h: what becomes of sessions and broker connections when this host's network changes. */
#ifndef HAWSER_SDK_NETWORK_H
#define HAWSER_SDK_NETWORK_H

/* Begins to watch, where that is allowed; lib.loop runs. ERR_NOMEM. */
int network_start(void);

/* No session is left. */
void network_stop(void);

#endif
