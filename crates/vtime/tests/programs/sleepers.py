# Every kind of timed wait of CPython, each for an hour; prints what sleepers.c prints.
import asyncio, os, queue, select, selectors, signal, socket, sys, threading, time


def say(text):
    os.write(1, (text + "\n").encode())


def locked(d):
    lock = threading.Lock()
    lock.acquire()
    assert not lock.acquire(timeout=d)


def timer(d):
    done = threading.Event()
    threading.Timer(d, done.set).start()
    done.wait()


def empty_queue(d):
    try:
        queue.Queue().get(timeout=d)
    except queue.Empty:
        return
    raise AssertionError


def poll(d):
    r, w = os.pipe()
    p = select.poll()
    p.register(r)
    assert not p.poll(d * 1000)


def selector(d):
    r, w = os.pipe()
    s = selectors.DefaultSelector()
    s.register(r, selectors.EVENT_READ)
    assert not s.select(d)


def sock(d):
    a, b = socket.socketpair()
    a.settimeout(d)
    try:
        a.recv(1)
    except socket.timeout:
        return
    raise AssertionError


def aio(d):
    asyncio.new_event_loop().run_until_complete(asyncio.sleep(d))


def aio_wait_for(d):
    async def main():
        try:
            await asyncio.wait_for(asyncio.Event().wait(), d)
        except asyncio.TimeoutError:
            return
        raise AssertionError

    asyncio.new_event_loop().run_until_complete(main())


kinds = {
    "sleep": time.sleep,
    "event": lambda d: threading.Event().wait(d),
    "condition": lambda d: condition(d),
    "lock": locked,
    "timer": timer,
    "queue": empty_queue,
    "select": lambda d: select.select([os.pipe()[0]], [], [], d),
    "poll": poll,
    "selector": selector,
    "socket": sock,
    "asyncio": aio,
    "asyncio.wait_for": aio_wait_for,
}


def condition(d):
    c = threading.Condition()
    with c:
        assert not c.wait(d)


def run(wait, d, done):
    t = time.monotonic_ns()
    wait(d)
    done(time.monotonic_ns() - t)


def begin(d, done):
    threads = [threading.Thread(target=run, args=(w, d, lambda ns, n=n: done(n, ns))) for n, w in kinds.items()]
    for t in threads:
        t.start()
    return threads


alarmed = []
signal.signal(signal.SIGALRM, lambda *_: (say("fired alarm"), alarmed.append(1)))
signal.alarm(3600)
wall, mono = time.time_ns(), time.monotonic_ns()
threads = begin(3600, lambda name, ns: say(f"fired {name}"))
say(f"ready {wall} {mono}")
for t in threads:
    t.join()
assert alarmed
say(f"done {time.time_ns()} {time.monotonic_ns()}")
for t in begin(0.2, lambda name, ns: say(f"after {name} {ns}")):
    t.join()
