// Every kind of timed wait of C, each for an hour, each in a thread of its own. Prints
//   ready WALL MONO        nanoseconds, when all have begun
//   fired NAME             when one ends
//   done WALL MONO         when all have
//   after NAME NANOSECONDS how long a wait of 200 ms took then
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef long long i64;
#define NS 1000000000LL
static i64 now(int clock) { struct timespec t; clock_gettime(clock, &t); return t.tv_sec * NS + t.tv_nsec; }
static struct timespec rel(i64 ns) { return (struct timespec){ns / NS, ns % NS}; }
static struct timespec at(int clock, i64 ns) { return rel(now(clock) + ns); }
static void say(const char *text) { char line[200]; int n = snprintf(line, sizeof line, "%s\n", text); if (write(1, line, n) < 0) exit(9); }
static void fail(const char *what) { char line[150]; snprintf(line, sizeof line, "failed %s: %s", what, strerror(errno)); say(line); exit(3); }
#define WANT(what, cond) do { if (!(cond)) fail(what); } while (0)
#define TIMED_OUT(what, call) do { int r_ = (call); WANT(what, r_ == ETIMEDOUT || (r_ < 0 && errno == ETIMEDOUT)); } while (0)

static void s_sleep(i64 ns) { if (ns >= NS) WANT("sleep", sleep(ns / NS) == 0); else usleep(ns / 1000); }
static void s_nanosleep(i64 ns) { struct timespec t = rel(ns); WANT("nanosleep", nanosleep(&t, 0) == 0); }
static void s_clock_nanosleep_rel(i64 ns) { struct timespec t = rel(ns), rest; WANT("clock_nanosleep", clock_nanosleep(CLOCK_BOOTTIME, 0, &t, &rest) == 0); }
static void s_clock_nanosleep_rel_wall(i64 ns) { struct timespec t = rel(ns); WANT("clock_nanosleep", clock_nanosleep(CLOCK_REALTIME, 0, &t, 0) == 0); }
static void s_clock_nanosleep_abs(i64 ns) { struct timespec t = at(CLOCK_MONOTONIC, ns); WANT("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0) == 0); }
static void s_clock_nanosleep_abs_wall(i64 ns) { struct timespec t = at(CLOCK_REALTIME, ns); WANT("clock_nanosleep", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, 0) == 0); }
static int pipe_end(void) { int p[2]; WANT("pipe", pipe(p) == 0); return p[0]; }
static void s_select(i64 ns) { fd_set r; int p = pipe_end(); FD_ZERO(&r); FD_SET(p, &r); struct timeval t = {ns / NS, ns % NS / 1000}; WANT("select", select(p + 1, &r, 0, 0, &t) == 0); }
static void s_pselect(i64 ns) { fd_set r; int p = pipe_end(); FD_ZERO(&r); FD_SET(p, &r); struct timespec t = rel(ns); WANT("pselect", pselect(p + 1, &r, 0, 0, &t, 0) == 0); }
static void s_poll(i64 ns) { struct pollfd p = {pipe_end(), POLLIN, 0}; WANT("poll", poll(&p, 1, ns / 1000000) == 0); }
static void s_ppoll(i64 ns) { struct pollfd p = {pipe_end(), POLLIN, 0}; struct timespec t = rel(ns); WANT("ppoll", ppoll(&p, 1, &t, 0) == 0); }
static void s_epoll_wait(i64 ns) { struct epoll_event e; WANT("epoll_wait", epoll_wait(epoll_create1(0), &e, 1, ns / 1000000) == 0); }
static void s_epoll_pwait2(i64 ns) { struct epoll_event e; struct timespec t = rel(ns); int r = syscall(SYS_epoll_pwait2, epoll_create1(0), &e, 1, &t, 0, 8); WANT("epoll_pwait2", r == 0); }
static void s_sem_timedwait(i64 ns) { sem_t s; sem_init(&s, 0, 0); struct timespec t = at(CLOCK_REALTIME, ns); TIMED_OUT("sem_timedwait", sem_timedwait(&s, &t)); }
static void cond(int clock, i64 ns) {
    pthread_condattr_t a; pthread_condattr_init(&a); pthread_condattr_setclock(&a, clock);
    pthread_cond_t c; pthread_cond_init(&c, &a); pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; pthread_mutex_lock(&m);
    struct timespec t = at(clock, ns); TIMED_OUT("pthread_cond_timedwait", pthread_cond_timedwait(&c, &m, &t));
}
static void s_cond_wall(i64 ns) { cond(CLOCK_REALTIME, ns); }
static void s_cond_monotonic(i64 ns) { cond(CLOCK_MONOTONIC, ns); }
static void *own(void *m) { pthread_mutex_lock(m); for (;;) pause(); return m; }
static void mutex(int protocol, i64 ns) {
    pthread_mutexattr_t a; pthread_mutexattr_init(&a); pthread_mutexattr_setprotocol(&a, protocol);
    pthread_mutex_t *m = malloc(sizeof *m); pthread_mutex_init(m, &a);
    pthread_t t; pthread_create(&t, 0, own, m); while (pthread_mutex_trylock(m) == 0) { pthread_mutex_unlock(m); sched_yield(); }
    struct timespec u = at(CLOCK_REALTIME, ns); TIMED_OUT("pthread_mutex_timedlock", pthread_mutex_timedlock(m, &u));
}
static void s_mutex(i64 ns) { mutex(PTHREAD_PRIO_NONE, ns); }
static void s_mutex_pi(i64 ns) { mutex(PTHREAD_PRIO_INHERIT, ns); }
static void s_futex_wait(i64 ns) { int word = 1; struct timespec t = rel(ns); TIMED_OUT("futex", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &t, 0, 0)); }
static void s_futex_waitv(i64 ns) {
    uint32_t word = 1; struct { uint64_t val, uaddr; uint32_t flags, reserved; } w = {1, (uintptr_t)&word, 2 | 128, 0};
    struct timespec t = at(CLOCK_MONOTONIC, ns); int r = syscall(449, &w, 1, 0, &t, CLOCK_MONOTONIC);
    if (r < 0 && errno == ENOSYS) return s_nanosleep(ns);
    WANT("futex_waitv", r < 0 && errno == ETIMEDOUT);
}
static void timer_fd(int clock, int absolute, i64 ns) {
    int f = timerfd_create(clock, 0); struct itimerspec i = {{0, 0}, absolute ? at(clock, ns) : rel(ns)}; uint64_t n = 0;
    WANT("timerfd_settime", timerfd_settime(f, absolute ? TFD_TIMER_ABSTIME : 0, &i, 0) == 0);
    WANT("timerfd", read(f, &n, 8) == 8 && n == 1);
}
static void s_timerfd_rel(i64 ns) { timer_fd(CLOCK_MONOTONIC, 0, ns); }
static void s_timerfd_rel_wall(i64 ns) { timer_fd(CLOCK_REALTIME, 0, ns); }
static void s_timerfd_abs(i64 ns) { timer_fd(CLOCK_MONOTONIC, 1, ns); }
static void s_timerfd_abs_wall(i64 ns) { timer_fd(CLOCK_REALTIME, 1, ns); }
static void s_sigtimedwait(i64 ns) { sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR2); struct timespec t = rel(ns); WANT("sigtimedwait", sigtimedwait(&s, 0, &t) < 0 && errno == EAGAIN); }
static void s_semtimedop(i64 ns) {
    int id = semget(IPC_PRIVATE, 1, 0600); struct sembuf op = {0, -1, 0}; struct timespec t = rel(ns); WANT("semget", id >= 0);
    int r = semtimedop(id, &op, 1, &t), e = errno; semctl(id, 0, IPC_RMID); errno = e; WANT("semtimedop", r < 0 && errno == EAGAIN);
}
static void s_mq_timedreceive(i64 ns) {
    char name[40], b[64]; static int n; snprintf(name, 40, "/vtime-%d-%d", getpid(), __sync_fetch_and_add(&n, 1));
    struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 64}; mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &a);
    if (q < 0) return s_nanosleep(ns); // no message queues here
    mq_unlink(name); struct timespec t = at(CLOCK_REALTIME, ns); TIMED_OUT("mq_timedreceive", mq_timedreceive(q, b, 64, 0, &t));
}
static void posix_timer(int clock, int absolute, i64 ns) {
    timer_t t; struct sigevent e = {.sigev_notify = SIGEV_NONE}; int f = eventfd(0, 0); (void)f;
    sigset_t s; sigemptyset(&s); sigaddset(&s, SIGRTMIN + 1); e.sigev_notify = SIGEV_THREAD_ID; e.sigev_signo = SIGRTMIN + 1;
    ((int *)&e)[4] = syscall(SYS_gettid); // sigev_notify_thread_id
    WANT("timer_create", timer_create(clock, &e, &t) == 0);
    struct itimerspec i = {{0, 0}, absolute ? at(clock, ns) : rel(ns)};
    WANT("timer_settime", timer_settime(t, absolute ? TIMER_ABSTIME : 0, &i, 0) == 0);
    int sig; WANT("timer", sigwait(&s, &sig) == 0); timer_delete(t);
}
static void s_timer_rel(i64 ns) { posix_timer(CLOCK_MONOTONIC, 0, ns); }
static void s_timer_abs_wall(i64 ns) { posix_timer(CLOCK_REALTIME, 1, ns); }
static void child(i64 ns, int again) {
    pid_t p = fork(); WANT("fork", p >= 0); int st;
    if (!p) { if (again) { if (fork()) _exit(0); } s_nanosleep(ns); say(again ? "fired orphan" : "fired grandchild"); _exit(0); }
    WANT("waitpid", waitpid(p, &st, 0) == p && st == 0);
}
static void s_child(i64 ns) { child(ns, 0); }
static sem_t alarmed;
static void on_alarm(int s) { (void)s; sem_post(&alarmed); }
static void s_alarm(i64 ns) {
    struct itimerval i = {{0, 0}, {ns / NS, ns % NS / 1000}};
    if (ns >= NS) alarm(ns / NS); else setitimer(ITIMER_REAL, &i, 0);
    while (sem_wait(&alarmed)) WANT("sem_wait", errno == EINTR);
}

