#include "io/endpoint.h"

#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_host_char(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* Takes "name:" or "name://" from the front, if what follows the colon is not a port. */
static const char *take_scheme(struct endpoint *e, const char *text)
{
    size_t len = 0;

    while (is_letter(text[len]) || (len > 0 && text[len] == '+'))
        len++;
    if (len == 0 || len >= sizeof e->scheme || text[len] != ':')
        return text;
    if (text[len + 1] >= '0' && text[len + 1] <= '9' && !strpbrk(text + len + 1, ".:"))
        return text; /* "localhost:3478" */
    for (size_t i = 0; i < len; i++)
        e->scheme[i] = text[i] == '+' ? '+' : (char)(text[i] | 0x20); /* ASCII lower case */
    text += len + 1;
    return strncmp(text, "//", 2) == 0 ? text + 2 : text;
}

static const char *take_host(struct endpoint *e, const char *text)
{
    const char *end;
    size_t len = 0;

    if (*text == '[') {
        text++;
        len = strspn(text, "0123456789abcdefABCDEF:.");
        end = text + len + 1;
        if (text[len] != ']')
            return NULL;
    } else {
        while (is_host_char(text[len]))
            len++;
        end = text + len;
    }
    if (len == 0 || len >= sizeof e->host)
        return NULL;
    memcpy(e->host, text, len);
    return end;
}

static const char *take_port(struct endpoint *e, const char *text)
{
    uint32_t port = 0;

    if (*text != ':')
        return text;
    for (text++; *text >= '0' && *text <= '9' && port <= UINT16_MAX; text++)
        port = 10 * port + (uint32_t)(*text - '0');
    if (port == 0 || port > UINT16_MAX)
        return NULL;
    e->port = (uint16_t)port;
    return text;
}

/* RFC 7065 §3.1. */
static const char *take_transport(struct endpoint *e, const char *text)
{
    static const struct {
        const char *text;
        enum endpoint_transport transport;
    } rows[] = { { "?transport=udp", ENDPOINT_UDP }, { "?transport=tcp", ENDPOINT_TCP } };

    if (strcmp(e->scheme, "turn") != 0 && strcmp(e->scheme, "turns") != 0)
        return text;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(text, rows[i].text) != 0)
            continue;
        e->transport = rows[i].transport;
        return text + strlen(text);
    }
    return text;
}

/* An absolute one; how long a socket's may be is the system's to say. */
static const char *take_path(struct endpoint *e, const char *text)
{
    size_t len = strlen(text);

    if (text[0] != '/' || len < 2 || len >= sizeof e->host)
        return NULL;
    memcpy(e->host, text, len);
    return text + len;
}

static const char *take_place(struct endpoint *e, const char *text)
{
    if (strcmp(e->scheme, "mqtt+unix") == 0)
        return take_path(e, text);
    text = take_host(e, text);
    if (text)
        text = take_port(e, text);
    if (text)
        text = take_transport(e, text);
    if (text && *text == '/')
        text++;
    return text;
}

int endpoint_parse(struct endpoint *out, const char *text)
{
    struct endpoint e = { .port = 0 };

    text = take_place(&e, take_scheme(&e, text));
    if (!text || *text)
        return ERR_INVALID;
    *out = e;
    return ERR_OK;
}
