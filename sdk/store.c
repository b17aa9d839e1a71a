#include "sdk/store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/token/base64url.h"
#include "io/loop.h"
#include "sdk/log.h"

#define PATH_MAX_BYTES 768
#define FILE_MAX       16384

_Static_assert(LAN_SECRET_BYTES == ID_PUBLIC_BYTES, "all are written and read by one pair");

bool label_is_valid(const char *label)
{
    size_t len = label ? strlen(label) : 0;
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-";

    if (len == 0 || len >= LABEL_BYTES || strspn(label, allowed) != len)
        return false;
    return strcmp(label, ".") != 0 && strcmp(label, "..") != 0; /* it names a directory */
}

static int fail(const char *path)
{
    log_line(HAWSER_LOG_ERROR, NULL, "%s: %s", path, strerror(errno));
    return errno == ENOMEM ? ERR_NOMEM : ERR_INVALID;
}

static int make_directory(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? ERR_OK : fail(path);
}

/* Makes home/sub, and home/sub/leaf unless leaf is NULL, and writes the last into path. */
static int make_directories(char path[PATH_MAX_BYTES], const char *home, const char *sub,
                            const char *leaf)
{
    if (snprintf(path, PATH_MAX_BYTES, "%s/%s/%s", home, sub, leaf ? leaf : "") >= PATH_MAX_BYTES)
        return ERR_INVALID;
    if (make_directory(home))
        return ERR_INVALID;
    (void)snprintf(path, PATH_MAX_BYTES, "%s/%s", home, sub);
    if (make_directory(path) || !leaf)
        return make_directory(path);
    (void)snprintf(path, PATH_MAX_BYTES, "%s/%s/%s", home, sub, leaf);
    return make_directory(path);
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_INVALID;
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd) ? ERR_INVALID : ERR_OK;
}

/* Writes beside the place and renames. `keep`: what is there already stays: ERR_WRONG_STATE. */
static int write_file(const char *path, const char *text, bool keep)
{
    char beside[PATH_MAX_BYTES + 32];
    struct rng rng = io_rng();
    int fd, err;

    (void)snprintf(beside, sizeof beside, "%s.%08x", path, rng_u32(&rng));
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(beside);
    err = write_all(fd, text, strlen(text));
    if (close(fd))
        err = ERR_INVALID;
    if (err == ERR_OK && keep && link(beside, path))
        err = errno == EEXIST ? ERR_WRONG_STATE : fail(path);
    else if (err == ERR_OK && !keep && rename(beside, path))
        err = fail(path);
    else if (err)
        err = fail(beside);
    if (keep || err)
        (void)unlink(beside);
    return err;
}

/* ERR_WRONG_STATE: there is none. The text is NUL-terminated and the caller's to wipe. */
static int read_file(const char *path, char out[FILE_MAX], size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    *len = 0;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_WRONG_STATE : fail(path);
    while ((n = read(fd, out + *len, FILE_MAX - 1 - *len)) > 0 || (n < 0 && errno == EINTR))
        *len += n > 0 ? (size_t)n : 0;
    out[*len] = '\0';
    if (n < 0)
        (void)fail(path);
    (void)close(fd);
    return n < 0 || *len == FILE_MAX - 1 ? ERR_INVALID : ERR_OK;
}

