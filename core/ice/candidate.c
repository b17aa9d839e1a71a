#include <stdio.h>

#include "core/ice/ice.h"

#define TOKEN_MAX 256

static const char *const type_names[] = {
    [ICE_HOST] = "host",
    [ICE_SERVER_REFLEXIVE] = "srflx",
    [ICE_PEER_REFLEXIVE] = "prflx",
    [ICE_RELAYED] = "relay",
};

int ice_candidate_encode(const struct ice_candidate *c, char out[ICE_CANDIDATE_TEXT_MAX])
{
    struct addr addr = c->addr, related = c->related;
    char ip[ADDR_TEXT_MAX];
    int len;

    addr.scope = related.scope = 0; /* a zone is ours alone */
    if (addr.family == ADDR_NONE)
        return ERR_INVALID;
    len =
        snprintf(out, ICE_CANDIDATE_TEXT_MAX, "candidate:%s 1 udp %u %s %u typ %s", c->foundation,
                 (unsigned)c->priority, addr_format_ip(&addr, ip), addr.port, type_names[c->type]);
    if (related.family != ADDR_NONE)
        snprintf(out + len, ICE_CANDIDATE_TEXT_MAX - (size_t)len, " raddr %s rport %u",
                 addr_format_ip(&related, ip), related.port);
    return ERR_OK;
}

/* The line is text of the peer's: tokens are cut from it one by one; failing once is failing. */
struct line {
    const char *p;
    bool ok;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct line *l)
{
    while (is_blank(*l->p))
        l->p++;
}

static void next_token(struct line *l, char out[TOKEN_MAX])
{
    size_t len = 0;

    skip_blanks(l);
    while (l->p[len] && !is_blank(l->p[len])) {
        if (len == TOKEN_MAX - 1 || l->p[len] < ' ' || l->p[len] > '~') {
            l->ok = false;
            break;
        }
        len++;
    }
    if (len == 0)
        l->ok = false;
    memcpy(out, l->p, len);
    out[len] = '\0';
    l->p += len;
}

static uint32_t next_number(struct line *l, uint32_t most)
{
    char token[TOKEN_MAX];
    uint64_t value = 0;

    next_token(l, token);
    for (size_t i = 0; token[i]; i++) {
        if (token[i] < '0' || token[i] > '9' || i == 10)
            l->ok = false;
        value = value * 10 + (uint64_t)(token[i] - '0') % 10;
    }
    if (value > most)
        l->ok = false;
    return l->ok ? (uint32_t)value : 0;
}

static bool equal_fold(const char *text, const char *lower)
{
    size_t i = 0;

    for (; text[i] && lower[i]; i++) {
        char c = text[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != lower[i])
            return false;
    }
    return text[i] == lower[i];
}

static void skip_prefix(struct line *l, const char *prefix)
{
    if (strncmp(l->p, prefix, strlen(prefix)) == 0)
        l->p += strlen(prefix);
}

static bool is_foundation_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

static void read_foundation(struct line *l, char out[33])
{
    char token[TOKEN_MAX];
    size_t len = 0;

    next_token(l, token);
    while (is_foundation_char(token[len]))
        len++;
    if (token[len] || len > 32) {
        l->ok = false;
        return;
    }
    memcpy(out, token, len + 1);
}

/* A host name of any kind: a .local one from a browser, or any other. We look none up. */
static bool is_name(const char *token)
{
    bool has_letter = false;

    for (; *token; token++) {
        bool is_letter = (*token >= 'a' && *token <= 'z') || (*token >= 'A' && *token <= 'Z');

        has_letter |= is_letter;
        if (!is_letter && !(*token >= '0' && *token <= '9') && *token != '.' && *token != '-' &&
            *token != '_')
            return false;
    }
    return has_letter;
}

/* Sets *is_foreign where the address is well formed but a name. */
static void read_addr(struct line *l, struct addr *out, bool *is_foreign)
{
    char token[TOKEN_MAX];
    struct addr a = { 0 };
    uint16_t port;

    next_token(l, token);
    port = (uint16_t)next_number(l, 65535);
    if (addr_parse_ip(&a, token, port))
        *out = (a.scope = 0, a);
    else if (is_name(token))
        *is_foreign = true;
    else
        l->ok = false;
}

static void read_type(struct line *l, struct ice_candidate *c, bool *is_foreign)
{
    char token[TOKEN_MAX];

    next_token(l, token);
    if (strcmp(token, "typ") != 0)
        l->ok = false;
    next_token(l, token);
    for (size_t i = 0; i < COUNT(type_names); i++) {
        if (strcmp(token, type_names[i]) != 0)
            continue;
        c->type = (enum ice_type)i;
        return;
    }
    *is_foreign = true; /* RFC 8839 §5.1: a type of the future */
}

/* What follows comes in twos, name and value; only raddr and rport mean something to us. A related
 * address may be a name or 0.0.0.0 (hidden on purpose): then there is none. */
static void read_extensions(struct line *l, struct ice_candidate *c)
{
    char name[TOKEN_MAX], value[TOKEN_MAX];
    struct addr related = { 0 };
    struct line number;

    for (skip_blanks(l); l->ok && *l->p; skip_blanks(l)) {
        next_token(l, name);
        skip_blanks(l);
        number = *l;
        next_token(l, value);
        if (strcmp(name, "raddr") == 0)
            addr_parse_ip(&related, value, related.port);
        if (strcmp(name, "rport") == 0) {
            related.port = (uint16_t)next_number(&number, 65535);
            l->ok = l->ok && number.ok;
        }
    }
    related.scope = 0;
    if (related.family != ADDR_NONE && addr_scope_of(&related) != ADDR_SCOPE_UNUSABLE)
        c->related = related;
}

int ice_candidate_decode(struct ice_candidate *out, const char *line)
{
    struct line l = { .p = line, .ok = true };
    struct ice_candidate c = { 0 };
    char transport[TOKEN_MAX];
    bool is_foreign = false;
    uint32_t component;

    skip_blanks(&l);
    skip_prefix(&l, "a=");
    skip_prefix(&l, "candidate:");
    read_foundation(&l, c.foundation);
    component = next_number(&l, 256);
    next_token(&l, transport);
    c.priority = next_number(&l, INT32_MAX);
    read_addr(&l, &c.addr, &is_foreign);
    read_type(&l, &c, &is_foreign);
    read_extensions(&l, &c);
    if (!l.ok || component == 0 || c.priority == 0)
        return ERR_INVALID;
    if (is_foreign || component != 1 || !equal_fold(transport, "udp"))
        return ERR_WRONG_STATE;
    if (c.addr.port == 0)
        return ERR_INVALID;
    *out = c;
    return ERR_OK;
}
