/* files.c: keys, records, the config file and options. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hawser/hawser.h"
#include "sdk/options.h"
#include "sdk/store.h"
#include "tests/check.h"
#include "tests/sdk/support/system.h"
#include "tests/support/alloc.h"

/* ---- Files ---------------------------------------------------------------------------------- */

TEST(labels)
{
    static const struct {
        const char *claim, *label;
        bool is_valid;
    } rows[] = {
        { "usual", "camera-1", true },
        { "all of the alphabet", "aZ09._@-", true },
        { "one character", "a", true },
        { "64 characters", "0123456789012345678901234567890123456789012345678901234567890123",
          true },
        { "65 characters", "01234567890123456789012345678901234567890123456789012345678901234",
          false },
        { "empty", "", false },
        { "none", NULL, false },
        { "a space", "a b", false },
        { "a path", "a/b", false },
        { "this directory", ".", false },
        { "the one above", "..", false },
        { "hidden is fine", ".a", true },
        { "not ASCII", "\xc3\xa9", false },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK(rows[i].claim, label_is_valid(rows[i].label) == rows[i].is_valid);
}

static mode_t mode_of(const char *directory, const char *path)
{
    char whole[160];
    struct stat st;

    (void)snprintf(whole, sizeof whole, "%s/%s", directory, path);
    return stat(whole, &st) ? 0 : st.st_mode & 0777;
}

TEST(keys_are_kept_and_private)
{
    char home[64], inside[80];
    struct key *k = NULL, *again = NULL;

    CHECK("a directory", directory_make(home));
    (void)snprintf(inside, sizeof inside, "%s/home", home);
    CHECK("made", store_key(&k, inside, "camera") == ERR_OK);
    CHECK("kept", store_key(&again, inside, "camera") == ERR_OK);
    CHECK("the same", k && again && strcmp(key_id(k), key_id(again)) == 0);
    CHECK("the file is private", mode_of(inside, "keys/camera.json") == 0600);
    CHECK("the directory too", mode_of(inside, "keys") == 0700 && mode_of(inside, "") == 0700);
    key_free(k);
    key_free(again);
    CHECK("no place for it", store_key(&k, "/proc/nowhere", "camera") == ERR_INVALID && !k);
    directory_remove(home);
}

TEST(records_of_devices)
{
    char home[64];
    struct device_record in = { .grant = json_pack("[s, s]", "one", "two") }, out;
    struct key *k = NULL;

    CHECK("a directory", directory_make(home) && store_key(&k, home, "x") == ERR_OK);
    card_of_key(&in.card, k, 1234567890);
    CHECK("none yet", store_load_device(&out, home, "me", key_id(k)) == ERR_WRONG_STATE);
    CHECK("saved", store_save_device(&in, home, "me") == ERR_OK);
    CHECK("loaded", store_load_device(&out, home, "me", key_id(k)) == ERR_OK);
    CHECK("the same",
          memcmp(&in.card, &out.card, sizeof in.card) == 0 && json_equal(in.grant, out.grant));
    device_record_deinit(&out);
    CHECK("saved over it", store_save_device(&in, home, "me") == ERR_OK);
    CHECK("not another's", store_load_device(&out, home, "you", key_id(k)) == ERR_WRONG_STATE);
    ALLOC_FAIL_EACH {
        int err = store_load_device(&out, home, "me", key_id(k));

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        device_record_deinit(&out);
    }
    device_record_deinit(&in);
    key_free(k);
    directory_remove(home);
}

TEST(members_of_the_config)
{
    char home[64];
    struct options o;

    CHECK("a directory", directory_make(home) && options_set("home", home) == ERR_OK);
    CHECK("made", store_set_config(home, "broker", "mqtt://one") == ERR_OK);
    CHECK("changed", store_set_config(home, "broker", "mqtt://two") == ERR_OK);
    CHECK("and another", store_set_config(home, "dead_ms", "9000") == ERR_OK);
    CHECK("read",
          options_load(&o) == ERR_OK && o.dead_ms == 9000 && strcmp(o.broker, "mqtt://two") == 0);
    (void)options_set("home", NULL);
    directory_remove(home);
}

/* ---- Options -------------------------------------------------------------------------------- */

TEST(options_and_their_ranges)
{
    static const struct {
        const char *name, *value;
        int err;
    } rows[] = {
        { "home", "/tmp/x", ERR_OK },
        { "home", "", ERR_INVALID },
        { "broker", "mqtt://127.0.0.1:1883", ERR_OK },
        { "broker", "mqtts://broker.example.org", ERR_OK },
        { "broker", "mqtt+unix:///run/broker.sock", ERR_OK },
        { "broker", "mqtt+unix://run/broker.sock", ERR_INVALID },
        { "broker", "http://127.0.0.1", ERR_INVALID },
        { "broker", "127.0.0.1:1883", ERR_INVALID },
        { "stun", "", ERR_OK },
        { "stun", "stun.example.org:3478, 192.0.2.1:3478", ERR_OK },
        { "stun", "a,b,c,d,e", ERR_INVALID },
        { "stun", "mqtt://a", ERR_INVALID },
        { "turn", "", ERR_OK },
        { "turn", "turn:a,turn:192.0.2.1:99?transport=udp, turns:[::1],turn:b?transport=tcp",
          ERR_OK },
        { "turn", "turn:a,turn:b,turn:c,turn:d,turn:e", ERR_INVALID },
        { "turn", "turns:a?transport=udp", ERR_INVALID },
        { "turn", "stun:a", ERR_INVALID },
        { "turn", "a:3478", ERR_INVALID },
        { "turn", "turn:a?transport=sctp", ERR_INVALID },
        { "turn_username", "1700000000:user", ERR_OK },
        { "turn_password", "", ERR_OK },
        { "turn_ca", "/etc/ssl/some.pem", ERR_OK },
        { "bind", "127.0.0.1,::1", ERR_OK },
        { "bind", "localhost", ERR_INVALID },
        { "sessions_max", "1", ERR_OK },
        { "sessions_max", "0", ERR_INVALID },
        { "sessions_max", "4097", ERR_INVALID },
        { "dead_ms", "6000", ERR_OK },
        { "dead_ms", "5999", ERR_INVALID },
        { "dead_ms", "6000 ", ERR_INVALID },
        { "flush_ms", "0", ERR_OK },
        { "flush_ms", "10001", ERR_INVALID },
        { "zombie_ms", "0", ERR_OK },
        { "zombie_ms", "-1", ERR_INVALID },
        { "zombie_ms", "99999999999999999999", ERR_INVALID },
        { "volume", "11", ERR_INVALID },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK(rows[i].name, options_set(rows[i].name, rows[i].value) == rows[i].err);
        (void)options_set(rows[i].name, NULL);
    }
}

static void write_config(const char *home, const char *text)
{
    char path[96];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/config.json", home);
    f = fopen(path, "we");
    (void)fputs(text, f);
    (void)fclose(f);
}

static char last_line[256];

static void keep_line(void *ctx, enum hawser_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)snprintf(last_line, sizeof last_line, "%s", line);
}

