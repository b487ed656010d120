// Programs that walk into the tracer's traps; argv[1] says which. They print `ready` and, at the end, `ok`.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef long long i64;
#define NS 1000000000LL
static i64 now(int clock) { struct timespec t; clock_gettime(clock, &t); return t.tv_sec * NS + t.tv_nsec; }
static i64 raw(int clock) { struct timespec t; syscall(SYS_clock_gettime, clock, &t); return t.tv_sec * NS + t.tv_nsec; }
static void say(const char *text) { dprintf(1, "%s\n", text); }
static void fail(const char *what) { dprintf(1, "failed %s (%s)\n", what, strerror(errno)); _exit(1); }
static int nap(i64 ns) { struct timespec t = {ns / NS, ns % NS}; return nanosleep(&t, 0); }
// The stub's clock, whose offset is in this program's memory, and the tracer's, which has the true one, agree.
static void same_clock(void) {
    for (int clock = 0; clock < 2; clock++) { i64 a = now(clock), b = raw(clock), c = now(clock); if (b < a || c < b) fail("the stub's offset is stale"); }
}
static void *forever(void *arg) { for (;;) nap(3600 * NS); return arg; }
static void *spin(void *arg) { for (;;) now(1); return arg; }
static void *survivor(void *arg) { say("ready"); if (nap(3600 * NS)) fail("nap"); same_clock(); say("ok"); exit(0); return arg; }
static void *exec_next(void *args) { execv("/proc/self/exe", args); fail("exec"); return 0; }
static volatile sig_atomic_t signals;
static void on_signal(int s) { (void)s; signals++; }

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : ""; int n = argc > 2 ? atoi(argv[2]) : 0; pthread_t t; int st;
    if (!strcmp(what, "vfork")) { // the parent is blocked in vfork until the child, asleep, ends
        say("ready"); pid_t p = vfork();
        if (!p) { struct timespec t = {3600, 0}; _exit(nanosleep(&t, 0) ? 1 : 0); }
        if (waitpid(p, &st, 0) != p || st) fail("vfork child"); same_clock();
    } else if (!strcmp(what, "exec")) { // many threads, and one of them (not the first) execs, again and again
        if (n == 0) { same_clock(); say("ok"); return 0; }
        for (int i = 0; i < 3; i++) pthread_create(&t, 0, i ? forever : spin, 0);
        static char next[16]; snprintf(next, 16, "%d", n - 1); static char *args[] = {"traps", "exec", next, 0};
        if (n % 2) { pthread_create(&t, 0, exec_next, args); forever(0); } // not the first thread
        exec_next(args);
    } else if (!strcmp(what, "orphan")) { // a daemon: its parents are gone
        if (fork()) { wait(0); _exit(0); } if (fork()) _exit(0); setsid();
        i64 t = now(1); say("ready"); if (nap(3600 * NS)) fail("nap"); if (now(1) - t < 3600 * NS) fail("early"); same_clock();
    } else if (!strcmp(what, "forks")) { // children are born during jumps, with a copy of the offsets of before
        i64 end = now(1) + 3600 * NS * n; say("ready");
        while (now(1) < end) { pid_t p = fork(); if (!p) { same_clock(); _exit(0); } if (waitpid(p, &st, 0) != p || st) fail("child"); }
    } else if (!strcmp(what, "threads")) { // threads are born during jumps
        i64 end = now(1) + 3600 * NS * n; say("ready");
        while (now(1) < end) { pthread_t q[4]; for (int i = 0; i < 4; i++) pthread_create(q + i, 0, (void *(*)(void *))same_clock, 0); for (int i = 0; i < 4; i++) pthread_join(q[i], 0); }
    } else if (!strcmp(what, "nap")) { // sleeps n seconds
        i64 t = now(1); say("ready"); if (nap(n * NS)) fail("nap"); if (now(1) - t < n * NS) fail("early");
    } else if (!strcmp(what, "leader")) { // the first thread ends before the others
        pthread_create(&t, 0, survivor, 0); pthread_exit(0);
    } else if (!strcmp(what, "signal")) { // a signal with a handler still interrupts; SIGCHLD, ignored, does not
        struct sigaction a = {.sa_handler = on_signal}; sigaction(SIGUSR1, &a, 0); i64 t = now(1);
        if (!fork()) { nap(NS / 20); _exit(0); } // its end, ignored, makes the kernel restart the parent's wait
        say("ready"); struct timespec l = {7200, 0}, rest; int r = nanosleep(&l, &rest);
        if (r != -1 || errno != EINTR || signals != 1) fail("not interrupted"); i64 slept = now(1) - t;
        i64 sum = slept + rest.tv_sec * NS + rest.tv_nsec; if (sum < 7200 * NS || sum > 7202 * NS) fail("the rest is wrong"); wait(0);
    } else if (!strcmp(what, "shared")) { // two processes share a timer descriptor: it moves once
        int f = timerfd_create(CLOCK_MONOTONIC, 0); struct itimerspec i = {{0, 0}, {5400, 0}}; timerfd_settime(f, 0, &i, 0); i64 t = now(1);
        pid_t p = fork(); uint64_t k; if (!p) { for (;;) pause(); }
        say("ready"); if (read(f, &k, 8) != 8) fail("read"); if (now(1) - t < 5400 * NS) fail("moved twice"); kill(p, SIGKILL); wait(0);
    } else if (!strcmp(what, "periodic")) { // missed expirations are counted, and the phase stays
        int f = timerfd_create(CLOCK_MONOTONIC, 0); struct itimerspec i = {{1, 0}, {1, 0}}; timerfd_settime(f, 0, &i, 0); i64 t = now(1);
        say("ready"); uint64_t k; if (read(f, &k, 8) != 8) fail("read"); dprintf(1, "ticks %llu\n", (unsigned long long)k);
        i64 seen = (now(1) - t) / NS; if ((i64)k > seen || (i64)k < seen - 1) fail("count");
        if (read(f, &k, 8) != 8) fail("read"); i64 phase = (now(1) - t) % NS; if (phase > NS / 2) fail("phase");
    } else if (!strcmp(what, "step")) { // the wall clock alone moves: prints what each wait saw
        i64 w = now(0), m = now(1); say("ready"); struct timespec d = {w / NS + 3600, 0};
        if (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &d, 0)) fail("clock_nanosleep"); dprintf(1, "woke %lld %lld\n", now(0) - w, now(1) - m);
    } else if (!strcmp(what, "clocks")) { // answers each line of input with its clocks
        char b[64]; say("ready"); while (read(0, b, 64) > 0) { same_clock(); dprintf(1, "clocks %lld %lld\n", now(0), now(1)); }
    } else fail("no such trap");
    say("ok"); return 0;
}
