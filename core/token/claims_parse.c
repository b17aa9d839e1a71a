#include <openssl/crypto.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/token/claims.h"

struct parser {
    struct rd r;
    int depth;
    int err;      /* what came first */
    uint8_t *buf; /* where strings are decoded: as long as the whole text */
    size_t cap;
};

static json_t *parse_value(struct parser *p);

static json_t *fail(struct parser *p, int err)
{
    if (!p->err)
        p->err = err;
    return NULL;
}

/* A value made by jansson, or its failure: what it is made of has been checked. */
static json_t *made(struct parser *p, json_t *value)
{
    return value ? value : fail(p, ERR_NOMEM);
}

static int peek(const struct rd *r)
{
    return rd_left(r) ? *r->p : -1;
}

static void skip_space(struct rd *r)
{
    while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r')
        rd_skip(r, 1);
}

/* Takes the character if it comes next. */
static bool take(struct parser *p, char c)
{
    skip_space(&p->r);
    if (peek(&p->r) != c)
        return false;
    rd_skip(&p->r, 1);
    return true;
}

/* How many bytes follow this first byte of a character; -1 if none begins so (RFC 3629 §4). */
static int continuation_count(uint8_t first)
{
    if (first < 0x80)
        return 0;
    if (first >= 0xc2 && first <= 0xdf)
        return 1;
    if (first >= 0xe0 && first <= 0xef)
        return 2;
    return first >= 0xf0 && first <= 0xf4 ? 3 : -1;
}

