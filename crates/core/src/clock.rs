//! The one clock: real time plus an offset that can be moved.
//!
//! `advance` moves the offset from one due sleeper to the next, wakes it and waits until it has done its work, so that
//! what is due on the way happens on the way. Unmodified programs follow through a [`Follower`].

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot, watch};

use crate::Exchanges;

/// How long `advance` waits, in real time, for woken sleepers to finish before it moves on all the same.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// Something with a clock of its own that must move along: a tree of real programs under virtual time.
pub trait Follower: Send + Sync + 'static {
    /// Stops the programs, moves their clocks forward by `by`, calls `commit` exactly once while they stand still, and
    /// lets them go on.
    ///
    /// # Errors
    /// When the programs could not be moved; `commit` must have been called all the same.
    fn advance(&self, by: Duration, commit: &mut dyn FnMut()) -> std::io::Result<()>;

    /// The same for the wall clock alone, which may go back. `nanos` is signed.
    ///
    /// # Errors
    /// As for `advance`.
    fn step_wall(&self, nanos: i64, commit: &mut dyn FnMut()) -> std::io::Result<()>;

    /// Blocks until the programs are at rest again, or until `limit` of real time has passed.
    fn settle(&self, limit: Duration);

    /// The longest step this follower wants in one jump.
    fn longest_step(&self) -> Duration {
        Duration::from_secs(600)
    }
}

/// A handle to the clock; clones are the same clock. A clone may see the wall skewed ([`Clock::skewed`]).
#[derive(Clone)]
pub struct Clock {
    inner: Arc<Inner>,
    skew_nanos: i64,
}

struct Inner {
    origin: Instant,
    /// What the wall clock showed then; none for the machine's own wall clock at any time.
    origin_wall: Option<i128>,
    /// Nanoseconds by which every clock has been moved forward.
    advanced: AtomicI64,
    /// Nanoseconds by which the wall clock alone has been stepped.
    stepped: AtomicI64,
    moved: watch::Sender<u64>,
    sleepers: Mutex<BTreeMap<(Duration, u64), oneshot::Sender<Busy>>>,
    next_id: AtomicU64,
    busy: AtomicUsize,
    idle: Notify,
    followers: Mutex<Vec<Arc<dyn Follower>>>,
    /// Why it cannot be moved, if it cannot.
    pinned: Mutex<Option<String>>,
    advancing: tokio::sync::Mutex<()>,
    exchanges: Exchanges,
}

/// While one of these lives, `advance` waits before it moves on: somebody is doing what was due.
pub struct Busy(Arc<Inner>);

impl Busy {
    fn new(inner: &Arc<Inner>) -> Self {
        inner.busy.fetch_add(1, SeqCst);
        Self(Arc::clone(inner))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, SeqCst) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

impl Clock {
    /// A clock that shows real time until it is moved. It does not see that the machine's wall clock is set.
    pub fn new() -> Self {
        Self::starting(Some(Timestamp::now().as_nanosecond()))
    }

    /// The machine's clock, for a program of its own: when the wall clock is set, so is this one.
    pub fn of_machine() -> Self {
        Self::starting(None)
    }

    fn starting(origin_wall: Option<i128>) -> Self {
        Self {
            inner: Arc::new(Inner {
                origin: Instant::now(),
                origin_wall,
                advanced: AtomicI64::new(0),
                stepped: AtomicI64::new(0),
                moved: watch::Sender::new(0),
                sleepers: Mutex::default(),
                next_id: AtomicU64::new(0),
                busy: AtomicUsize::new(0),
                idle: Notify::new(),
                followers: Mutex::default(),
                pinned: Mutex::default(),
                advancing: tokio::sync::Mutex::default(),
                exchanges: Exchanges::default(),
            }),
            skew_nanos: 0,
        }
    }

