/* files.h: the frames of channel 5, in both directions.
 *
 *     | length 4 | kind 1 | transfer 4 | body |
 *                '----- length: at most FILES_FRAME_MAX
 *
 *     DATA:  offset in the file 8, bytes: the rest, 1 … FILES_DATA_MAX
 *     END:   size of the file 8, its SHA-256 32   (from the sender: that was all)
 *     DONE:  nothing                              (from the receiver: checked and stored)
 *     ABORT: text, UTF-8, at most FILES_TEXT_MAX  (from either: why it stops)
 *
 * A transfer is agreed on channel 0 ("get", "put"), which gives it its number. DATA frames follow
 * each other without gaps from the agreed offset. All numbers are big-endian. */
#ifndef HAWSER_APPS_COMMON_FILES_H
#define HAWSER_APPS_COMMON_FILES_H

#include "core/base/bytes.h"

#define FILES_DATA_MAX   65536
#define FILES_TEXT_MAX   200
#define FILES_HASH_BYTES 32
#define FILES_HEAD_BYTES (4 + 1 + 4 + 8) /* of DATA, up to its bytes */
#define FILES_FRAME_MAX  (1 + 4 + 8 + FILES_DATA_MAX)
#define FILES_SIZE_MAX   (UINT64_C(1) << 62)

enum files_kind { FILES_DATA = 1, FILES_END, FILES_DONE, FILES_ABORT };

struct files_frame {
    enum files_kind kind;
    uint32_t transfer;
    uint64_t at;       /* DATA: offset; END: size */
    struct bytes data; /* DATA: bytes; END: hash; ABORT: text. Borrowed. */
};

/* Reads what follows a length: NULL and *out, or what is wrong with it. */
const char *files_decode(struct files_frame *out, struct bytes body);

/* Writes length and frame. The bytes of DATA are counted, but not copied: they are sent next. */
void files_encode(struct wr *w, const struct files_frame *f);

/* Whether a path may name something in a served directory: relative, parts of 1…255 bytes joined
 * by single slashes, none "." or "..", no control characters, under 1024 bytes in all. */
bool files_path_ok(const char *path);

/* 64 hexadecimal digits and NUL. */
void files_hash_to_hex(const uint8_t hash[FILES_HASH_BYTES], char hex[2 * FILES_HASH_BYTES + 1]);

#endif
