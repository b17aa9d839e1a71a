/* bench_device.h: the device of "bench --serve", which answers pings and bench runs on all channels
 * and does nothing else. */
#ifndef HAWSER_APPS_HAWSER_BENCH_DEVICE_H
#define HAWSER_APPS_HAWSER_BENCH_DEVICE_H

struct host;

/* One session, until it ends. */
void bench_device_serve(struct host *h, int handle);

#endif
