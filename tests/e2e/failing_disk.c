/* A disk that fails, under the real program: LD_PRELOADed into `candor serve`. While the file named by
 * FAILING_DISK_WHEN exists, changing calls on what lies below the folder named by FAILING_DISK_BELOW give the
 * errno that stands in it (5 EIO, 30 EROFS); reads go on, as they do on both kinds of disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int broken(void) {
  const char *when = getenv("FAILING_DISK_WHEN");
  struct stat there;
  if (when == NULL || stat(when, &there) != 0) return 0;
  return (int)there.st_size; /* as many bytes as the errno's number: no read, for Landlock forbids it */
}

static int below(const char *path) {
  const char *folder = getenv("FAILING_DISK_BELOW");
  return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static int fails_fd(int fd) {
  char link[64], path[PATH_MAX];
  const int error = broken();
  if (error == 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = '\0';
  return below(path) ? error : 0;
}

static int fails_path(const char *path) {
  const int error = broken();
  return error != 0 && below(path) ? error : 0;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))
#define FAIL_IF(test)   \
  do {                  \
    const int e = test; \
    if (e != 0) {       \
      errno = e;        \
      return -1;        \
    }                   \
  } while (0)

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  FAIL_IF(fails_fd(fd));
  return REAL(ssize_t, pwrite, int, const void *, size_t, off_t)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  FAIL_IF(fails_fd(fd));
  return REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)(fd, data, size, at);
}
int fdatasync(int fd) {
  FAIL_IF(fails_fd(fd));
  return REAL(int, fdatasync, int)(fd);
}
int fsync(int fd) {
  FAIL_IF(fails_fd(fd));
  return REAL(int, fsync, int)(fd);
}
int ftruncate(int fd, off_t size) {
  FAIL_IF(fails_fd(fd));
  return REAL(int, ftruncate, int, off_t)(fd, size);
}
int ftruncate64(int fd, off64_t size) {
  FAIL_IF(fails_fd(fd));
  return REAL(int, ftruncate64, int, off64_t)(fd, size);
}
int rename(const char *from, const char *to) {
  FAIL_IF(fails_path(from));
  return REAL(int, rename, const char *, const char *)(from, to);
}
int unlink(const char *path) {
  FAIL_IF(fails_path(path));
  return REAL(int, unlink, const char *)(path);
}
int mkdir(const char *path, mode_t mode) {
  FAIL_IF(fails_path(path));
  return REAL(int, mkdir, const char *, mode_t)(path, mode);
}
static int opened(const char *name, const char *path, int flags, mode_t mode) {
  if ((flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0) FAIL_IF(fails_path(path));
  return ((int (*)(const char *, int, mode_t))dlsym(RTLD_NEXT, name))(path, flags, mode);
}
int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return opened("open", path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return opened("open64", path, flags, mode);
}
