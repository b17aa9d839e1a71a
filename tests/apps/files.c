#include "apps/common/files.h"

#include "tests/check.h"
#include "tests/support/hex.h"

TEST(paths_stay_inside)
{
    static const struct {
        const char *claim, *path;
        bool ok;
    } rows[] = {
        { "a name", "clip.mp4", true },
        { "below", "2024/01/clip.mp4", true },
        { "dots in a name", "..clip", true },
        { "a hidden one", ".clip", true },
        { "other letters", "\xc3\xa9t\xc3\xa9", true },
        { "nothing", "", false },
        { "absolute", "/etc/passwd", false },
        { "up", "..", false },
        { "up in the middle", "a/../../b", false },
        { "up at the end", "a/..", false },
        { "here", ".", false },
        { "here in the middle", "a/./b", false },
        { "double slash", "a//b", false },
        { "slash at the end", "a/", false },
        { "a newline", "a\nb", false },
        { "delete", "a\x7f", false },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK(rows[i].claim, files_path_ok(rows[i].path) == rows[i].ok);
}

TEST(long_paths_are_refused)
{
    char path[1100];

    memset(path, 'a', sizeof path);
    path[255] = '\0';
    CHECK("255 bytes in a part", files_path_ok(path));
    path[255] = 'a';
    path[256] = '\0';
    CHECK("256", !files_path_ok(path));
    for (size_t i = 100; i < sizeof path; i += 100)
        path[i] = '/';
    path[256] = 'a';
    path[1023] = '\0';
    CHECK("1023 bytes in all", files_path_ok(path));
    path[1023] = 'a';
    path[1024] = '\0';
    CHECK("1024", !files_path_ok(path));
}

static size_t encode(const struct files_frame *f, uint8_t *buf, size_t cap)
{
    struct wr w = wr_of(buf, cap);

    files_encode(&w, f);
    if (f->kind == FILES_DATA)
        wr_bytes(&w, f->data);
    return wr_written(&w).len;
}

TEST(frames_come_back_as_they_went)
{
    static const uint8_t hash[FILES_HASH_BYTES] = { 1, 2, 3 };
    const struct files_frame frames[] = {
        { FILES_DATA, 7, 1 << 20, bytes_of("abc", 3) },
        { FILES_END, 7, 1 << 30, bytes_of(hash, sizeof hash) },
        { FILES_DONE, 0xffffffff, 0, bytes_of(NULL, 0) },
        { FILES_ABORT, 1, 0, bytes_of("disk full", 9) },
    };

    for (size_t i = 0; i < COUNT(frames); i++) {
        uint8_t buf[100];
        size_t len = encode(&frames[i], buf, sizeof buf);
        struct rd r = rd_of(bytes_of(buf, len));
        struct files_frame out;

        CHECK("the length is of all that follows", rd_u32(&r) == len - 4);
        CHECK("decoded", !files_decode(&out, rd_rest(&r)));
        CHECK("kind", out.kind == frames[i].kind && out.transfer == frames[i].transfer);
        CHECK("place", out.at == frames[i].at);
        CHECK("content", bytes_equal(out.data, frames[i].data));
    }
}

TEST(malformed_frames_are_refused)
{
    static const struct {
        const char *claim, *hex;
    } rows[] = {
        { "nothing", "" },
        { "kind 0", "00 00000001" },
        { "kind 5", "05 00000001" },
        { "transfer cut short", "03 000000" },
        { "data without offset", "01 00000001 00000000000000" },
        { "data without a byte", "01 00000001 0000000000000000" },
        { "offset out of range", "01 00000001 8000000000000000 00" },
        { "end without a hash", "02 00000001 0000000000000001" },
        { "a hash cut short", "02 00000001 0000000000000001 00112233" },
        { "a receipt with something in it", "03 00000001 00" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t buf[64];
        struct files_frame out;

        CHECK(rows[i].claim, files_decode(&out, hex_decode(rows[i].hex, buf, sizeof buf)));
    }
}

TEST(a_hash_is_readable)
{
    uint8_t hash[FILES_HASH_BYTES] = { 0x00, 0x0f, 0xff };
    char hex[2 * FILES_HASH_BYTES + 1];

    files_hash_to_hex(hash, hex);
    CHECK("begins", strncmp(hex, "000fff00", 8) == 0);
    CHECK("64 digits", strlen(hex) == 64);
}

TESTS(TEST_ROW(paths_stay_inside), TEST_ROW(long_paths_are_refused),
      TEST_ROW(frames_come_back_as_they_went), TEST_ROW(malformed_frames_are_refused),
      TEST_ROW(a_hash_is_readable))
