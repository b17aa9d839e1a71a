/* description.c: an offer or answer as JSON.
 *
 *     {"ufrag":"…","pwd":"…","fingerprint":"sha-256 AB:CD:…","setup":"actpass|active|passive",
 *      "candidates":["candidate:1 1 udp …",…],
 *      "options":["trickle","hawser1","sped","renomination"],
 *      "sctp_init":"base64url of an INIT chunk","answers":"ufrag"} */
#include <stdio.h>

#include "core/session/session.h"
#include "core/token/base64url.h"
#include "core/token/claims.h"

#define INIT_TEXT (BASE64URL_LEN(SCTP_INIT_MAX) + 1)

static const char *const option_names[] = { "trickle", "hawser1", "sped", "renomination" };

/* The flag of an option: trickle is RFC 8839 §5.7, sped draft-hancke-webrtc-sped, renomination
 * draft-thatcher-ice-renomination; hawser1 is ours. */
static bool *option_flag(struct session_description *d, size_t i)
{
    bool *const flags[] = { &d->is_trickle, &d->is_hawser, &d->has_sped, &d->has_renomination };

    return flags[i];
}

static const char *const setups[] = {
    [SESSION_ACTPASS] = "actpass",
    [SESSION_ACTIVE] = "active",
    [SESSION_PASSIVE] = "passive",
};

#define FINGERPRINT_PREFIX "sha-256 "
#define FINGERPRINT_TEXT   (sizeof FINGERPRINT_PREFIX - 1 + 3 * DTLS_FINGERPRINT_BYTES)

