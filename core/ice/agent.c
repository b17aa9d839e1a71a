#include <assert.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "core/ice/agent.h"

#define UFRAG_MADE 8
#define PWD_MADE   24

/* Row: from; bits: to. CHECKING to CHECKING never happens, a lost path leads back to it. */
static const uint8_t may_become[ICE_STATES] = {
    [ICE_NEW] = 1 << ICE_CHECKING,
    [ICE_CHECKING] = 1 << ICE_CONNECTED | 1 << ICE_FAILED,
    [ICE_CONNECTED] = 1 << ICE_CHECKING,
    [ICE_FAILED] = 0,
};

void ice_enter(struct ice *a, enum ice_state to, usec now)
{
    assert(may_become[a->state] & 1 << to);
    a->state = to;
    a->fail_at = to == ICE_CHECKING ? now + a->cfg.fail_after_us : USEC_NEVER;
}

void ice_tell(struct ice *a, enum ice_path_news news, usec now)
{
    a->news = (uint8_t)news;
    a->news_at = now;
}

/* A pace is a bucket of ICE_BURST sends that one Ta refills by one; full_at is when it is full.
 * Returns when the next send is allowed. */
usec ice_pace_next(const struct ice *a, usec full_at)
{
    return full_at - (ICE_BURST - 1) * a->cfg.pacing_us;
}

void ice_pace_take(const struct ice *a, usec *full_at, usec now)
{
    *full_at = usec_max(*full_at, now) + a->cfg.pacing_us;
}

/* RFC 8839 §5.4: ice-char is a letter, a digit, + or /. */
static bool is_ice_chars(const char *text, size_t len_min, size_t len_max)
{
    size_t len = 0;

    for (; len <= len_max && text[len]; len++) {
        char c = text[len];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/'))
            return false;
    }
    return len >= len_min && len <= len_max;
}

static bool is_credentials(const char *ufrag, const char *pwd)
{
    return is_ice_chars(ufrag, 4, ICE_UFRAG_MAX) && is_ice_chars(pwd, 22, ICE_PWD_MAX);
}

static char *given_or_made(const char *given, size_t made_len, const struct rng *rng)
{
    char *text;

    if (given)
        return strdup(given);
    text = malloc(made_len + 1);
    if (text)
        rng_ice_chars(rng, text, made_len);
    return text;
}

static usec or_default(usec given, usec otherwise)
{
    return given > 0 ? given : otherwise;
}

static void fill_config(struct ice_config *to, const struct ice_config *from)
{
    *to = (struct ice_config){
        .controlling = from->controlling,
        .pacing_us = or_default(from->pacing_us, 50 * MILLISECOND),
        .check_rto_us = or_default(from->check_rto_us, 100 * MILLISECOND),
        .fail_after_us = or_default(from->fail_after_us, 15 * SECOND),
        .consent_interval_us = or_default(from->consent_interval_us, 5 * SECOND),
        .consent_timeout_us = or_default(from->consent_timeout_us, 30 * SECOND),
    };
}

int ice_new(struct ice **out, const struct ice_config *cfg, const struct rng *rng)
{
    struct ice *a;

    *out = NULL;
    if ((cfg->ufrag && !is_ice_chars(cfg->ufrag, 4, ICE_UFRAG_MAX)) ||
        (cfg->pwd && !is_ice_chars(cfg->pwd, 22, ICE_PWD_MAX)))
        return ERR_INVALID;
    a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NOMEM;
    a->rng = rng; /* borrowed: must outlive a */
    fill_config(&a->cfg, cfg);
    a->is_controlling = cfg->controlling;
    a->tie_breaker = rng_u64(rng);
    a->selected = ICE_NONE;
    a->fail_at = USEC_NEVER;
    a->suspect_at = a->suspect_next_at = a->retry_at = USEC_NEVER;
    a->checks_full_at = a->queries_full_at = a->unanswered_full_at = INT64_MIN / 2;
    a->active_at = a->data_at = a->suspected_at = a->reflexive_at = INT64_MIN / 2;
    a->nomination_acked = true;
    for (size_t i = 0; i < ICE_QUERIES_MAX; i++)
        stun_txn_init(&a->queries[i].txn);
    a->ufrag = given_or_made(cfg->ufrag, UFRAG_MADE, rng);
    a->pwd = given_or_made(cfg->pwd, PWD_MADE, rng);
    if (!a->ufrag || !a->pwd) {
        ice_free(a);
        return ERR_NOMEM;
    }
    *out = a;
    return ERR_OK;
}