    /// The same clock, read by somebody whose wall clock is off by `nanos` (a node with a wrong clock).
    #[must_use]
    pub fn skewed(&self, nanos: i64) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            skew_nanos: self.skew_nanos.saturating_add(nanos),
        }
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        let unmoved = match self.inner.origin_wall {
            Some(origin) => origin + self.monotonic().as_nanos() as i128,
            None => Timestamp::now().as_nanosecond() + i128::from(self.inner.advanced.load(SeqCst)),
        };
        let nanos =
            unmoved + i128::from(self.inner.stepped.load(SeqCst)) + i128::from(self.skew_nanos);
        Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX)
    }

    /// Virtual time since this clock was made; never goes back.
    pub fn monotonic(&self) -> Duration {
        let advanced = self.inner.advanced.load(SeqCst).max(0) as u64;
        self.inner.origin.elapsed() + Duration::from_nanos(advanced)
    }

    /// By how much the wall clock differs from real time, in nanoseconds.
    pub fn offset_nanos(&self) -> i64 {
        self.inner
            .advanced
            .load(SeqCst)
            .saturating_add(self.inner.stepped.load(SeqCst))
            .saturating_add(self.skew_nanos)
    }

    /// A timer for a task of ours; see [`Timer`].
    pub fn timer(&self) -> Timer {
        Timer {
            clock: self.clone(),
            busy: None,
        }
    }

    /// Tells `advance` to wait until the guard is dropped.
    pub fn busy(&self) -> Busy {
        Busy::new(&self.inner)
    }

    /// The exchanges with programs that follow this clock: they are to be over before it jumps.
    pub fn exchanges(&self) -> &Exchanges {
        &self.inner.exchanges
    }

    /// Makes unmodified programs follow this clock. They must already stand at its offset.
    pub fn follow(&self, follower: Arc<dyn Follower>) {
        lock(&self.inner.followers).push(follower);
    }

    /// Pins the clock to real time: somebody shares it who cannot follow. Whoever tries to move it from now on is told why.
    pub fn pin(&self, why: impl Into<String>) {
        *lock(&self.inner.pinned) = Some(why.into());
    }

    fn movable(&self) -> std::io::Result<()> {
        match &*lock(&self.inner.pinned) {
            None => Ok(()),
            Some(why) => Err(std::io::Error::new(
                std::io::ErrorKind::Unsupported,
                why.clone(),
            )),
        }
    }

    /// Lets go of a follower.
    pub fn unfollow(&self, follower: &Arc<dyn Follower>) {
        lock(&self.inner.followers).retain(|f| !Arc::ptr_eq(f, follower));
    }

    /// Resolves whenever the clock is moved; for waiters who look at the wall clock.
    pub fn moves(&self) -> watch::Receiver<u64> {
        self.inner.moved.subscribe()
    }

    /// Moves every clock forward by `by`, stopping at each due sleeper on the way.
    ///
    /// # Errors
    /// When a follower could not be moved; our own clock has moved all the same. `Unsupported` when the clock is
    /// [pinned](Clock::pin); then nothing has moved.
    pub async fn advance(&self, by: Duration) -> std::io::Result<()> {
        let _one_at_a_time = self.inner.advancing.lock().await;
        self.movable()?;
        let target = self.monotonic() + by;
        let mut outcome = Ok(());
        self.settle().await;
        self.let_followers_rest().await;
        loop {
            let now = self.monotonic();
            let followers = lock(&self.inner.followers).clone();
            let due = lock(&self.inner.sleepers)
                .first_key_value()
                .map(|((deadline, _), _)| *deadline)
                .filter(|deadline| *deadline <= target);
            let longest = followers
                .iter()
                .map(|f| f.longest_step())
                .min()
                .unwrap_or(Duration::MAX);
            // Programs take time to come to rest, so with them our own sleepers are woken by steps of theirs, not singly.
            let wanted = if followers.is_empty() {
                due.unwrap_or(target)
            } else {
                target
            }
            .saturating_sub(now);
            let step = wanted.min(longest);
            if !step.is_zero() {
                let moved = self.shift(followers, step).await;
                outcome = outcome.and(moved);
            }
            self.wake_due();
            self.settle().await;
            let alone = lock(&self.inner.followers).is_empty();
            if step == wanted && (due.is_none() || !alone) {
                return outcome;
            }
        }
    }

    /// Moves forward until the wall clock shows `at`; does nothing if it already has passed.
    ///
    /// # Errors
    /// As [`Clock::advance`].
    pub async fn advance_to(&self, at: Timestamp) -> std::io::Result<()> {
        let by = at.as_nanosecond() - self.now().as_nanosecond();
        match u64::try_from(by) {
            Ok(nanos) => self.advance(Duration::from_nanos(nanos)).await,
            Err(_) => Ok(()),
        }
    }

    /// Steps the wall clock alone, forwards or back, as an operator or a bad time server does.
    ///
    /// # Errors
    /// As [`Clock::advance`].
    pub async fn step_wall(&self, nanos: i64) -> std::io::Result<()> {
        let _one_at_a_time = self.inner.advancing.lock().await;
        self.movable()?;
        let followers = lock(&self.inner.followers).clone();
        let inner = Arc::clone(&self.inner);
        let outcome = blocking(move || {
            let commit = &mut || {
                inner.stepped.fetch_add(nanos, SeqCst);
            };
            nest(&followers, &|f, commit| f.step_wall(nanos, commit), commit)
        })
        .await;
        self.inner.moved.send_modify(|n| *n += 1);
        outcome
    }

    async fn shift(&self, followers: Vec<Arc<dyn Follower>>, by: Duration) -> std::io::Result<()> {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX / 2);
        let inner = Arc::clone(&self.inner);
        let outcome = if followers.is_empty() {
            inner.advanced.fetch_add(nanos, SeqCst);
            Ok(())
        } else {
            blocking(move || {
                let commit = &mut || {
                    inner.advanced.fetch_add(nanos, SeqCst);
                };
                let outcome = nest(&followers, &|f, commit| f.advance(by, commit), commit);
                for follower in &followers {
                    follower.settle(SETTLE_LIMIT);
                }
                outcome
            })
            .await
        };
        self.inner.moved.send_modify(|n| *n += 1);
        outcome
    }

    /// A program on its way into a sleep must be in it before the clock jumps, or it sleeps past the jump.
    async fn let_followers_rest(&self) {
        let followers = lock(&self.inner.followers).clone();
        if followers.is_empty() {
            return;
        }
        // Rest is best effort: what is not at rest by then is moved all the same.
        let _ = blocking(move || {
            for follower in &followers {
                follower.settle(SETTLE_LIMIT);
            }
            Ok(())
        })
        .await;
    }

    fn wake_due(&self) {
        let now = self.monotonic();
        let mut sleepers = lock(&self.inner.sleepers);
        while let Some(first) = sleepers.first_entry() {
            if first.key().0 > now {
                break;
            }
            // A sleeper that was dropped meanwhile gives the guard back, which ends it.
            let _ = first.remove().send(Busy::new(&self.inner));
        }
    }

    /// Resolves when nobody is doing what was due, or after some seconds of real time.
    pub async fn settled(&self) {
        self.settle().await;
    }

    /// Waits until nobody is busy, for at most some seconds of real time.
    async fn settle(&self) {
        let quiet = async {
            loop {
                let idle = self.inner.idle.notified();
                if self.inner.busy.load(SeqCst) == 0 {
                    break;
                }
                idle.await;
            }
        };
        let _ = tokio::time::timeout(SETTLE_LIMIT, quiet).await;
    }
}

