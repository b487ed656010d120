// Many threads that read clocks and wait, under jumps. Exits 0 when each has made COUNT waits of an hour (which end by
// jumps only), 1 when time ever went back, a wait ended early, or a call was interrupted. argv: COUNT
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef long long i64;
#define NS 1000000000LL
static i64 now(int clock) { struct timespec t; clock_gettime(clock, &t); return t.tv_sec * NS + t.tv_nsec; }
static struct timespec spec(i64 ns) { return (struct timespec){ns / NS, ns % NS}; }
static void fail(const char *what, i64 by) { fprintf(stderr, "thread %ld: %s by %lld (errno: %s)\n", syscall(SYS_gettid), what, by, strerror(errno)); _exit(1); }

static _Atomic i64 last[2];
// A reading is never less than one that any thread had before.
static i64 check(int clock) {
    i64 before = atomic_load(&last[clock]), t = now(clock);
    if (t < before) fail(clock ? "monotonic clock went back" : "wall clock went back", before - t);
    while (before < t && !atomic_compare_exchange_weak(&last[clock], &before, t));
    return t;
}
static int count;
static _Atomic int spin = 1;

static void nap(int kind, i64 ns) {
    struct timespec t = spec(ns); struct pollfd p = {-1, 0, 0}; struct epoll_event e; int word = 0, r;
    static __thread int ep = -1; if (ep < 0) ep = epoll_create1(0);
    switch (kind) {
    case 0: r = nanosleep(&t, 0); break;
    case 1: t = spec(now(1) + ns); r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0); break;
    case 2: t = spec(now(0) + ns); r = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, 0); break;
    case 3: r = poll(&p, 1, ns / 1000000); break;
    case 4: r = epoll_wait(ep, &e, 1, ns / 1000000); break;
    case 5: r = syscall(SYS_futex, &word, 0 | 128, 0, &t, 0, 0); r = r < 0 && errno == ETIMEDOUT ? 0 : -1; break;
    case 6: case 7: { // a timer descriptor, relative and absolute
        static __thread int fd[2]; uint64_t n; struct itimerspec i = {{0, 0}, spec(kind == 6 ? ns : now(0) + ns)};
        if (!fd[0]) fd[0] = timerfd_create(CLOCK_MONOTONIC, 0), fd[1] = timerfd_create(CLOCK_REALTIME, 0);
        if (kind == 6 && !ns) { r = 0; break; } // 0 disarms
        timerfd_settime(fd[kind - 6], kind == 6 ? 0 : TFD_TIMER_ABSTIME, &i, 0); r = read(fd[kind - 6], &n, 8) == 8 && n == 1 ? 0 : -1; break; }
    case 8: { // a POSIX timer
        timer_t timer; struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1}; int sig; sigset_t s;
        ((int *)&e)[4] = syscall(SYS_gettid); struct itimerspec i = {{0, 0}, spec(ns)}; sigemptyset(&s); sigaddset(&s, SIGUSR1);
        if (!ns) { r = 0; break; }
        r = timer_create(CLOCK_MONOTONIC, &e, &timer) || timer_settime(timer, 0, &i, 0) || sigwait(&s, &sig) || timer_delete(timer) ? -1 : 0; break; }
    default: t = spec(now(1) + ns); r = syscall(SYS_futex, &word, 9 | 128, 0, &t, 0, -1); r = r < 0 && errno == ETIMEDOUT ? 0 : -1;
    }
    if (r) fail("a wait was interrupted", kind);
}
static void *sleeper(void *arg) {
    int kind = (long)arg; unsigned seed = kind;
    for (int i = 0; i < count; i++) {
        // One wait in four is of an hour; the others of up to 4 ms.
        i64 ns = i % 4 == 3 ? 3600 * NS : (i64)(rand_r(&seed) % 5) * 1000000;
        i64 t = check(1); nap(kind, ns); i64 took = check(1) - t; check(0);
        if (took < ns) fail("a wait ended early", ns - took);
    }
    return 0;
}
// The window between reckoning a length and waiting for it: as event loops do.
static void *event_loop(void *arg) {
    int ep = epoll_create1(0); struct epoll_event e; (void)arg;
    for (int i = 0; i < count / 4; i++) {
        i64 deadline = check(1) + 3600 * NS, left;
        while ((left = deadline - now(1)) > 0) if (epoll_wait(ep, &e, 1, (left + 999999) / 1000000) < 0) fail("epoll_wait was interrupted", 0);
        check(1);
    }
    return 0;
}
static void *reader(void *arg) { (void)arg; while (spin) { check(0); check(1); } return 0; }
int main(int argc, char **argv) {
    pthread_t t[16]; int n = 0; count = argc > 1 ? atoi(argv[1]) : 100; setvbuf(stdout, 0, _IOLBF, 0);
    sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR1); pthread_sigmask(SIG_BLOCK, &s, 0);
    for (long k = 0; k < 10; k++) pthread_create(t + n++, 0, sleeper, (void *)k);
    for (long k = 0; k < 2; k++) pthread_create(t + n++, 0, event_loop, 0);
    int sleepers = n; pthread_create(t + n++, 0, reader, 0); puts("ready");
    for (int i = 0; i < sleepers; i++) pthread_join(t[i], 0);
    spin = 0; pthread_join(t[sleepers], 0); puts("done"); return 0;
}