static struct kind { const char *name; void (*wait)(i64); int once; } kinds[] = {
#define K(n) {#n, s_##n, 0}
    K(sleep), K(nanosleep), K(clock_nanosleep_rel), K(clock_nanosleep_rel_wall), K(clock_nanosleep_abs), K(clock_nanosleep_abs_wall),
    K(select), K(pselect), K(poll), K(ppoll), K(epoll_wait), K(epoll_pwait2), K(sem_timedwait), K(cond_wall), K(cond_monotonic), K(mutex),
    K(mutex_pi), K(futex_wait), K(futex_waitv), K(timerfd_rel), K(timerfd_rel_wall), K(timerfd_abs), K(timerfd_abs_wall),
    K(sigtimedwait), K(semtimedop), K(mq_timedreceive), K(timer_rel), K(timer_abs_wall), K(alarm), {"child", s_child, 1},
};
#define KINDS (sizeof kinds / sizeof *kinds)
static void *hour(void *arg) { struct kind *k = arg; char b[64]; k->wait(3600 * NS); snprintf(b, 64, "fired %s", k->name); say(b); return 0; }
static void *shortly(void *arg) {
    struct kind *k = arg; char b[64]; i64 t = now(CLOCK_MONOTONIC); k->wait(200000000);
    snprintf(b, 64, "after %s %lld", k->name, now(CLOCK_MONOTONIC) - t); say(b); return 0;
}
int main(void) {
    pthread_t t[KINDS]; char b[100]; sigset_t s; sem_init(&alarmed, 0, 0);
    signal(SIGALRM, on_alarm); sigemptyset(&s); sigaddset(&s, SIGRTMIN + 1); sigaddset(&s, SIGUSR2); sigset_t all = s; sigaddset(&all, SIGALRM);
    snprintf(b, 100, "ready %lld %lld", now(0), now(1));
    pthread_sigmask(SIG_BLOCK, &all, 0); // the alarm is for this thread alone
    for (unsigned i = 0; i < KINDS; i++) pthread_create(t + i, 0, hour, kinds + i);
    pthread_sigmask(SIG_SETMASK, &s, 0); say(b);
    for (unsigned i = 0; i < KINDS; i++) pthread_join(t[i], 0);
    snprintf(b, 100, "done %lld %lld", now(0), now(1)); say(b);
    pthread_sigmask(SIG_BLOCK, &all, 0);
    for (unsigned i = 0; i < KINDS; i++) if (!kinds[i].once) pthread_create(t + i, 0, shortly, kinds + i);
    pthread_sigmask(SIG_SETMASK, &s, 0);
    for (unsigned i = 0; i < KINDS; i++) if (!kinds[i].once) pthread_join(t[i], 0);
    return 0;
}
