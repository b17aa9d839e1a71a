#include "core/token/id.h"

#include <string.h>

#include "core/base/err.h"
#include "core/token/base64url.h"
#include "tests/check.h"
#include "tests/support/hex.h"

/* Of the key in RFC 8037 §A.1; made by another implementation. */
#define ID "hw1eh7ddx5bksrgcytl7bkai36se4re"

static const char public_hex[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

TEST(the_id_of_a_key)
{
    uint8_t public_key[32];
    char id[ID_BYTES];

    hex_decode(public_hex, public_key, sizeof public_key);
    CHECK("made", id_of_key(id, public_key) == ERR_OK);
    CHECK("what others make of it", strcmp(id, ID) == 0);
    CHECK("belongs to it", id_matches_key(ID, public_key));
    public_key[31] ^= 1;
    CHECK("to no other", !id_matches_key(ID, public_key));
}

static const struct {
    const char *claim, *text;
    enum id_kind kind;
} kinds[] = {
    { "canonical", ID, ID_KEY },
    { "upper case", "HW1EH7DDX5BKSRGCYTL7BKAI36SE4RE", ID_KEY },
    { "with dashes", "hw1-eh7d-dx5b-ksrg-cytl-7bka-i36s-e4re", ID_KEY },
    { "dashes anywhere", "-h-w-1eh7ddx5bksrgcytl7bkai36se4re--", ID_KEY },
    { "one character short", "hw1eh7ddx5bksrgcytl7bkai36se4r", ID_NONE },
    { "one too many", ID "e", ID_NONE },
    { "a digit outside base32", "hw1eh7ddx5bksrgcytl7bkai36se4r1", ID_NONE },
    { "a space inside", "hw1eh7ddx5bksrgcy tl7bkai36se4re", ID_NONE },
    { "another prefix is an alias", "hw2eh7ddx5bksrgcytl7bkai36se4re", ID_ALIAS },
    { "empty", "", ID_NONE },
    { "dashes only are an alias nobody will want", "------", ID_ALIAS },
    { "a vendor's", "CAM-000123-XYZ", ID_ALIAS },
    { "six characters", "ABC123", ID_ALIAS },
    { "five", "ABC12", ID_NONE },
    { "32", "abcdefghijklmnopqrstuvwxyz012345", ID_ALIAS },
    { "33", "abcdefghijklmnopqrstuvwxyz0123456", ID_NONE },
    { "an alias never begins with hw1", "hw1camera", ID_NONE },
    { "nor with HW1", "HW1camera", ID_NONE },
    { "nor with a hidden one", "h-w1camera", ID_NONE },
    { "no underscore", "camera_1", ID_NONE },
    { "no other letters", "kam\xc3\xa9ra", ID_NONE },
};

TEST(kinds_are_told_apart)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char out[ID_BYTES] = "untouched";

        CHECK(kinds[i].claim, id_kind_of(kinds[i].text) == kinds[i].kind);
        CHECK(kinds[i].claim, id_decode(out, kinds[i].text) == (kinds[i].kind == ID_KEY));
        CHECK(kinds[i].claim, strcmp(out, kinds[i].kind == ID_KEY ? ID : "untouched") == 0);
        CHECK(kinds[i].claim, id_is_canonical(kinds[i].text) == (i == 0));
    }
}

TEST(every_wrong_character_is_noticed)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

    for (size_t at = 3; at < ID_LEN; at++)
        for (size_t c = 0; c < 32; c++) {
            char text[] = ID;

            text[at] = alphabet[c];
            CHECK("only the right one", id_is_canonical(text) == (text[at] == ID[at]));
        }
}

TEST(every_exchange_of_two_is_noticed)
{
    for (size_t a = 3; a < ID_LEN; a++)
        for (size_t b = a + 1; b < ID_LEN; b++) {
            char text[] = ID;

            text[a] = ID[b];
            text[b] = ID[a];
            CHECK("unless they are equal", id_is_canonical(text) == (ID[a] == ID[b]));
        }
}

TEST(pretty_is_read_back)
{
    char pretty[ID_PRETTY_BYTES], id[ID_BYTES];

    CHECK("groups of four",
          strcmp(id_encode_pretty(pretty, ID), "hw1-eh7d-dx5b-ksrg-cytl-7bka-i36s-e4re") == 0);
    CHECK("the same again", id_decode(id, pretty) && strcmp(id, ID) == 0);
}

static const struct {
    const char *claim, *text, *plain; /* plain NULL: refused */
} base64_rows[] = {
    { "nothing", "", "" },
    { "RFC 4648 §10, one byte", "Zg", "f" },
    { "RFC 4648 §10, two bytes", "Zm8", "fo" },
    { "RFC 4648 §10, three bytes", "Zm9v", "foo" },
    { "RFC 4648 §10, six bytes", "Zm9vYmFy", "foobar" },
    { "the two that are not those of base64", "-_-_", "\xfb\xff\xbf" },
    { "a lone character", "Z", NULL },
    { "five characters", "Zm9vZ", NULL },
    { "padding", "Zg==", NULL },
    { "spare bits set, one byte", "Zh", NULL },
    { "spare bits set, two bytes", "Zm9", NULL },
    { "plus of plain base64", "+_-_", NULL },
    { "slash of plain base64", "-/-_", NULL },
    { "line end", "Zm9v\n", NULL },
    { "space", "Zm 9", NULL },
};

TEST(base64url_rows)
{
    for (size_t i = 0; i < COUNT(base64_rows); i++) {
        const char *plain = base64_rows[i].plain;
        char out[16], text[16];
        struct wr w = wr_of(out, sizeof out), t = wr_of(text, sizeof text);
        bool ok = base64url_decode(&w, bytes_of_string(base64_rows[i].text));

        CHECK(base64_rows[i].claim, ok == (plain != NULL));
        if (!plain)
            continue;
        CHECK(base64_rows[i].claim, bytes_equal(wr_written(&w), bytes_of_string(plain)));
        base64url_encode(&t, bytes_of_string(plain));
        CHECK(base64_rows[i].claim,
              bytes_equal(wr_written(&t), bytes_of_string(base64_rows[i].text)));
    }
}

TEST(base64url_stays_in_its_buffer)
{
    uint8_t out[4];
    char text[5];
    struct wr w = wr_of(out, 2), t = wr_of(text, 3);

    CHECK("three bytes do not fit two", !base64url_decode(&w, bytes_of_string("Zm9v")));
    base64url_encode(&t, bytes_of_string("foo"));
    CHECK("four characters do not fit three", !t.ok);
    CHECK("exactly three", base64url_decode_exact(out, 3, bytes_of_string("Zm9v")));
    CHECK("not four", !base64url_decode_exact(out, 4, bytes_of_string("Zm9v")));
    CHECK("not two", !base64url_decode_exact(out, 2, bytes_of_string("Zm9v")));
}

TESTS(TEST_ROW(the_id_of_a_key), TEST_ROW(kinds_are_told_apart),
      TEST_ROW(every_wrong_character_is_noticed), TEST_ROW(every_exchange_of_two_is_noticed),
      TEST_ROW(pretty_is_read_back), TEST_ROW(base64url_rows),
      TEST_ROW(base64url_stays_in_its_buffer))
