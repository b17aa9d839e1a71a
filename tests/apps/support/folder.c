#include "tests/apps/support/folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void folder_init(struct folder *f)
{
    snprintf(f->path, sizeof f->path, "/tmp/hawser-test-XXXXXX");
    if (!mkdtemp(f->path))
        abort();
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

void folder_deinit(struct folder *f)
{
    close(f->fd);
    nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void folder_write(const struct folder *f, const char *name, struct bytes content)
{
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0 || write(fd, content.data, content.len) != (ssize_t)content.len)
        abort();
    close(fd);
}

void folder_make(const struct folder *f, const char *name)
{
    if (mkdirat(f->fd, name, 0755))
        abort();
}

bool folder_holds(const struct folder *f, const char *name, struct bytes content)
{
    int fd = openat(f->fd, name, O_RDONLY);
    uint8_t *buf = malloc(content.len + 1);
    bool same = fd >= 0 && read(fd, buf, content.len + 1) == (ssize_t)content.len &&
                (content.len == 0 || memcmp(buf, content.data, content.len) == 0);

    if (fd >= 0)
        close(fd);
    free(buf);
    return same;
}

const char *folder_path(const struct folder *f, const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", f->path, name);
    return path;
}