/* Wherever somebody slips who writes one down. */
TEST(passwords_are_not_quoted)
{
    static const char *const slips[] = {
        "{\"turn_password\": hunter2}",      "{\"turn_password\": \"hunter2}",
        "{\"turn_password\": \"hunter2\n",   "{\"turn_password\": \"hunter2\\q\"}",
        "{\"turn_password\": \"a\"hunter2}", "{\"turn_password\": [\"hunter2\"]}",
    };
    char home[64];
    struct options o;

    CHECK("a home", directory_make(home) && options_set("home", home) == ERR_OK);
    hawser_set_log(HAWSER_LOG_DEBUG, keep_line, NULL);
    for (size_t i = 0; i < COUNT(slips); i++) {
        last_line[0] = '\0';
        write_config(home, slips[i]);
        CHECK(slips[i], options_load(&o) == ERR_INVALID);
        CHECK("it is said", strstr(last_line, "config.json"));
        CHECK("but not all", !strstr(last_line, "hunter"));
    }
    hawser_set_log(HAWSER_LOG_ERROR, NULL, NULL);
    (void)options_set("home", NULL);
    directory_remove(home);
}

TEST(the_config_file)
{
    char home[64];
    struct options o;

    CHECK("a home", directory_make(home) && options_set("home", home) == ERR_OK);
    CHECK("none is fine", options_load(&o) == ERR_OK && o.dead_ms == 30000 && !*o.broker);
    write_config(home, "{\"broker\":\"mqtt://b.example:1\",\"dead_ms\":7000,\"later\":[]}");
    CHECK("read", options_load(&o) == ERR_OK && o.dead_ms == 7000);
    CHECK("the broker's name", strcmp(o.broker_name, "b.example") == 0);
    CHECK("an option goes before", options_set("dead_ms", "8000") == ERR_OK &&
                                       options_load(&o) == ERR_OK && o.dead_ms == 8000);
    (void)options_set("dead_ms", NULL);
    write_config(home, "{\"dead_ms\":1}");
    CHECK("out of range", options_load(&o) == ERR_INVALID);
    write_config(home, "{\"dead_ms\":");
    CHECK("cut short", options_load(&o) == ERR_INVALID);
    write_config(home, "[]");
    CHECK("no object", options_load(&o) == ERR_INVALID);
    (void)options_set("home", NULL);
    directory_remove(home);
}

TESTS(TEST_ROW(labels), TEST_ROW(keys_are_kept_and_private), TEST_ROW(records_of_devices),
      TEST_ROW(members_of_the_config), TEST_ROW(options_and_their_ranges),
      TEST_ROW(the_config_file), TEST_ROW(passwords_are_not_quoted))
