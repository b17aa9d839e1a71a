#include "apps/common/files.h"

#include <stdio.h>

enum { PART_MAX = 255, PATH_BYTES_MAX = 1023 };

const char *files_decode(struct files_frame *out, struct bytes body)
{
    struct rd r = rd_of(body);

    *out = (struct files_frame){ 0 };
    out->kind = rd_u8(&r);
    out->transfer = rd_u32(&r);
    if (out->kind == FILES_DATA || out->kind == FILES_END)
        out->at = rd_u64(&r);
    out->data = rd_rest(&r);
    if (!r.ok)
        return "a file frame cut short";
    if (out->at > FILES_SIZE_MAX)
        return "a file offset out of range";
    switch (out->kind) {
    case FILES_DATA:
        return out->data.len && out->data.len <= FILES_DATA_MAX ? NULL : "file data of bad length";
    case FILES_END:
        return out->data.len == FILES_HASH_BYTES ? NULL : "a file end without its SHA-256";
    case FILES_DONE:
        return out->data.len ? "a file receipt with something in it" : NULL;
    case FILES_ABORT:
        return out->data.len <= FILES_TEXT_MAX ? NULL : "too long a reason to stop";
    }
    return "a file frame of unknown kind";
}

void files_encode(struct wr *w, const struct files_frame *f)
{
    bool places = f->kind == FILES_DATA || f->kind == FILES_END;
    size_t head = places ? 1 + 4 + 8 : 1 + 4;

    wr_u32(w, (uint32_t)(head + f->data.len));
    wr_u8(w, (uint8_t)f->kind);
    wr_u32(w, f->transfer);
    if (places)
        wr_u64(w, f->at);
    if (f->kind != FILES_DATA)
        wr_bytes(w, f->data);
}

static bool part_ok(const char *part, size_t len)
{
    if (len == 0 || len > PART_MAX || part[0] == '/')
        return false;
    if (part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.')))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)part[i] < 0x20 || part[i] == 0x7f)
            return false;
    return true;
}

bool files_path_ok(const char *path)
{
    if (strlen(path) > PATH_BYTES_MAX)
        return false;
    for (;;) {
        size_t len = strcspn(path, "/");

        if (!part_ok(path, len))
            return false;
        if (!path[len])
            return true;
        path += len + 1;
    }
}

void files_hash_to_hex(const uint8_t hash[FILES_HASH_BYTES], char hex[2 * FILES_HASH_BYTES + 1])
{
    for (size_t i = 0; i < FILES_HASH_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}
