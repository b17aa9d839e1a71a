/* bench_show.h: what a bench run found, as a table and as JSON. */
#ifndef HAWSER_APPS_HAWSER_BENCH_SHOW_H
#define HAWSER_APPS_HAWSER_BENCH_SHOW_H

#include "apps/hawser/bench_run.h"

void bench_show(const struct bench_run *r);

#endif
