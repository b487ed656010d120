# Threads that read the clock and wait, under jumps; ends like load.c.
import os, select, sys, threading, time


def fail(*what):
    print(*what, file=sys.stderr, flush=True)
    os._exit(1)


def naps(wait):
    last = (time.monotonic_ns(), time.time_ns())
    for i in range(int(sys.argv[1])):
        d = 3600 if i % 4 == 3 else i % 5 / 1000
        start = time.monotonic_ns()
        wait(d)
        now = (time.monotonic_ns(), time.time_ns())
        if now[0] - start < d * 1_000_000_000:
            fail("a wait of", d, "ended after", now[0] - start)
        if now[0] < last[0] or now[1] < last[1]:
            fail("time went back from", last, "to", now)
        last = now


waits = [time.sleep, lambda d: threading.Event().wait(d), lambda d: select.select([], [], [], d)]
threads = [threading.Thread(target=naps, args=(w,)) for w in waits * 2]
for t in threads:
    t.start()
print("ready", flush=True)
for t in threads:
    t.join()
