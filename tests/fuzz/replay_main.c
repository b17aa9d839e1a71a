/* Runs a fuzz target over the files and folders given, as libFuzzer would: so that every input
 * ever found worth keeping is a test with any compiler. Exit 1 if one cannot be read. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static unsigned replayed, unreadable;

/* A copy of exactly len bytes, so that reading past its end is caught. */
static void replay(const char *path, size_t len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(len ? len : 1);

    if (f && data && fread(data, 1, len, f) == len) {
        LLVMFuzzerTestOneInput(data, len);
        replayed++;
    } else {
        perror(path);
        unreadable++;
    }
    free(data);
    if (f)
        fclose(f);
}

static void replay_folder(const char *path);

static void replay_path(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        perror(path);
        unreadable++;
    } else if (S_ISDIR(st.st_mode)) {
        replay_folder(path);
    } else {
        replay(path, (size_t)st.st_size);
    }
}

static void replay_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        char inner[4096];

        if (entries[i]->d_name[0] != '.') {
            snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
            replay_path(inner);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        replay_path(argv[i]);
    printf("%u inputs replayed\n", replayed);
    return unreadable > 0;
}
