#include "core/token/invite.h"

#include <openssl/crypto.h>

#include "core/token/base64url.h"

#define SCHEME      "hawser:"
#define SCHEME_LEN  7
#define VERSION     1
#define FIXED_BYTES (1 + 2 * ID_PUBLIC_BYTES + INVITE_SECRET_BYTES + 4)
#define WIRE_MAX    (FIXED_BYTES + INVITE_BROKER_BYTES - 1)

static struct bytes write_wire(const struct invite *in, uint8_t wire[WIRE_MAX])
{
    struct wr w = wr_of(wire, WIRE_MAX);

    wr_u8(&w, VERSION);
    wr_bytes(&w, bytes_of(in->card.ed25519, ID_PUBLIC_BYTES));
    wr_bytes(&w, bytes_of(in->card.x25519, ID_PUBLIC_BYTES));
    wr_bytes(&w, bytes_of(in->secret, INVITE_SECRET_BYTES));
    wr_u32(&w, (uint32_t)in->exp_s);
    wr_bytes(&w, bytes_of_string(in->broker));
    return wr_written(&w);
}

int invite_encode(const struct invite *in, char out[INVITE_TEXT_BYTES])
{
    uint8_t wire[WIRE_MAX];
    struct wr w = wr_of(out, INVITE_TEXT_BYTES);

    if (!id_matches_key(in->card.id, in->card.ed25519) || in->exp_s < 0 || in->exp_s > UINT32_MAX ||
        strnlen(in->broker, sizeof in->broker) == sizeof in->broker)
        return ERR_INVALID;
    wr_bytes(&w, bytes_of_string(SCHEME));
    wr_bytes(&w, bytes_of_string(in->card.id));
    wr_u8(&w, '/');
    base64url_encode(&w, write_wire(in, wire));
    wr_u8(&w, 0);
    OPENSSL_cleanse(wire, sizeof wire);
    return w.ok ? ERR_OK : ERR_LIMIT;
}

/* Printable ASCII only: it is shown to people and handed to a URL parser. */
static bool take_broker(char out[INVITE_BROKER_BYTES], struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

static bool read_wire(struct invite *out, struct bytes wire)
{
    struct rd r = rd_of(wire);
    bool is_known = rd_u8(&r) == VERSION;
    struct bytes ed25519 = rd_bytes(&r, ID_PUBLIC_BYTES), x25519 = rd_bytes(&r, ID_PUBLIC_BYTES);
    struct bytes secret = rd_bytes(&r, INVITE_SECRET_BYTES);

    out->exp_s = rd_u32(&r);
    if (!r.ok || !is_known)
        return false;
    memcpy(out->card.ed25519, ed25519.data, ed25519.len);
    memcpy(out->card.x25519, x25519.data, x25519.len);
    memcpy(out->secret, secret.data, secret.len);
    return take_broker(out->broker, rd_rest(&r)); /* the wire's limit is the broker's, too */
}

static struct bytes trim(const char *text)
{
    size_t len;

    while (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n')
        text++;
    len = strnlen(text, INVITE_TEXT_BYTES);
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    return bytes_of(text, len);
}

/* Takes "hawser:" and the ID up to the slash; what is left in r is the rest. */
static bool take_id(struct rd *r, char id[ID_BYTES])
{
    char typed[INVITE_TEXT_BYTES];
    struct bytes scheme = rd_bytes(r, SCHEME_LEN), text;
    const uint8_t *slash = r->ok ? memchr(r->p, '/', rd_left(r)) : NULL;

    if (!slash || memcmp(scheme.data, SCHEME, SCHEME_LEN) != 0)
        return false;
    text = rd_bytes(r, (size_t)(slash - r->p));
    rd_skip(r, 1);
    memcpy(typed, text.data, text.len); /* shorter than the whole, which trim() has bounded */
    typed[text.len] = '\0';
    return id_decode(id, typed);
}

int invite_decode(struct invite *out, const char *text)
{
    uint8_t wire[WIRE_MAX];
    struct wr w = wr_of(wire, sizeof wire);
    struct rd r = rd_of(trim(text));
    struct invite in = { .exp_s = 0 };
    bool ok = take_id(&r, in.card.id) && base64url_decode(&w, rd_rest(&r)) &&
              read_wire(&in, wr_written(&w)) && id_matches_key(in.card.id, in.card.ed25519);

    if (ok)
        *out = in;
    OPENSSL_cleanse(wire, sizeof wire);
    OPENSSL_cleanse(&in, sizeof in);
    return ok ? ERR_OK : ERR_INVALID;
}

void invite_deinit(struct invite *in)
{
    OPENSSL_cleanse(in, sizeof *in);
}