/* Neither overlong forms nor surrogates nor anything beyond U+10FFFF. */
static bool is_utf8(struct bytes text)
{
    struct rd r = rd_of(text);

    while (r.ok && rd_left(&r)) {
        uint8_t first = rd_u8(&r), second = (uint8_t)(peek(&r) & 0xff);
        int count = continuation_count(first);

        if (count < 0 || (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
            (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
            return false;
        for (; count > 0; count--)
            if ((rd_u8(&r) & 0xc0) != 0x80)
                return false;
    }
    return r.ok;
}

static void write_utf8(struct wr *w, uint32_t c)
{
    if (c < 0x80) {
        wr_u8(w, (uint8_t)c);
    } else if (c < 0x800) {
        wr_u8(w, (uint8_t)(0xc0 | c >> 6));
    } else if (c < 0x10000) {
        wr_u8(w, (uint8_t)(0xe0 | c >> 12));
        wr_u8(w, (uint8_t)(0x80 | (c >> 6 & 63)));
    } else {
        wr_u8(w, (uint8_t)(0xf0 | c >> 18));
        wr_u8(w, (uint8_t)(0x80 | (c >> 12 & 63)));
        wr_u8(w, (uint8_t)(0x80 | (c >> 6 & 63)));
    }
    if (c >= 0x80)
        wr_u8(w, (uint8_t)(0x80 | (c & 63)));
}

static bool read_hex4(struct rd *r, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = rd_u8(r), letter = c | 0x20;

        if (c >= '0' && c <= '9')
            *out = *out << 4 | (uint32_t)(c - '0');
        else if (letter >= 'a' && letter <= 'f')
            *out = *out << 4 | (uint32_t)(letter - 'a' + 10);
        else
            return false;
    }
    return r->ok;
}

/* After "\u": one unit, or a pair of surrogates. */
static bool read_unicode(struct rd *r, struct wr *w)
{
    uint32_t c, low;

    if (!read_hex4(r, &c) || c == 0 || (c >= 0xdc00 && c <= 0xdfff))
        return false;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (rd_u8(r) != '\\' || rd_u8(r) != 'u' || !read_hex4(r, &low) || low < 0xdc00 ||
            low > 0xdfff)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    write_utf8(w, c);
    return true;
}

static bool read_escape(struct rd *r, struct wr *w)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint8_t c = rd_u8(r);
    const char *at = c ? strchr(names, c) : NULL;

    if (c == 'u')
        return read_unicode(r, w);
    if (at)
        wr_u8(w, (uint8_t)meanings[at - names]);
    return at != NULL;
}

/* After the opening quote, up to and with the closing one. */
static bool read_string(struct rd *r, struct wr *w)
{
    for (;;) {
        uint8_t c = rd_u8(r);

        if (!r->ok || c < 0x20 || !w->ok)
            return false;
        if (c == '"')
            return true;
        if (c != '\\')
            wr_u8(w, c);
        else if (!read_escape(r, w))
            return false;
    }
}

static json_t *parse_string(struct parser *p)
{
    struct wr w = wr_of(p->buf, p->cap);

    if (!read_string(&p->r, &w))
        return fail(p, ERR_INVALID);
    return made(p, json_stringn_nocheck((const char *)w.data, w.len));
}

static json_t *parse_number(struct parser *p)
{
    bool is_negative = take(p, '-');
    int64_t value = 0;
    int digits = 0;

    for (; peek(&p->r) >= '0' && peek(&p->r) <= '9'; digits++) {
        if ((digits > 0 && value == 0) || value > CLAIMS_INT_MAX / 10)
            return fail(p, ERR_INVALID);
        value = value * 10 + (rd_u8(&p->r) - '0');
    }
    if (digits == 0 || value > CLAIMS_INT_MAX)
        return fail(p, ERR_INVALID);
    return made(p, json_integer(is_negative ? -value : value));
}

static json_t *parse_word(struct parser *p, const char *word, json_t *value)
{
    struct bytes wanted = bytes_of_string(word);

    return bytes_equal(rd_bytes(&p->r, wanted.len), wanted) ? value : fail(p, ERR_INVALID);
}

/* Adds one element and takes the comma or the bracket behind it; false at the end or on failure. */
static bool add_element(struct parser *p, json_t *list)
{
    json_t *value = parse_value(p);

    if (value && json_array_append_new(list, value) != 0)
        fail(p, ERR_NOMEM);
    if (!p->err && take(p, ','))
        return true;
    if (!p->err && !take(p, ']'))
        fail(p, ERR_INVALID);
    return false;
}

static json_t *parse_array(struct parser *p)
{
    json_t *list = made(p, json_array());

    if (list && !take(p, ']'))
        while (add_element(p, list))
            continue;
    return list;
}

/* The same for a member. */
static bool add_member(struct parser *p, json_t *object)
{
    char name[CLAIMS_NAME_MAX + 1];
    struct wr w = wr_of(name, CLAIMS_NAME_MAX);
    json_t *value = NULL;

    if (!take(p, '"') || !read_string(&p->r, &w) || !take(p, ':'))
        return fail(p, ERR_INVALID);
    name[w.len] = '\0';
    if (json_object_get(object, name))
        return fail(p, ERR_INVALID);
    value = parse_value(p);
    if (value && json_object_set_new_nocheck(object, name, value) != 0)
        fail(p, ERR_NOMEM);
    if (!p->err && take(p, ','))
        return true;
    if (!p->err && !take(p, '}'))
        fail(p, ERR_INVALID);
    return false;
}

static json_t *parse_object(struct parser *p)
{
    json_t *object = made(p, json_object());

    if (object && !take(p, '}'))
        while (add_member(p, object))
            continue;
    return object;
}

/* NULL, or a value that is complete unless p->err says otherwise. */
static json_t *parse_nested(struct parser *p, json_t *(*parse)(struct parser *))
{
    json_t *value;

    if (p->depth == CLAIMS_DEPTH_MAX)
        return fail(p, ERR_INVALID);
    rd_skip(&p->r, 1);
    p->depth++;
    value = parse(p);
    p->depth--;
    if (!p->err)
        return value;
    json_decref(value);
    return NULL;
}

static json_t *parse_value(struct parser *p)
{
    skip_space(&p->r);
    switch (peek(&p->r)) {
    case '{':
        return parse_nested(p, parse_object);
    case '[':
        return parse_nested(p, parse_array);
    case '"':
        rd_skip(&p->r, 1);
        return parse_string(p);
    case 't':
        return parse_word(p, "true", json_true());
    case 'f':
        return parse_word(p, "false", json_false());
    case 'n':
        return parse_word(p, "null", json_null());
    default:
        return parse_number(p);
    }
}

int claims_decode(json_t **out, struct bytes text)
{
    struct parser p = { .r = rd_of(text), .cap = text.len };
    json_t *value = NULL;

    *out = NULL;
    if (!is_utf8(text))
        return ERR_INVALID;
    p.buf = malloc(text.len + 1);
    if (!p.buf)
        return ERR_NOMEM;
    value = parse_value(&p);
    skip_space(&p.r);
    if (!p.err && (rd_left(&p.r) || !json_is_object(value)))
        fail(&p, ERR_INVALID);
    OPENSSL_cleanse(p.buf, p.cap);
    free(p.buf);
    if (!p.err)
        *out = value;
    else
        json_decref(value);
    return p.err;
}