static int load_key(struct key **out, const char *path)
{
    char text[FILE_MAX];
    size_t len;
    int err = read_file(path, text, &len);

    while (err == ERR_OK && len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    if (err == ERR_OK) {
        err = key_decode(out, bytes_of(text, len));
        if (err == ERR_INVALID || err == ERR_AUTH)
            log_line(HAWSER_LOG_ERROR, NULL, "%s: not a private key", path);
    }
    OPENSSL_cleanse(text, sizeof text);
    return err == ERR_AUTH ? ERR_INVALID : err;
}

static int make_key(struct key **out, const char *path)
{
    struct rng rng = io_rng();
    char *text = NULL;
    int err = key_new(out, &rng);

    if (err)
        return err;
    err = key_encode(*out, &text);
    if (err == ERR_OK)
        err = write_file(path, text, true);
    key_text_free(text);
    if (err) {
        key_free(*out);
        *out = NULL;
    }
    return err;
}

int store_key(struct key **out, const char *home, const char *label)
{
    char directory[PATH_MAX_BYTES], path[PATH_MAX_BYTES + LABEL_BYTES + 8];
    int err = make_directories(directory, home, "keys", NULL);

    *out = NULL;
    if (err)
        return err;
    (void)snprintf(path, sizeof path, "%s/%s.json", directory, label);
    err = load_key(out, path);
    if (err == ERR_WRONG_STATE)
        err = make_key(out, path);
    if (err == ERR_WRONG_STATE) /* somebody else made it meanwhile */
        err = load_key(out, path);
    return err;
}

static int set_bytes(json_t *object, const char *name, const uint8_t bytes[ID_PUBLIC_BYTES])
{
    char text[BASE64URL_LEN(ID_PUBLIC_BYTES) + 1];
    struct wr w = wr_of(text, sizeof text);

    base64url_encode(&w, bytes_of(bytes, ID_PUBLIC_BYTES));
    return json_object_set_new(object, name, json_stringn(text, w.len));
}

int store_save_device(const struct device_record *record, const char *home, const char *label)
{
    char directory[PATH_MAX_BYTES], path[PATH_MAX_BYTES + ID_BYTES + 8];
    json_t *object = json_object();
    char *text = NULL;
    int err = make_directories(directory, home, "grants", label);

    if (!err && (json_object_set_new(object, "id", json_string(record->card.id)) ||
                 set_bytes(object, "ed25519", record->card.ed25519) ||
                 set_bytes(object, "x25519", record->card.x25519) ||
                 json_object_set_new(object, "card_iat", json_integer(record->card.iat_s)) ||
                 (record->grant && json_object_set(object, "grant", record->grant)) ||
                 (record->has_lan && set_bytes(object, "lan", record->lan)) ||
                 !(text = json_dumps(object, JSON_INDENT(1)))))
        err = ERR_NOMEM;
    if (!err) {
        (void)snprintf(path, sizeof path, "%s/%s.json", directory, record->card.id);
        err = write_file(path, text, false);
    }
    free(text);
    json_decref(object);
    return err;
}

static bool get_bytes(uint8_t out[ID_PUBLIC_BYTES], const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && base64url_decode_exact(out, ID_PUBLIC_BYTES, bytes_of_string(text));
}

static bool read_record(struct device_record *out, json_t *object, const char *id)
{
    json_t *grant = json_object_get(object, "grant");

    memcpy(out->card.id, id, ID_BYTES);
    out->card.iat_s = json_integer_value(json_object_get(object, "card_iat"));
    if (!get_bytes(out->card.ed25519, object, "ed25519") ||
        !get_bytes(out->card.x25519, object, "x25519") || !id_matches_key(id, out->card.ed25519))
        return false;
    if (grant && !json_is_array(grant))
        return false;
    out->has_lan = get_bytes(out->lan, object, "lan");
    out->grant = json_incref(grant);
    return true;
}

/* Jansson does not look whether its text buffer could grow, and reports other refused allocations
 * as errors of syntax. So it reads twice: what comes out alike is what the file says. */
static int parse(json_t **out, const char *text, size_t len)
{
    json_error_t error;
    json_t *again = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    bool is_alike;

    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    is_alike = *out ? json_equal(*out, again) : !again && *error.text;
    json_decref(again);
    if (*out && is_alike)
        return ERR_OK;
    json_decref(*out);
    *out = NULL;
    return is_alike ? ERR_INVALID : ERR_NOMEM;
}

int store_load_device(struct device_record *out, const char *home, const char *label,
                      const char *id)
{
    char path[PATH_MAX_BYTES], text[FILE_MAX];
    json_t *object = NULL;
    size_t len;
    int err;

    *out = (struct device_record){ .grant = NULL };
    if (snprintf(path, sizeof path, "%s/grants/%s/%s.json", home, label, id) >= (int)sizeof path)
        return ERR_INVALID;
    err = read_file(path, text, &len);
    if (err)
        return err;
    err = parse(&object, text, len);
    if (!err && !read_record(out, object, id))
        err = ERR_INVALID;
    json_decref(object);
    if (err == ERR_INVALID)
        log_line(HAWSER_LOG_ERROR, NULL, "%s: not the record of a device", path);
    return err;
}

static int read_config(json_t **out, const char *path)
{
    char text[FILE_MAX];
    size_t len;
    int err = read_file(path, text, &len);

    *out = NULL;
    if (err == ERR_WRONG_STATE)
        return (*out = json_object()) ? ERR_OK : ERR_NOMEM;
    return err ? err : parse(out, text, len);
}

int store_set_config(const char *home, const char *name, const char *value)
{
    char path[PATH_MAX_BYTES];
    char *text = NULL;
    json_t *config;
    int err;

    if (snprintf(path, sizeof path, "%s/config.json", home) >= (int)sizeof path)
        return ERR_INVALID;
    err = read_config(&config, path);
    if (!err && !json_is_object(config))
        err = ERR_INVALID;
    if (!err && (json_object_set_new(config, name, json_string(value)) ||
                 !(text = json_dumps(config, JSON_INDENT(4)))))
        err = ERR_NOMEM;
    if (!err)
        err = write_file(path, text, false);
    free(text);
    json_decref(config);
    return err;
}

void device_record_deinit(struct device_record *r)
{
    json_decref(r->grant);
    r->grant = NULL;
    OPENSSL_cleanse(r->lan, sizeof r->lan);
    r->has_lan = false;
}