/// A task's own timer. From the moment a sleep ends until the next one begins (or the timer is dropped or told it is
/// [`idle`](Timer::idle)) the task counts as busy, and `advance` waits for it.
pub struct Timer {
    clock: Clock,
    busy: Option<Busy>,
}

impl Timer {
    /// Sleeps for `duration` of virtual time.
    pub async fn sleep(&mut self, duration: Duration) {
        let deadline = self.clock.monotonic() + duration;
        self.sleep_until(deadline).await;
    }

    /// Sleeps until [`Clock::monotonic`] shows `deadline`.
    pub async fn sleep_until(&mut self, deadline: Duration) {
        let inner = &self.clock.inner;
        let (sender, mut woken) = oneshot::channel();
        let id = inner.next_id.fetch_add(1, SeqCst);
        let key = (deadline, id);
        lock(&inner.sleepers).insert(key, sender);
        let _entry = SleeperEntry { inner, key };
        self.busy = None;
        self.busy = loop {
            let left = deadline.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                // Either `advance` has just taken the entry and its guard is on the way, or real time got here first.
                if lock(&inner.sleepers).remove(&key).is_some() {
                    break Some(Busy::new(inner));
                }
                break (&mut woken).await.ok();
            }
            tokio::select! {
                guard = &mut woken => break guard.ok(),
                () = tokio::time::sleep(left) => {}
            }
        };
    }

    /// Sleeps until the wall clock shows `at`, also if it is stepped meanwhile.
    pub async fn sleep_until_wall(&mut self, at: Timestamp) {
        loop {
            let left = at.as_nanosecond() - self.clock.now().as_nanosecond();
            let Ok(left) = u64::try_from(left) else {
                return;
            };
            if left == 0 {
                return;
            }
            let mut moves = self.clock.moves();
            moves.mark_unchanged();
            let deadline = self.clock.monotonic() + Duration::from_nanos(left);
            let stepped = self.clock.inner.stepped.load(SeqCst);
            let clock = self.clock.clone();
            tokio::select! {
                () = self.sleep_until(deadline) => {}
                () = async move {
                    while clock.inner.stepped.load(SeqCst) == stepped {
                        if moves.changed().await.is_err() { std::future::pending::<()>().await; }
                    }
                } => {}
            }
        }
    }

    /// Says that what was due is done, though the next sleep has not begun.
    pub fn idle(&mut self) {
        self.busy = None;
    }

    /// The clock this timer belongs to.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

struct SleeperEntry<'a> {
    inner: &'a Inner,
    key: (Duration, u64),
}

impl Drop for SleeperEntry<'_> {
    fn drop(&mut self) {
        lock(&self.inner.sleepers).remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(f)
        .await
        .unwrap_or_else(|e| Err(std::io::Error::other(e)))
}

type Move<'a> = &'a dyn Fn(&dyn Follower, &mut dyn FnMut()) -> std::io::Result<()>;

