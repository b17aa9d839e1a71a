/* Signaling JSON: whatever is read can be written and is read the same again. */
#include <assert.h>
#include <stdlib.h>

#include "core/session/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct session_description first, second;
    char *json = NULL;

    if (session_description_decode(&first, (const char *)data, len))
        return 0;
    if (session_description_encode(&first, &json))
        return 0;
    assert(session_description_decode(&second, json, strlen(json)) == ERR_OK);
    assert(strcmp(first.ufrag, second.ufrag) == 0 && strcmp(first.pwd, second.pwd) == 0);
    assert(memcmp(first.fingerprint, second.fingerprint, sizeof first.fingerprint) == 0);
    assert(first.has_sped == second.has_sped && first.has_renomination == second.has_renomination);
    assert(first.init_len == second.init_len && strcmp(first.answers, second.answers) == 0);
    assert(memcmp(first.init, second.init, first.init_len) == 0);
    assert(first.setup == second.setup && first.candidate_count == second.candidate_count);
    for (size_t i = 0; i < first.candidate_count; i++)
        assert(addr_equal(&first.candidates[i].addr, &second.candidates[i].addr));
    free(json);
    return 0;
}
