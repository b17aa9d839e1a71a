#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/turn/client.h"

/* RFC 8489 §9.2.2, without the OpaqueString profile (deviations.md, T4). */
static bool make_key(const struct turn *t, struct bytes realm, uint8_t key[TURN_KEY_BYTES])
{
    uint8_t text[2 * TURN_CREDENTIAL_MAX + TURN_TEXT_MAX + 2];
    struct wr w = wr_of(text, sizeof text);
    bool made;

    wr_bytes(&w, bytes_of_string(t->username));
    wr_u8(&w, ':');
    wr_bytes(&w, realm);
    wr_u8(&w, ':');
    wr_bytes(&w, bytes_of_string(t->password));
    made = w.ok && EVP_Digest(text, w.len, key, NULL, EVP_md5(), NULL) == 1;
    OPENSSL_cleanse(text, sizeof text);
    return made;
}

static bool take_realm(struct turn *t, struct bytes realm)
{
    uint8_t key[TURN_KEY_BYTES];

    if (realm.len > sizeof t->realm || !make_key(t, realm, key))
        return false;
    memcpy(t->key, key, sizeof key);
    OPENSSL_cleanse(key, sizeof key);
    if (realm.len)
        memcpy(t->realm, realm.data, realm.len);
    t->realm_len = realm.len;
    return true;
}

/* RFC 8489 §9.2.5. The same realm again after a signed request means that the credentials are
 * wrong. Only before there is an allocation may the realm change: nobody signs these answers, and
 * whoever can read the wire could otherwise end it with one. */
static bool may_take_realm(const struct turn *t, const struct turn_ask *a, struct bytes realm)
{
    return !a->is_signed ||
           (t->state == TURN_ASKING && !bytes_equal(realm, bytes_of(t->realm, t->realm_len)));
}

/* True: the request is worth repeating with what this 401 or 438 brought. */
static bool take_challenge(struct turn *t, const struct turn_ask *a, const struct stun_msg *m)
{
    if (t->username[0] == '\0' || a->tries == TURN_TRIES_MAX || m->nonce.len == 0 ||
        m->nonce.len > sizeof t->nonce)
        return false;
    if (m->error_code == TURN_CODE_STALE_NONCE) {
        if (!a->is_signed)
            return false;
    } else if (m->error_code != TURN_CODE_UNAUTHENTICATED || !(m->has & STUN_HAS_REALM) ||
               !may_take_realm(t, a, m->realm) || !take_realm(t, m->realm)) {
        return false;
    }
    memcpy(t->nonce, m->nonce.data, m->nonce.len);
    t->nonce_len = m->nonce.len;
    t->has_key = true;
    return true;
}

/* RFC 8489 §9.2.5: a signed request has a signed answer. A refusal to let us in cannot be signed,
 * and believing it before there is anything to lose saves the wait; nor can errors be slipped into
 * a stream. */
static bool is_believable(const struct turn *t, const struct turn_ask *a, const struct stun_msg *m)
{
    if (!a->is_signed)
        return true;
    if (m->has & STUN_HAS_INTEGRITY)
        return stun_has_integrity(m, bytes_of(t->key, sizeof t->key));
    if (m->class != STUN_ERROR)
        return false;
    return t->cfg.stream ||
           (t->state == TURN_ASKING &&
            (m->error_code == TURN_CODE_UNAUTHENTICATED || m->error_code == TURN_CODE_STALE_NONCE));
}

/* An address of this machine or of one link only from a server that is there itself. */
static bool is_plausible(const struct turn *t, const struct addr *a)
{
    enum addr_scope scope = addr_scope_of(a);

    if (a->port == 0 || scope == ADDR_SCOPE_UNUSABLE)
        return false;
    return (scope != ADDR_SCOPE_LOOPBACK && scope != ADDR_SCOPE_LINK) ||
           scope == addr_scope_of(&t->cfg.server);
}

static uint32_t lifetime_of(const struct stun_msg *m)
{
    return m->has & STUN_HAS_LIFETIME ? m->lifetime_s : TURN_LIFETIME_S;
}

static void on_allocate_ok(struct turn *t, usec now, const struct stun_msg *m)
{
    if (!(m->has & STUN_HAS_RELAYED) || m->relayed.family != t->cfg.family ||
        !is_plausible(t, &m->relayed) || lifetime_of(m) == 0) {
        turn_fail(t, now, 0);
        return;
    }
    t->relayed = m->relayed;
    if (m->has & STUN_HAS_MAPPED && is_plausible(t, &m->mapped))
        t->mapped = m->mapped;
    turn_become_live(t, now, lifetime_of(m));
}

static void on_refresh_ok(struct turn *t, usec now, const struct stun_msg *m)
{
    if (lifetime_of(m) == 0)
        turn_fail(t, now, 0);
    else
        turn_become_live(t, now, lifetime_of(m));
}

static void on_allocate_error(struct turn *t, usec now, const struct stun_msg *m)
{
    if (m->error_code == TURN_CODE_TRY_ALTERNATE && m->has & STUN_HAS_ALTERNATE &&
        m->alternate.family == t->cfg.server.family && is_plausible(t, &m->alternate) &&
        !addr_equal(&m->alternate, &t->cfg.server))
        turn_redirect(t, now, &m->alternate);
    else
        turn_fail(t, now, m->error_code);
}

static void on_ok(struct turn *t, usec now, size_t i, const struct stun_msg *m)
{
    if (i > 0)
        turn_grant_on_ok(&t->grants[i - 1], now);
    else if (t->state == TURN_ASKING)
        on_allocate_ok(t, now, m);
    else
        on_refresh_ok(t, now, m);
}

/* 437 to anything but Allocate: the server knows nothing of us, it may have been restarted. */
static void on_error(struct turn *t, usec now, size_t i, const struct stun_msg *m)
{
    if (t->state == TURN_ASKING)
        on_allocate_error(t, now, m);
    else if (i == 0 || m->error_code == TURN_CODE_MISMATCH)
        turn_fail(t, now, m->error_code);
    else
        turn_grant_on_error(&t->grants[i - 1], now, m->error_code);
}

static size_t find_ask(struct turn *t, const struct stun_id *id)
{
    for (size_t i = 0; i < TURN_ASKS; i++) {
        const struct turn_ask *a = turn_ask_at(t, i);

        if (turn_ask_is_live(a) && stun_id_equal(&a->txn.id, id))
            return i;
    }
    return TURN_NONE;
}

enum verdict turn_on_response(struct turn *t, usec now, const struct stun_msg *m)
{
    size_t i = find_ask(t, &m->id);
    struct turn_ask *a;

    if (i == TURN_NONE || m->method != turn_ask_method(t, i))
        return VERDICT_UNEXPECTED;
    if (m->unknown_count || (m->class == STUN_ERROR && !(m->has & STUN_HAS_ERROR)))
        return VERDICT_MALFORMED;
    a = turn_ask_at(t, i);
    if (m->class == STUN_ERROR && take_challenge(t, a, m)) {
        a->tries++;
        turn_ask_anew(t, a, now);
        return VERDICT_TAKEN;
    }
    if (!is_believable(t, a, m)) {
        a->doubtful = m->error_code;
        return VERDICT_FORGED;
    }
    turn_ask_end(a);
    if (m->class == STUN_SUCCESS)
        on_ok(t, now, i, m);
    else
        on_error(t, now, i, m);
    return VERDICT_TAKEN;
}
