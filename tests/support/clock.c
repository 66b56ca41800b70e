/* Another time of day, as a file says: two numbers of eight bytes in this machine's order, milliseconds.
   The second is the time, which then stands still; if it is zero, the first is added to the real one.
   Loaded into a server before everything else (LD_PRELOAD). The monotonic clock is left alone. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *set;

__attribute__((constructor)) static void find_file(void) {
    const char *path = getenv("CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, 2 * sizeof *set, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) set = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    int of_day = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (failed || !of_day || !set) return failed;
    int64_t millis = set[1];
    if (millis) {
        time->tv_nsec = millis % 1000 * 1000000;
    } else {
        millis = (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000 + set[0];
        time->tv_nsec = millis % 1000 * 1000000 + time->tv_nsec % 1000000;
    }
    time->tv_sec = millis / 1000;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