/// Stops the first follower, inside that the second, and so on; commits when all stand still.
fn nest(
    followers: &[Arc<dyn Follower>],
    apply: Move<'_>,
    commit: &mut dyn FnMut(),
) -> std::io::Result<()> {
    let Some((first, rest)) = followers.split_first() else {
        commit();
        return Ok(());
    };
    let mut inner = Ok(());
    let mut committed = false;
    let outer = apply(first.as_ref(), &mut || {
        committed = true;
        inner = nest(rest, apply, commit);
    });
    if !committed {
        inner = nest(rest, apply, commit);
    }
    outer.and(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(clock: &Clock) -> u64 {
        clock.monotonic().as_secs()
    }

    #[tokio::test]
    async fn advance_is_immediate_and_exact() {
        let clock = Clock::new();
        let real = Instant::now();
        let before = clock.now();
        clock.advance(Duration::from_secs(21_600)).await.unwrap();
        let moved = clock.now().duration_since(before).as_secs_f64();
        assert!((21_600.0..21_601.0).contains(&moved), "{moved}");
        assert!(real.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_pinned_clock_says_why_it_stays() {
        let clock = Clock::new();
        clock.skewed(5).pin("a cluster of others has its own");
        let refused = clock.advance(Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::Unsupported);
        assert_eq!(refused.to_string(), "a cluster of others has its own");
        assert!(clock.step_wall(-1).await.is_err());
        assert_eq!(clock.offset_nanos(), 0);
    }

    #[tokio::test]
    async fn sleepers_wake_in_order_each_at_its_own_time() {
        let clock = Clock::new();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for seconds in [30u64, 10, 20] {
            let (clock, log) = (clock.clone(), Arc::clone(&log));
            let mut timer = clock.timer();
            let deadline = clock.monotonic() + Duration::from_secs(seconds);
            tasks.push(tokio::spawn(async move {
                timer.sleep_until(deadline).await;
                log.lock().unwrap().push((seconds, at(&clock)));
            }));
        }
        while lock(&clock.inner.sleepers).len() < 3 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(60)).await.unwrap();
        assert_eq!(*log.lock().unwrap(), [(10, 10), (20, 20), (30, 30)]);
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_periodic_task_runs_once_a_period_on_the_way() {
        let clock = Clock::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let mut timer = clock.timer();
        let counted = Arc::clone(&runs);
        let task = tokio::spawn(async move {
            loop {
                timer.sleep(Duration::from_secs(60)).await;
                tokio::task::yield_now().await;
                counted.fetch_add(1, SeqCst);
            }
        });
        while lock(&clock.inner.sleepers).is_empty() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(3_601)).await.unwrap();
        assert!(
            (59..=60).contains(&runs.load(SeqCst)),
            "{}",
            runs.load(SeqCst)
        );
        task.abort();
    }

    #[tokio::test]
    async fn a_dropped_sleeper_holds_nobody_up() {
        let clock = Clock::new();
        let mut timer = clock.timer();
        let _ = tokio::time::timeout(
            Duration::from_millis(1),
            timer.sleep(Duration::from_secs(10)),
        )
        .await;
        let real = Instant::now();
        clock.advance(Duration::from_secs(20)).await.unwrap();
        assert!(real.elapsed() < SETTLE_LIMIT);
    }

    #[tokio::test]
    async fn the_wall_alone_can_go_back() {
        let clock = Clock::new();
        let (wall, monotonic) = (clock.now(), clock.monotonic());
        clock.step_wall(-7_200_000_000_000).await.unwrap();
        assert!(clock.now() < wall);
        assert!(clock.monotonic() >= monotonic);
    }

    struct Programs(Mutex<Vec<Duration>>);

    impl Follower for Programs {
        fn advance(&self, by: Duration, commit: &mut dyn FnMut()) -> std::io::Result<()> {
            self.0.lock().unwrap().push(by);
            commit();
            Ok(())
        }
        fn step_wall(&self, _: i64, commit: &mut dyn FnMut()) -> std::io::Result<()> {
            commit();
            Ok(())
        }
        fn settle(&self, _: Duration) {}
    }

    #[tokio::test]
    async fn followers_move_in_steps_that_add_up() {
        let clock = Clock::new();
        let programs = Arc::new(Programs(Mutex::default()));
        let other = Arc::new(Programs(Mutex::default()));
        clock.follow(programs.clone());
        clock.follow(other.clone());
        clock.advance(Duration::from_secs(1_500)).await.unwrap();
        for follower in [programs, other] {
            let steps = follower.0.lock().unwrap().clone();
            assert_eq!(steps.len(), 3);
            let sum: Duration = steps.iter().sum();
            assert!(sum <= Duration::from_secs(1_500) && sum > Duration::from_secs(1_499));
        }
        assert!(at(&clock) >= 1_500);
    }
}
