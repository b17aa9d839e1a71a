/* The probe, the reply and the hello: their bytes, their form, their MAC. */
#include "core/lan/message.h"

#include "core/token/key.h"
#include "tests/check.h"
#include "tests/support/hex.h"
#include "tests/support/rng.h"

static const uint8_t secret[LAN_SECRET_BYTES] = "the secret of one device, 32 lon";
static const uint8_t other[LAN_SECRET_BYTES] = "the secret of one device, 32 lom";

static struct lan_message example(enum lan_type type)
{
    struct lan_message m = { .type = type };

    for (size_t i = 0; i < LAN_NONCE_BYTES; i++) {
        m.nonce[i] = (uint8_t)i;
        m.echo[i] = type == LAN_PROBE ? 0 : (uint8_t)(0xf0 + i);
    }
    m.port = type == LAN_REPLY ? 40000 : 0;
    return m;
}

/* The MACs were computed by Python's hmac. */
static const struct {
    const char *claim;
    enum lan_type type;
    const char *hex;
} vectors[] = {
    { "a probe", LAN_PROBE,
      "68774c01 01 00 0000 000102030405060708090a0b0c0d0e0f 00000000000000000000000000000000 "
      "531878414c35238fb4064e5de36a0eee" },
    { "a reply", LAN_REPLY,
      "68774c01 02 00 9c40 000102030405060708090a0b0c0d0e0f f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff "
      "ee70974dae882befe6adc8e793f2054c" },
    { "a hello", LAN_HELLO,
      "68774c01 03 00 0000 000102030405060708090a0b0c0d0e0f f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff "
      "ee1a606f6e467899e04c065eb6be127f" },
};

TEST(bytes_on_the_wire)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct lan_message m = example(vectors[i].type);
        uint8_t made[LAN_MESSAGE_BYTES], wanted[128];
        struct bytes w = hex_decode(vectors[i].hex, wanted, sizeof wanted);

        CHECK("made", lan_message_encode(made, &m, secret) == ERR_OK);
        CHECK(vectors[i].claim, bytes_equal(w, bytes_of(made, sizeof made)));
        CHECK("short enough for a probe", sizeof made <= 300);
    }
}

TEST(what_is_written_is_read)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct lan_message in = example(vectors[i].type), out;
        uint8_t made[LAN_MESSAGE_BYTES];
        struct bytes b = bytes_of(made, sizeof made);

        CHECK("made", lan_message_encode(made, &in, secret) == ERR_OK);
        CHECK("read", lan_message_decode(&out, b) == VERDICT_TAKEN);
        CHECK("the same", out.type == in.type && out.port == in.port &&
                              !memcmp(out.nonce, in.nonce, sizeof in.nonce) &&
                              !memcmp(out.echo, in.echo, sizeof in.echo));
        CHECK("genuine", lan_message_is_genuine(b, secret));
        CHECK("another's secret", !lan_message_is_genuine(b, other));
    }
}

TEST(every_length_but_the_right_one)
{
    uint8_t made[LAN_MESSAGE_BYTES + 300] = { 0 };
    struct lan_message m = example(LAN_PROBE), out;

    CHECK("made", lan_message_encode(made, &m, secret) == ERR_OK);
    for (size_t len = 0; len <= sizeof made; len++) {
        enum verdict wanted = len < 4                    ? VERDICT_FOREIGN
                              : len == LAN_MESSAGE_BYTES ? VERDICT_TAKEN
                                                         : VERDICT_MALFORMED;

        CHECK("judged", lan_message_decode(&out, bytes_of(made, len)) == wanted);
        CHECK("no MAC of another length",
              lan_message_is_genuine(bytes_of(made, len), secret) == (len == LAN_MESSAGE_BYTES));
    }
}

TEST(every_bit_counts)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct lan_message m = example(vectors[i].type);
        uint8_t made[LAN_MESSAGE_BYTES];

        CHECK("made", lan_message_encode(made, &m, secret) == ERR_OK);
        for (size_t bit = 0; bit < 8 * sizeof made; bit++) {
            made[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CHECK("forged", !lan_message_is_genuine(bytes_of(made, sizeof made), secret));
            made[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static const struct {
    const char *claim;
    size_t at;
    uint8_t value;
    enum lan_type of;
    enum verdict verdict;
} forms[] = {
    { "another protocol", 0, 'H', LAN_PROBE, VERDICT_FOREIGN },
    { "another version", 3, 2, LAN_PROBE, VERDICT_FOREIGN },
    { "no type", 4, 0, LAN_PROBE, VERDICT_MALFORMED },
    { "an unknown type", 4, 4, LAN_PROBE, VERDICT_MALFORMED },
    { "a reserved byte", 5, 1, LAN_REPLY, VERDICT_MALFORMED },
    { "a probe with a port", 7, 1, LAN_PROBE, VERDICT_MALFORMED },
    { "a probe with an echo", 39, 1, LAN_PROBE, VERDICT_MALFORMED },
    { "a hello with a port", 6, 1, LAN_HELLO, VERDICT_MALFORMED },
    { "a reply with another port", 6, 1, LAN_REPLY, VERDICT_TAKEN },
    { "another nonce", 8, 99, LAN_PROBE, VERDICT_TAKEN },
};

TEST(what_is_no_message)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct lan_message m = example(forms[i].of), out = { 0 };
        uint8_t made[LAN_MESSAGE_BYTES];

        CHECK("made", lan_message_encode(made, &m, secret) == ERR_OK);
        made[forms[i].at] = forms[i].value;
        CHECK(forms[i].claim,
              lan_message_decode(&out, bytes_of(made, sizeof made)) == forms[i].verdict);
        CHECK("nothing half-read", forms[i].verdict == VERDICT_TAKEN || out.type == 0);
    }
}

TEST(a_reply_without_a_port)
{
    struct lan_message m = example(LAN_REPLY), out;
    uint8_t made[LAN_MESSAGE_BYTES];

    m.port = 0;
    CHECK("made", lan_message_encode(made, &m, secret) == ERR_OK);
    CHECK("is of no use",
          lan_message_decode(&out, bytes_of(made, sizeof made)) == VERDICT_MALFORMED);
}

/* RFC 5869 by Python's hmac, over the seed 00 01 … 1f. */
TEST(a_device_derives_its_secret)
{
    static const char *const wanted_hex =
        "c7a4ba66401aa9ddad3f0d01bb2721c5c8203c7f3637832a198bebebe397b346";
    uint8_t seed[KEY_SEED_BYTES], wanted[LAN_SECRET_BYTES], made[KEY_DERIVED_BYTES];
    struct key *k = NULL;

    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)i;
    CHECK("key", key_new_from_seed(&k, seed) == ERR_OK);
    CHECK("derived", key_derive(k, "hawser lan v1", made) == ERR_OK);
    CHECK("as the RFC says",
          bytes_equal(hex_decode(wanted_hex, wanted, sizeof wanted), bytes_of(made, sizeof made)));
    CHECK("another for another purpose", key_derive(k, "hawser lan v2", wanted) == ERR_OK &&
                                             memcmp(wanted, made, sizeof made) != 0);
    key_free(k);
}

TESTS(TEST_ROW(a_device_derives_its_secret), TEST_ROW(bytes_on_the_wire),
      TEST_ROW(what_is_written_is_read), TEST_ROW(every_length_but_the_right_one),
      TEST_ROW(every_bit_counts), TEST_ROW(what_is_no_message), TEST_ROW(a_reply_without_a_port))