static void fingerprint_encode(const uint8_t in[DTLS_FINGERPRINT_BYTES], char *out)
{
    size_t len = (size_t)snprintf(out, FINGERPRINT_TEXT, "%s", FINGERPRINT_PREFIX);

    for (size_t i = 0; i < DTLS_FINGERPRINT_BYTES; i++)
        len += (size_t)snprintf(out + len, FINGERPRINT_TEXT - len, "%s%02X", i ? ":" : "", in[i]);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool fingerprint_decode(uint8_t out[DTLS_FINGERPRINT_BYTES], const char *text)
{
    if (strlen(text) != FINGERPRINT_TEXT - 1 ||
        memcmp(text, FINGERPRINT_PREFIX, sizeof FINGERPRINT_PREFIX - 1) != 0)
        return false;
    text += sizeof FINGERPRINT_PREFIX - 1;
    for (size_t i = 0; i < DTLS_FINGERPRINT_BYTES; i++, text += 3) {
        int high = hex_digit(text[0]), low = hex_digit(text[1]);

        if (high < 0 || low < 0 || text[2] != (i + 1 < DTLS_FINGERPRINT_BYTES ? ':' : '\0'))
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static json_t *candidates_encode(const struct session_description *d)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < d->candidate_count; i++) {
        char line[ICE_CANDIDATE_TEXT_MAX];

        if (ice_candidate_encode(&d->candidates[i], line) ||
            json_array_append_new(list, json_string(line))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *options_encode(const struct session_description *d)
{
    const bool flags[] = { d->is_trickle, d->is_hawser, d->has_sped, d->has_renomination };
    json_t *list = json_array();

    for (size_t i = 0; list && i < COUNT(flags); i++) {
        if (flags[i] && json_array_append_new(list, json_string(option_names[i]))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* The members that are not always there. */
static bool add_extras(json_t *object, const struct session_description *d)
{
    char text[INIT_TEXT] = "";
    struct wr w = wr_of(text, sizeof text - 1);

    base64url_encode(&w, bytes_of(d->init, d->init_len));
    if (d->init_len && (!w.ok || json_object_set_new(object, "sctp_init", json_string(text))))
        return false;
    return !d->answers[0] || json_object_set_new(object, "answers", json_string(d->answers)) == 0;
}

int session_description_to_json(const struct session_description *d, json_t **out)
{
    char fingerprint[FINGERPRINT_TEXT];
    json_t *candidates = candidates_encode(d), *options = options_encode(d);

    fingerprint_encode(d->fingerprint, fingerprint);
    *out = NULL;
    if (candidates && options)
        *out = json_pack("{s:s, s:s, s:s, s:s, s:O, s:O}", "ufrag", d->ufrag, "pwd", d->pwd,
                         "fingerprint", fingerprint, "setup", setups[d->setup], "candidates",
                         candidates, "options", options);
    json_decref(candidates);
    json_decref(options);
    if (*out && !add_extras(*out, d)) {
        json_decref(*out);
        *out = NULL;
    }
    return *out ? ERR_OK : ERR_NOMEM;
}

int session_description_encode(const struct session_description *d, char **json)
{
    json_t *object;
    int err = session_description_to_json(d, &object);

    *json = NULL;
    if (!err)
        err = claims_encode(object, json);
    json_decref(object);
    return err;
}

static bool string_decode(char *out, size_t cap, const char *text)
{
    size_t len = strlen(text);

    if (len >= cap)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

static bool setup_decode(enum session_setup *out, const char *text)
{
    for (size_t i = 0; i < COUNT(setups); i++) {
        if (strcmp(text, setups[i]) == 0) {
            *out = (enum session_setup)i;
            return true;
        }
    }
    return false;
}

/* More candidates than the table holds are left out, as the agent would refuse them anyway. */
static bool candidates_decode(struct session_description *out, const json_t *list)
{
    size_t i;
    json_t *line;

    json_array_foreach(list, i, line)
    {
        if (!json_is_string(line))
            return false;
        if (out->candidate_count == ICE_CANDIDATES_MAX)
            return true;
        int err =
            ice_candidate_decode(&out->candidates[out->candidate_count], json_string_value(line));

        if (err && err != ERR_WRONG_STATE)
            return false;
        out->candidate_count += err == ERR_OK;
    }
    return true;
}

static bool options_decode(struct session_description *out, const json_t *list)
{
    size_t i;
    json_t *option;

    json_array_foreach(list, i, option)
    {
        const char *text = json_string_value(option);

        if (!text)
            return false;
        for (size_t k = 0; k < COUNT(option_names); k++)
            *option_flag(out, k) |= strcmp(text, option_names[k]) == 0;
    }
    return true;
}

/* What is no INIT, or none that we could take, is as good as absent: SNAP falls back silently. */
static void init_decode(struct session_description *out, const char *text)
{
    struct wr w = wr_of(out->init, sizeof out->init);

    if (base64url_decode(&w, bytes_of_string(text)))
        out->init_len = w.len;
}

int session_description_from_json(struct session_description *out, const json_t *json)
{
    const char *ufrag, *pwd, *fingerprint, *setup, *init = "", *answers = "";
    json_t *candidates, *options = NULL;
    bool ok;

    memset(out, 0, sizeof *out);
    /* json_unpack() reads only, though its face does not say so. */
    if (json_unpack((json_t *)(uintptr_t)json, "{s:s, s:s, s:s, s:s, s:o, s?o, s?s, s?s}", "ufrag",
                    &ufrag, "pwd", &pwd, "fingerprint", &fingerprint, "setup", &setup, "candidates",
                    &candidates, "options", &options, "sctp_init", &init, "answers", &answers))
        return ERR_INVALID;
    ok = json_is_array(candidates) && (!options || json_is_array(options)) &&
         string_decode(out->ufrag, sizeof out->ufrag, ufrag) &&
         string_decode(out->pwd, sizeof out->pwd, pwd) &&
         string_decode(out->answers, sizeof out->answers, answers) &&
         fingerprint_decode(out->fingerprint, fingerprint) && setup_decode(&out->setup, setup) &&
         candidates_decode(out, candidates) && options_decode(out, options);
    init_decode(out, init);
    return ok ? ERR_OK : ERR_INVALID;
}

int session_description_decode(struct session_description *out, const char *json, size_t len)
{
    json_t *object;
    int err = claims_decode(&object, bytes_of(json, len));

    if (err)
        return err;
    err = session_description_from_json(out, object);
    json_decref(object);
    return err;
}
