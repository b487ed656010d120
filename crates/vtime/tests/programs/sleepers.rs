// Every kind of timed wait of Rust's standard library, each for an hour; prints what sleepers.c prints.
use std::io::Write;
use std::sync::{Condvar, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime};
use std::thread;

type Wait = fn(Duration);

const KINDS: &[(&str, Wait)] = &[
    ("sleep", thread::sleep),
    ("park", |d| {
        let end = Instant::now() + d;
        while Instant::now() < end {
            thread::park_timeout(end - Instant::now());
        }
    }),
    ("condvar", |d| {
        let (m, c) = (Mutex::new(()), Condvar::new());
        let result = c.wait_timeout_while(m.lock().unwrap(), d, |_| true).unwrap();
        assert!(result.1.timed_out());
    }),
    ("channel", |d| {
        let (_keep, receiver) = mpsc::channel::<()>();
        assert_eq!(receiver.recv_timeout(d), Err(mpsc::RecvTimeoutError::Timeout));
    }),
    ("wall", |d| {
        let end = SystemTime::now() + d;
        while let Ok(left) = end.duration_since(SystemTime::now()) {
            thread::sleep(left);
        }
    }),
];

fn say(text: String) {
    std::io::stdout().write_all((text + "\n").as_bytes()).unwrap();
}

fn wall() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()
}

fn run(length: Duration, done: fn(&str, u128)) -> Vec<thread::JoinHandle<()>> {
    let spawn = |&(name, wait): &'static (&str, Wait)| {
        thread::spawn(move || {
            let start = Instant::now();
            wait(length);
            done(name, start.elapsed().as_nanos());
        })
    };
    KINDS.iter().map(spawn).collect()
}

fn main() {
    let start = Instant::now();
    let threads = run(Duration::from_secs(3600), |name, _| say(format!("fired {name}")));
    say(format!("ready {} 0", wall()));
    threads.into_iter().for_each(|t| t.join().unwrap());
    say(format!("done {} {}", wall(), start.elapsed().as_nanos()));
    let threads = run(Duration::from_millis(200), |name, ns| say(format!("after {name} {ns}")));
    threads.into_iter().for_each(|t| t.join().unwrap());
}