static void free_secret(char *text)
{
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void ice_free(struct ice *a)
{
    if (!a)
        return;
    free(a->ufrag);
    free(a->remote_ufrag);
    free_secret(a->pwd);
    free_secret(a->remote_pwd);
    free(a->pairs);
    free(a);
}

const char *ice_ufrag(const struct ice *a)
{
    return a->ufrag;
}

const char *ice_pwd(const struct ice *a)
{
    return a->pwd;
}

bool ice_is_controlling(const struct ice *a)
{
    return a->is_controlling;
}

const struct verdicts *ice_verdicts(const struct ice *a)
{
    return &a->verdicts;
}

int ice_set_remote(struct ice *a, usec now, const char *ufrag, const char *pwd)
{
    char *own_ufrag, *own_pwd;

    if (!is_credentials(ufrag, pwd))
        return ERR_INVALID;
    if (a->remote_ufrag) /* the same again changes nothing */
        return strcmp(ufrag, a->remote_ufrag) == 0 && strcmp(pwd, a->remote_pwd) == 0
                   ? ERR_OK
                   : ERR_WRONG_STATE;
    own_ufrag = strdup(ufrag);
    own_pwd = strdup(pwd);
    if (!own_ufrag || !own_pwd) {
        free(own_ufrag);
        free_secret(own_pwd);
        return ERR_NOMEM;
    }
    a->remote_ufrag = own_ufrag;
    a->remote_pwd = own_pwd;
    ice_enter(a, ICE_CHECKING, now);
    ice_tick(a, now);
    return ERR_OK;
}

void ice_set_abilities(struct ice *a, unsigned abilities)
{
    a->abilities = abilities;
}

void ice_end_local(struct ice *a, usec now)
{
    a->local_ended = true;
    ice_tick(a, now);
}

void ice_end_remote(struct ice *a, usec now)
{
    a->remote_ended = true;
    ice_tick(a, now);
}

/* Before giving up, a path that works but was never nominated is better than none. */
static void on_no_time_left(struct ice *a, usec now)
{
    enum ice_path_news news = a->had_path ? ICE_NEWS_LOST : ICE_NEWS_FAILED;

    ice_drop_selected(a, now);
    if (a->state == ICE_CONNECTED)
        return;
    ice_enter(a, ICE_FAILED, now);
    ice_tell(a, news, now);
}

/* While there was a path, a restart may still bring new candidates. */
static bool is_hopeless(const struct ice *a)
{
    return a->remote_ended && !a->had_path && !ice_is_gathering(a) && ice_all_pairs_failed(a);
}

void ice_tick(struct ice *a, usec now)
{
    if (a->state == ICE_FAILED)
        return;
    ice_gather_tick(a, now);
    ice_consent_tick(a, now);
    ice_suspect_tick(a, now);
    ice_retry_tick(a, now);
    ice_checks_tick(a, now);
    if (a->state == ICE_CHECKING && (now >= a->fail_at || is_hopeless(a)))
        on_no_time_left(a, now);
}

usec ice_next_timeout(const struct ice *a)
{
    usec at = a->fail_at;

    if (a->state == ICE_FAILED)
        return USEC_NEVER;
    at = usec_min(at, ice_gather_next_timeout(a));
    at = usec_min(at, ice_checks_next_timeout(a));
    at = usec_min(at, ice_suspect_next_timeout(a));
    at = usec_min(at, ice_retry_at(a));
    return usec_min(at, ice_consent_next_timeout(a));
}

bool ice_poll_output(struct ice *a, struct out *out)
{
    if (a->state == ICE_FAILED)
        return false;
    a->has_sent_sped = false;
    return ice_answers_poll(a, out) || ice_checks_poll(a, out) || ice_gather_poll(a, out);
}
