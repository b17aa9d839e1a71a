#include "tests/support/ice_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/rng.h"

struct addr peer_addr(const char *text)
{
    struct addr a;

    if (!addr_parse(&a, text))
        abort();
    return a;
}

void peer_init(struct peer *p, const struct ice_config *cfg)
{
    *p = (struct peer){ .seed = 1 };
    p->rng = test_rng(&p->seed);
    p->host = peer_addr("192.168.1.1:4000");
    p->from = peer_addr("192.168.1.2:5000");
    out_init(&p->out, p->buf, sizeof p->buf);
    if (ice_new(&p->ice, cfg, &p->rng) != ERR_OK ||
        ice_add_host(p->ice, PEER_NOW, &p->host, 65535) != ERR_OK)
        abort();
}

void peer_describe(struct peer *p, usec now)
{
    if (ice_set_remote(p->ice, now, PEER_UFRAG, PEER_PWD) != ERR_OK)
        abort();
}

void peer_init_asked(struct peer *p)
{
    static const struct ice_config named = { .controlling = true, .ufrag = "ours1234" };
    struct ice_candidate c = peer_candidate("192.168.1.2:5000", 1000);

    peer_init(p, &named);
    peer_describe(p, PEER_NOW);
    ice_add_remote(p->ice, PEER_NOW, &c);
}

struct ice_candidate peer_candidate(const char *text, uint32_t priority)
{
    return (struct ice_candidate){
        .type = ICE_HOST, .priority = priority, .foundation = "1", .addr = peer_addr(text)
    };
}

struct bytes peer_request(struct peer *p, enum flaw flaw, uint8_t raw[700])
{
    struct wr w = wr_of(raw, 700);
    struct stun_id id;
    char username[64];

    stun_id_init(&id, &p->rng);
    snprintf(username, sizeof username, "%s%s:%s",
             flaw == WRONG_UFRAG ? "other" : ice_ufrag(p->ice), flaw == LONGER_UFRAG ? "x" : "",
             PEER_UFRAG);
    stun_encode_header(&w, STUN_REQUEST, flaw == OTHER_METHOD ? 3 : STUN_BINDING, &id);
    if (flaw != NO_USERNAME)
        stun_add_bytes(&w, STUN_ATTR_USERNAME, bytes_of_string(username));
    stun_add_u64(&w, p->is_controlling ? STUN_ATTR_ICE_CONTROLLING : STUN_ATTR_ICE_CONTROLLED,
                 p->tie_breaker);
    if (p->nominates)
        stun_add_bytes(&w, STUN_ATTR_USE_CANDIDATE, bytes_of(NULL, 0));
    if (flaw != NO_PRIORITY)
        stun_add_u32(&w, STUN_ATTR_PRIORITY, 1000);
    if (flaw == UNKNOWN_REQUIRED)
        stun_add_u32(&w, (enum stun_attr)0x7fff, 0);
    stun_add_u32(&w, (enum stun_attr)0xc057, 0); /* as Chromium does */
    if (flaw != NO_INTEGRITY)
        stun_add_integrity(&w, bytes_of_string(flaw == WRONG_PASSWORD ? "wrong" : ice_pwd(p->ice)));
    if (flaw != NO_FINGERPRINT)
        stun_add_fingerprint(&w);
    return wr_written(&w);
}

struct bytes peer_answer(struct peer *p, const struct stun_id *id, const char *key,
                         uint16_t error_code, uint8_t raw[200])
{
    struct wr w = wr_of(raw, 200);

    stun_encode_header(&w, error_code ? STUN_ERROR : STUN_SUCCESS, STUN_BINDING, id);
    if (error_code)
        stun_add_error(&w, error_code, "");
    else
        stun_add_xor_mapped(&w, &p->host);
    stun_add_integrity(&w, bytes_of_string(key));
    stun_add_fingerprint(&w);
    return wr_written(&w);
}

bool peer_next_check(struct peer *p, struct stun_msg *m)
{
    bool found = false;

    while (ice_poll_output(p->ice, &p->out)) {
        struct stun_msg read;

        if (stun_decode(&read, out_datagram(&p->out, 0)) != VERDICT_TAKEN)
            abort();
        if (read.class == STUN_REQUEST && addr_equal(&p->out.to, &p->from)) {
            *m = read;
            found = true;
        }
    }
    return found;
}

bool peer_ask(struct peer *p, usec now)
{
    struct stun_msg m;
    uint8_t raw[700];

    if (ice_input(p->ice, now, &p->host, &p->from, peer_request(p, NO_FLAW, raw)) != VERDICT_TAKEN)
        abort();
    return peer_next_check(p, &m);
}

size_t peer_run(struct peer *p, usec *now, usec until, bool answering, usec *at, size_t cap)
{
    size_t checks = 0;
    struct stun_msg m;
    uint8_t raw[200];

    while (ice_next_timeout(p->ice) <= until) {
        *now = usec_max(*now, ice_next_timeout(p->ice));
        ice_tick(p->ice, *now);
        if (!peer_next_check(p, &m))
            continue;
        if (at && checks < cap)
            at[checks] = *now;
        checks++;
        if (answering)
            ice_input(p->ice, *now, &p->host, &p->from, peer_answer(p, &m.id, PEER_PWD, 0, raw));
    }
    *now = until;
    return checks;
}
