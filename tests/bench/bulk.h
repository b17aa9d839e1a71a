/* bulk.h: as much as goes from the app to the device. */
#ifndef HAWSER_TESTS_BENCH_BULK_H
#define HAWSER_TESTS_BENCH_BULK_H

enum bulk_kind {
    BULK_ONE,    /* by one channel */
    BULK_ALL,    /* by all eight at once, with a thread each */
    BULK_STALLED /* by one, beside another that is full, as nobody reads it */
};

/* Returns the exit status. */
int bulk_run(enum bulk_kind kind, double seconds);

#endif
