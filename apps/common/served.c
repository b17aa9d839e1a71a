#include "apps/common/served.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/common/files.h"

/* A name that an unfinished upload could have. */
static bool is_partial(const char *name)
{
    size_t len = strlen(name), tail = strlen(SERVED_PARTIAL);

    return len >= tail && strcmp(name + len - tail, SERVED_PARTIAL) == 0;
}

/* The directory that holds the last part of the path, which *name points to. */
static int open_parent(int dir, const char *path, const char **name)
{
    int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);

    if (!files_path_ok(path)) {
        close(at);
        errno = EINVAL;
        return -1;
    }
    while (at >= 0 && strchr(path, '/')) {
        size_t len = strcspn(path, "/");
        char part[256];
        int next;

        snprintf(part, sizeof part, "%.*s", (int)len, path);
        next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
        path += len + 1;
    }
    *name = path;
    return at;
}

static int close_keeping_errno(int fd)
{
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

/* O_NONBLOCK: opening a pipe must not wait for its other end. */
static int open_regular(int parent, const char *name, int flags, struct stat *st)
{
    int fd = openat(parent, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);

    if (fd < 0 || fstat(fd, st))
        return close_keeping_errno(fd);
    if (S_ISREG(st->st_mode))
        return fd;
    errno = EINVAL;
    return close_keeping_errno(fd);
}

int served_open(int dir, const char *path, uint64_t *size)
{
    const char *name;
    struct stat st;
    int parent = open_parent(dir, path, &name), fd;

    if (parent < 0)
        return -1;
    fd = open_regular(parent, name, O_RDONLY, &st);
    close_keeping_errno(parent);
    if (fd >= 0)
        *size = (uint64_t)st.st_size;
    return fd;
}

/* Whether the partial is still the file that was locked: the upload before may have ended between
 * our opening and our locking, and then this is a whole file in its place. */
static bool is_still_partial(const struct served_put *p, struct stat *st)
{
    struct stat there;

    if (!fstat(p->fd, st) && !fstatat(p->parent, p->partial, &there, AT_SYMLINK_NOFOLLOW) &&
        there.st_ino == st->st_ino && there.st_dev == st->st_dev)
        return true;
    errno = EWOULDBLOCK;
    return false;
}

int served_put_open(struct served_put *p, int dir, const char *path)
{
    const char *name;
    struct stat st;

    *p = (struct served_put){ .fd = -1 };
    p->parent = open_parent(dir, path, &name);
    if (p->parent < 0)
        return -1;
    if (is_partial(name) || strlen(name) + strlen(SERVED_PARTIAL) >= sizeof p->partial) {
        errno = EINVAL;
        goto fail;
    }
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->partial, sizeof p->partial, "%.*s" SERVED_PARTIAL, 240, name);
    p->fd = open_regular(p->parent, p->partial, O_RDWR | O_CREAT, &st);
    if (p->fd < 0 || flock(p->fd, LOCK_EX | LOCK_NB) || !is_still_partial(p, &st))
        goto fail;
    p->held = (uint64_t)st.st_size;
    return 0;
fail:
    close_keeping_errno(p->fd);
    close_keeping_errno(p->parent);
    p->fd = p->parent = -1;
    return -1;
}

int served_put_finish(struct served_put *p)
{
    if (fsync(p->fd))
        return -1;
    return renameat(p->parent, p->partial, p->parent, p->name);
}

void served_put_discard(struct served_put *p)
{
    unlinkat(p->parent, p->partial, 0);
}

void served_put_close(struct served_put *p)
{
    if (p->fd >= 0)
        close(p->fd);
    if (p->parent >= 0)
        close(p->parent);
    p->fd = p->parent = -1;
}

static json_t *list_entry(int parent, const char *name)
{
    struct stat st;

    if (name[0] == '.' || is_partial(name) || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW))
        return NULL;
    if (S_ISREG(st.st_mode))
        return json_pack("{sssIss}", "name", name, "size", (json_int_t)st.st_size, "kind", "file");
    return S_ISDIR(st.st_mode) ? json_pack("{ssss}", "name", name, "kind", "directory") : NULL;
}

static int open_directory(int dir, const char *path)
{
    const char *name;
    int parent, fd;

    if (!*path || strcmp(path, ".") == 0)
        return openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    parent = open_parent(dir, path, &name);
    if (parent < 0)
        return -1;
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close_keeping_errno(parent);
    return fd;
}

json_t *served_list(int dir, const char *path, size_t most, bool *more)
{
    int fd = open_directory(dir, path);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    json_t *list = entries ? json_array() : NULL;
    struct dirent *entry;

    *more = false;
    if (!entries) {
        close_keeping_errno(fd);
        return NULL;
    }
    while (list && !*more && (entry = readdir(entries))) {
        json_t *one = list_entry(fd, entry->d_name);

        *more = one && json_array_size(list) == most;
        if (one && !*more)
            json_array_append(list, one);
        json_decref(one);
    }
    closedir(entries);
    return list;
}
