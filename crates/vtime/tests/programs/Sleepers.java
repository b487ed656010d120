// Every kind of timed wait of Java, each for an hour; prints what sleepers.c prints.
import java.net.*;
import java.nio.channels.Selector;
import java.time.Instant;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.locks.*;

public class Sleepers {
    interface Wait { void until(long ms) throws Exception; }
    static final Map<String, Wait> KINDS = new LinkedHashMap<>();
    static synchronized void say(String text) { System.out.println(text); System.out.flush(); }
    static long wall() { Instant now = Instant.now(); return now.getEpochSecond() * 1_000_000_000L + now.getNano(); }

    static void run(long ms, boolean first) throws Exception {
        List<Thread> threads = new ArrayList<>();
        long wall = wall(), mono = System.nanoTime();
        for (var kind : KINDS.entrySet()) {
            Thread t = new Thread(() -> {
                try {
                    long start = System.nanoTime();
                    kind.getValue().until(ms);
                    long took = System.nanoTime() - start;
                    say(first ? "fired " + kind.getKey() : "after " + kind.getKey() + " " + took);
                } catch (Exception e) { say("failed " + kind.getKey() + ": " + e); }
            });
            t.start();
            threads.add(t);
        }
        if (first) say("ready " + wall + " " + mono);
        for (Thread t : threads) t.join();
    }

    public static void main(String[] args) throws Exception {
        KINDS.put("sleep", Thread::sleep);
        KINDS.put("wait", ms -> { Object o = new Object(); synchronized (o) { o.wait(ms); } });
        KINDS.put("parkNanos", ms -> { long end = System.nanoTime() + ms * 1_000_000; while (System.nanoTime() < end) LockSupport.parkNanos(end - System.nanoTime()); });
        KINDS.put("parkUntil", ms -> { long end = System.currentTimeMillis() + ms; while (System.currentTimeMillis() < end) LockSupport.parkUntil(end); });
        KINDS.put("latch", ms -> new CountDownLatch(1).await(ms, TimeUnit.MILLISECONDS));
        KINDS.put("queue", ms -> new LinkedBlockingQueue<Integer>().poll(ms, TimeUnit.MILLISECONDS));
        KINDS.put("condition", ms -> { Lock l = new ReentrantLock(); l.lock(); try { Condition c = l.newCondition(); long left = ms * 1_000_000; while (left > 0) left = c.awaitNanos(left); } finally { l.unlock(); } });
        KINDS.put("scheduler", ms -> { var s = Executors.newSingleThreadScheduledExecutor(); s.schedule(() -> {}, ms, TimeUnit.MILLISECONDS).get(); s.shutdown(); });
        KINDS.put("timer", ms -> { var l = new CountDownLatch(1); var t = new java.util.Timer(); t.schedule(new TimerTask() { public void run() { l.countDown(); } }, ms); l.await(); t.cancel(); });
        KINDS.put("future", ms -> { try { new CompletableFuture<Integer>().get(ms, TimeUnit.MILLISECONDS); } catch (TimeoutException e) { } });
        KINDS.put("selector", ms -> Selector.open().select(ms));
        KINDS.put("socket", ms -> { var l = new ServerSocket(0, 1, InetAddress.getLoopbackAddress()); l.setSoTimeout((int) ms); try { l.accept(); } catch (SocketTimeoutException e) { } });
        KINDS.put("join", ms -> { Thread t = new Thread(() -> { try { Thread.sleep(10 * ms); } catch (InterruptedException e) { } }); t.setDaemon(true); t.start(); t.join(ms); t.interrupt(); });
        run(3_600_000, true);
        say("done " + wall() + " " + System.nanoTime());
        run(200, false);
    }
}
