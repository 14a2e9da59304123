/* Makes one call to the operating system fail: FAIL_CALL=fsync FAIL_AT=7 FAIL_IN=/path/of/a/gallery.
   With FAIL_ON=1 every later one fails as well. Only files below FAIL_IN count. Loaded with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int seen;

static int fails(const char *call, const char *path) {
    const char *wanted = getenv("FAIL_CALL"), *folder = getenv("FAIL_IN"), *at = getenv("FAIL_AT");
    if (!wanted || !folder || !at || !path || strcmp(call, wanted) || strncmp(path, folder, strlen(folder)))
        return 0;
    int now = ++seen;
    return now == atoi(at) || (getenv("FAIL_ON") && now > atoi(at));
}

static int fails_fd(const char *call, int fd, int error) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    if (!fails(call, path)) return 0;
    errno = error;
    return 1;
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
    return fails_fd("write", fd, ENOSPC) ? -1 : REAL(write)(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return fails_fd("write", fd, ENOSPC) ? -1 : REAL(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return fails_fd("write", fd, ENOSPC) ? -1 : REAL(pwrite64)(fd, data, size, at);
}
int fsync(int fd) { return fails_fd("fsync", fd, EIO) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails_fd("fsync", fd, EIO) ? -1 : REAL(fdatasync)(fd); }
int rename(const char *from, const char *to) {
    if (fails("rename", to)) { errno = EIO; return -1; }
    return REAL(rename)(from, to);
}
int link(const char *from, const char *to) {
    if (fails("rename", to)) { errno = EIO; return -1; }
    return REAL(link)(from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
    if (fails("rename", to)) { errno = EIO; return -1; }
    return REAL(linkat)(a, from, b, to, flags);
}
