/* A wall clock that somebody sets, under the real program: LD_PRELOADed into `candor serve`. The file named by
 * STEPPED_CLOCK says by how many seconds: its time of change less 1,000,000,000 (asked by stat, since Landlock
 * forbids reading it). The monotonic clock goes on as it is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static long offset(void) {
  const char *path = getenv("STEPPED_CLOCK");
  struct stat there;
  if (path == NULL || stat(path, &there) != 0) return 0;
  return (long)there.st_mtim.tv_sec - 1000000000L;
}

int clock_gettime(clockid_t id, struct timespec *out) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  const int done = real(id, out);
  if (done == 0 && id == CLOCK_REALTIME) out->tv_sec += offset();
  return done;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(struct timeval *out, void *zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}
