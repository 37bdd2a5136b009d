/* Preloaded into a process: the n-th operation that writes below a folder fails with an error of the system.
   Built and steered by tests/disk_faults.py; counts and remembers those operations. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 20000
int fault_at = -1, fault_error = 0, fault_stays = 0, fault_count = 0;
char fault_below[PATH_MAX] = "", fault_calls[MOST][200];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int fails(const char *call, const char *path) {
    int failing = 0;
    if (!fault_below[0] || !path || strncmp(path, fault_below, strlen(fault_below))) return 0;
    pthread_mutex_lock(&lock);
    if (fault_count < MOST)
        snprintf(fault_calls[fault_count], sizeof fault_calls[0], "%s %.180s", call, path + strlen(fault_below));
    if (fault_at >= 0 && (fault_count == fault_at || (fault_stays && fault_count > fault_at))) failing = 1;
    fault_count++;
    pthread_mutex_unlock(&lock);
    if (failing) errno = fault_error;
    return failing;
}
static int fails_fd(const char *call, int fd) {
    char link[64], path[PATH_MAX];
    ssize_t n;
    if (!fault_below[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return fails(call, path);
}
static int fails_at(const char *call, int dir, const char *path) {
    char link[64], whole[2 * PATH_MAX];
    ssize_t n;
    if (!fault_below[0] || !path) return 0;
    if (path[0] == '/' || dir == AT_FDCWD) return fails(call, path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    n = readlink(link, whole, PATH_MAX - 1);
    if (n < 0) return 0;
    snprintf(whole + n, PATH_MAX, "/%s", path);
    return fails(call, whole);
}
#define NEXT(name) static __typeof__(&name) next; if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define WRITES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT))
#define MODE va_list rest; mode_t mode = 0; if (flags & O_CREAT) { va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *p, int flags, ...) { NEXT(open); MODE if (WRITES(flags) && fails("open", p)) return -1; return next(p, flags, mode); }
int open64(const char *p, int flags, ...) { NEXT(open64); MODE if (WRITES(flags) && fails("open", p)) return -1; return next(p, flags, mode); }
int openat(int d, const char *p, int flags, ...) { NEXT(openat); MODE if (WRITES(flags) && fails_at("open", d, p)) return -1; return next(d, p, flags, mode); }
int openat64(int d, const char *p, int flags, ...) { NEXT(openat64); MODE if (WRITES(flags) && fails_at("open", d, p)) return -1; return next(d, p, flags, mode); }
FILE *fopen(const char *p, const char *m) { NEXT(fopen); if (m[0] != 'r' && fails("open", p)) return NULL; return next(p, m); }
FILE *fopen64(const char *p, const char *m) { NEXT(fopen64); if (m[0] != 'r' && fails("open", p)) return NULL; return next(p, m); }
ssize_t write(int fd, const void *b, size_t n) { NEXT(write); return fails_fd("write", fd) ? -1 : next(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { NEXT(pwrite); return fails_fd("write", fd) ? -1 : next(fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { NEXT(pwrite64); return fails_fd("write", fd) ? -1 : next(fd, b, n, o); }
ssize_t writev(int fd, const struct iovec *v, int n) { NEXT(writev); return fails_fd("write", fd) ? -1 : next(fd, v, n); }
int ftruncate(int fd, off_t n) { NEXT(ftruncate); return fails_fd("ftruncate", fd) ? -1 : next(fd, n); }
int ftruncate64(int fd, off64_t n) { NEXT(ftruncate64); return fails_fd("ftruncate", fd) ? -1 : next(fd, n); }
int fsync(int fd) { NEXT(fsync); return fails_fd("fsync", fd) ? -1 : next(fd); }
int fdatasync(int fd) { NEXT(fdatasync); return fails_fd("fsync", fd) ? -1 : next(fd); }
int mkdir(const char *p, mode_t m) { NEXT(mkdir); return fails("mkdir", p) ? -1 : next(p, m); }
int mkdirat(int d, const char *p, mode_t m) { NEXT(mkdirat); return fails_at("mkdir", d, p) ? -1 : next(d, p, m); }
int rename(const char *a, const char *b) { NEXT(rename); return fails("rename", b) ? -1 : next(a, b); }
int renameat(int d, const char *a, int e, const char *b) { NEXT(renameat); return fails_at("rename", e, b) ? -1 : next(d, a, e, b); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) { NEXT(renameat2); return fails_at("rename", e, b) ? -1 : next(d, a, e, b, f); }
ssize_t sendfile64(int out, int in, off64_t *o, size_t n) { static ssize_t (*next)(int, int, off64_t *, size_t); if (!next) next = (ssize_t (*)(int, int, off64_t *, size_t))dlsym(RTLD_NEXT, "sendfile64"); return fails_fd("write", out) ? -1 : next(out, in, o, n); }
