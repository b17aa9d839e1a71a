#include "apps/common/flow.h"

#include <pthread.h>
#include <stdlib.h>

#include "hawser/device.h"
#include "tests/apps/support/loop.h"
#include "tests/check.h"

static void send_text(const char *text)
{
    CHECK("sent", flow_send(LOOP_DEVICE, 0, bytes_of_string(text), 1000) == 0);
}

static bool line_is(struct flow *f, const char *text)
{
    struct bytes line;

    return flow_next_line(f, 64, 0, &line) == 0 && bytes_equal(line, bytes_of_string(text));
}

TEST(lines_come_one_by_one)
{
    struct flow f;
    struct bytes line;

    loop_open(256);
    flow_init(&f, LOOP_APP, 0);
    CHECK("nothing yet", flow_next_line(&f, 64, 0, &line) == HAWSER_ERR_TIMEOUT);
    send_text("one\n\nthr");
    CHECK("the first", line_is(&f, "one"));
    CHECK("an empty one", line_is(&f, ""));
    CHECK("a part is no line", flow_next_line(&f, 64, 0, &line) == HAWSER_ERR_TIMEOUT);
    send_text("ee\n");
    CHECK("nothing was lost", line_is(&f, "three"));
    hawser_close(LOOP_DEVICE, 9);
    CHECK("the close code", flow_next_line(&f, 64, 0, &line) == -109);
    flow_deinit(&f);
    loop_end();
}

TEST(a_line_has_a_limit)
{
    struct flow f;
    struct bytes line;

    loop_open(256);
    flow_init(&f, LOOP_APP, 0);
    send_text("1234567\n12345678\n");
    CHECK("as long as allowed", flow_next_line(&f, 8, 0, &line) == 0 && line.len == 7);
    CHECK("longer", flow_next_line(&f, 8, 0, &line) == HAWSER_ERR_INVALID);
    flow_deinit(&f);
    flow_init(&f, LOOP_APP, 0);
    send_text("123456789");
    CHECK("longer and without end", flow_next_line(&f, 8, 0, &line) == HAWSER_ERR_INVALID);
    flow_deinit(&f);
    loop_end();
}

TEST(frames_have_a_length_and_a_limit)
{
    static const char bytes[] = "\0\0\0\3abc\0\0\0\0\0\0\0\5ab";
    struct flow f;
    struct bytes frame;

    loop_open(256);
    flow_init(&f, LOOP_APP, 1);
    flow_send(LOOP_DEVICE, 1, bytes_of(bytes, sizeof bytes - 1), 1000);
    CHECK("the first", flow_next_frame(&f, 5, 0, &frame) == 0);
    CHECK("as sent", bytes_equal(frame, bytes_of("abc", 3)));
    CHECK("an empty one", flow_next_frame(&f, 5, 0, &frame) == 0 && frame.len == 0);
    CHECK("a part is no frame", flow_next_frame(&f, 5, 0, &frame) == HAWSER_ERR_TIMEOUT);
    CHECK("too long for this caller", flow_next_frame(&f, 4, 0, &frame) == HAWSER_ERR_INVALID);
    flow_send(LOOP_DEVICE, 1, bytes_of("cde", 3), 1000);
    CHECK("the rest", flow_next_frame(&f, 5, 0, &frame) == 0);
    CHECK("together", bytes_equal(frame, bytes_of("abcde", 5)));
    flow_deinit(&f);
    loop_end();
}

enum { BIG = 300000 };

static void *send_big(void *arg)
{
    uint8_t *big = arg;
    uint8_t length[4] = { 0, 4, 0x93, 0xe0 };

    CHECK("length sent", flow_send(LOOP_DEVICE, 1, bytes_of(length, 4), 5000) == 0);
    CHECK("all sent", flow_send(LOOP_DEVICE, 1, bytes_of(big, BIG), 5000) == 0);
    return NULL;
}

TEST(what_is_larger_than_the_buffers_goes_through)
{
    uint8_t *big = malloc(BIG);
    struct flow f;
    struct bytes frame;
    pthread_t sender;

    for (size_t i = 0; i < BIG; i++)
        big[i] = (uint8_t)(i * 31 >> 4);
    loop_open(1000);
    flow_init(&f, LOOP_APP, 1);
    pthread_create(&sender, NULL, send_big, big);
    CHECK("received", flow_next_frame(&f, BIG, 5000, &frame) == 0);
    CHECK("the same", bytes_equal(frame, bytes_of(big, BIG)));
    pthread_join(sender, NULL);
    flow_deinit(&f);
    loop_end();
    free(big);
}

TESTS(TEST_ROW(lines_come_one_by_one), TEST_ROW(a_line_has_a_limit),
      TEST_ROW(frames_have_a_length_and_a_limit),
      TEST_ROW(what_is_larger_than_the_buffers_goes_through))
