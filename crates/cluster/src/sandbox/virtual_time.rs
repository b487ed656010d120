//! Programs and real agents on the emulator's clock.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use emu_core::{Clock, Exchanges};
use emu_vtime::{Group, Settled};

use crate::virtual_time::{Following, Rest};

/// How long programs may take to come to rest before a jump, in real time; busy ones are moved as they are.
const AT_REST: Duration = Duration::from_millis(500);

/// The pause between two looks at answers that are under way.
const LOOK_AGAIN: Duration = Duration::from_micros(300);

/// The longest step.
const STEP: Duration = Duration::from_secs(600);

/// One group of programs for each clock that nodes show.
pub(crate) struct Groups {
    clock: Clock,
    by_offset: Mutex<HashMap<i64, Following>>,
}

impl Groups {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            by_offset: Mutex::default(),
        }
    }

    /// The group of the nodes whose clock is off by so many nanoseconds. Blocks for some milliseconds the first time.
    pub(crate) fn group(&self, offset: i64) -> io::Result<Arc<Group>> {
        let mut groups = self
            .by_offset
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(following) = groups.get(&offset) {
            return Ok(Arc::clone(following.group()));
        }
        let rest = AllAtRest {
            exchanges: self.clock.exchanges().clone(),
            restless: AtomicBool::new(false),
        };
        let following = Following::start(&self.clock, offset, rest)?;
        let group = Arc::clone(following.group());
        groups.insert(offset, following);
        Ok(group)
    }
}

/// Every thread of every program is blocked, and none awaits an answer of ours.
struct AllAtRest {
    exchanges: Exchanges,
    /// Something was still at work when patience ended, and most likely goes on.
    restless: AtomicBool,
}

impl AllAtRest {
    /// Whether everything came to rest in time, or what did not.
    fn wait(&self, group: &Group, limit: Duration) -> Result<(), String> {
        let end = Instant::now() + limit;
        let look = || match group.settle(end.saturating_duration_since(Instant::now())) {
            Ok(Settled::Yes { switches, .. }) => Ok(switches),
            Ok(Settled::No { running }) => Err(running),
            Err(e) => Err(e.to_string()),
        };
        loop {
            // None has run between the two looks, so none was answered meanwhile, nor asked.
            let before = look()?;
            let quiet = self.exchanges.are_quiet();
            if quiet && look()? == before {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err("a program awaits an answer".into());
            }
            if !quiet {
                std::thread::sleep(LOOK_AGAIN);
            }
        }
    }
}

impl Rest for AllAtRest {
    fn before(&self, group: &Group) {
        // A program on its way into a wait would begin it after the jump, and sleep on.
        let _ = self.wait(group, AT_REST);
    }

    fn settle(&self, group: &Group, limit: Duration) {
        let was_restless = self.restless.load(Relaxed);
        let limit = if was_restless {
            limit.min(AT_REST)
        } else {
            limit
        };
        let outcome = self.wait(group, limit);
        self.restless.store(outcome.is_err(), Relaxed);
        if let Err(e) = outcome
            && !was_restless
        {
            tracing::warn!("programs under virtual time did not settle: {e}");
        }
    }

    fn longest_step(&self, _: &Group) -> Duration {
        STEP
    }
}
