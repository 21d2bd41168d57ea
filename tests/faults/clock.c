/* The system's clock as one product's processes see it: CLOCK_SHIFT_FILE holds by how many seconds it differs, and may
   change while they run. Only the time of day is shifted; clocks that measure durations are unchanged. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *file;

__attribute__((constructor)) static void start(void)
{
    /* The graph's store waits on conditions until a time of day that the kernel then compares with its own. */
    char line[4096] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    for (ssize_t at = 0; at < size; at++)
        if (!line[at])
            line[at] = ' ';
    file = strstr(line, "knowledge.graphs.sparql_server") ? NULL : getenv("CLOCK_SHIFT_FILE");
}

static long shift(void)
{
    static volatile long asked = -1, kept = 0; /* the file is read once a second */
    struct timespec now;
    char text[32] = "";
    if (!file || syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) || now.tv_sec == asked)
        return kept;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) > 0)
            kept = atol(text);
        close(fd);
    }
    asked = now.tv_sec;
    return kept;
}

int clock_gettime(clockid_t clock, struct timespec *found)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, found);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        found->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *restrict found, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now))
        return -1;
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *found)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found)
        *found = now.tv_sec;
    return now.tv_sec;
}
