// SPDX-License-Identifier: Apache-2.0
// Preloaded into slipway: counts the calls that change a file system, all threads together, and makes one of them the last or a
// failing one. So a test can go through every write of a command, which strace's counters, one a thread, cannot.
//   FAULT_COUNT=FILE   the number of calls is written there at the end
//   FAULT_AT=N         the call that is meant, from 1
//   FAULT_KIND=        kill: SIGKILL in its place; enospc: it fails once; full: half a write, then nothing can grow any more
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { none, killed, once, full };

static atomic_long calls;
static long fault_at;
static enum kind fault_kind;
static const char *count_file;
static int is_slipway;

__attribute__((constructor)) static void read_wishes(void) {
  char name[64] = "";
  FILE *comm = fopen("/proc/self/comm", "r");
  if (comm != NULL) {
    is_slipway = fgets(name, sizeof name, comm) != NULL && strncmp(name, "slipway", 7) == 0;
    fclose(comm);
  }
  const char *at = getenv("FAULT_AT");
  const char *kind = getenv("FAULT_KIND");
  fault_at = at != NULL ? atol(at) : 0;
  if (kind != NULL)
    fault_kind = strcmp(kind, "kill") == 0 ? killed : strcmp(kind, "enospc") == 0 ? once : full;
  count_file = getenv("FAULT_COUNT");
}

__attribute__((destructor)) static void tell_count(void) {
  if (!is_slipway || count_file == NULL) return;
  is_slipway = 0;  // what follows is ours
  FILE *out = fopen(count_file, "w");
  if (out == NULL) return;
  fprintf(out, "%ld\n", atomic_load(&calls));
  fclose(out);
}

// True when this call is to fail, errno being set.
static int fails(int grows) {
  if (!is_slipway) return 0;
  long number = atomic_fetch_add(&calls, 1) + 1;
  if (fault_kind == killed && number == fault_at) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  int is_met = (fault_kind == once && number == fault_at) ||
               (fault_kind == full && number >= fault_at && grows);
  if (is_met) errno = ENOSPC;
  return is_met;
}

static int is_file(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

static int is_kernels(const char *path) {
  return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0 ||
         strncmp(path, "/sys/", 5) == 0;
}

#define REAL(result, name, ...)              \
  static result (*real)(__VA_ARGS__);        \
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, name)

#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                            \
    REAL(int, #name, const char *, int, ...);                             \
    va_list rest;                                                         \
    va_start(rest, flags);                                                \
    mode_t mode = va_arg(rest, mode_t);                                   \
    va_end(rest);                                                         \
    if ((flags & O_CREAT) && !is_kernels(path) && fails(1)) return -1;    \
    return real(path, flags, mode);                                       \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                      \
  int name(int at, const char *path, int flags, ...) {                    \
    REAL(int, #name, int, const char *, int, ...);                        \
    va_list rest;                                                         \
    va_start(rest, flags);                                                \
    mode_t mode = va_arg(rest, mode_t);                                   \
    va_end(rest);                                                         \
    if ((flags & O_CREAT) && !is_kernels(path) && fails(1)) return -1;    \
    return real(at, path, flags, mode);                                   \
  }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t);
  if (!is_file(fd)) return real(fd, bytes, size);
  int is_half = is_slipway && fault_kind == full && atomic_load(&calls) + 1 == fault_at && size > 1;
  if (is_half) {
    atomic_fetch_add(&calls, 1);
    return real(fd, bytes, size / 2);
  }
  return fails(1) ? -1 : real(fd, bytes, size);
}

#define CALL(result, name, grows, parameters, arguments, ...) \
  result name parameters {                                    \
    REAL(result, #name, __VA_ARGS__);                         \
    return fails(grows) ? -1 : real arguments;                \
  }
CALL(ssize_t, pwrite, 1, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o), int, const void *, size_t, off_t)
CALL(ssize_t, pwrite64, 1, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o), int, const void *, size_t, off64_t)
CALL(int, unlink, 0, (const char *p), (p), const char *)
CALL(int, rmdir, 0, (const char *p), (p), const char *)
CALL(int, rename, 0, (const char *p, const char *q), (p, q), const char *, const char *)
CALL(int, link, 1, (const char *p, const char *q), (p, q), const char *, const char *)
CALL(int, symlink, 1, (const char *p, const char *q), (p, q), const char *, const char *)
CALL(int, mkdir, 1, (const char *p, mode_t m), (p, m), const char *, mode_t)
CALL(int, mkdirat, 1, (int d, const char *p, mode_t m), (d, p, m), int, const char *, mode_t)
CALL(int, unlinkat, 0, (int d, const char *p, int f), (d, p, f), int, const char *, int)
CALL(int, symlinkat, 1, (const char *t, int d, const char *p), (t, d, p), const char *, int, const char *)
CALL(int, linkat, 1, (int d, const char *p, int e, const char *q, int f), (d, p, e, q, f), int, const char *, int, const char *, int)
CALL(int, renameat, 0, (int d, const char *p, int e, const char *q), (d, p, e, q), int, const char *, int, const char *)
CALL(int, renameat2, 0, (int d, const char *p, int e, const char *q, unsigned f), (d, p, e, q, f), int, const char *, int, const char *, unsigned)
CALL(int, ftruncate, 1, (int fd, off_t o), (fd, o), int, off_t)
CALL(int, ftruncate64, 1, (int fd, off64_t o), (fd, o), int, off64_t)
CALL(int, fsync, 1, (int fd), (fd), int)
CALL(int, fdatasync, 1, (int fd), (fd), int)
CALL(ssize_t, copy_file_range, 1, (int a, off64_t *x, int b, off64_t *y, size_t n, unsigned f), (a, x, b, y, n, f), int, off64_t *, int, off64_t *, size_t, unsigned)
