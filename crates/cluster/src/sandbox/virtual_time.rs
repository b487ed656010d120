//! Programs and real agents on the emulator's clock.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use emu_core::Clock;
use emu_vtime::Group;

use crate::virtual_time::{Following, Rest};

/// How long programs may take to come to rest before a jump, in real time; busy ones are moved as they are.
const AT_REST: Duration = Duration::from_millis(500);

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
        let following = Following::start(&self.clock, offset, AllAtRest)?;
        let group = Arc::clone(following.group());
        groups.insert(offset, following);
        Ok(group)
    }
}

/// Every thread of every program is blocked.
struct AllAtRest;

impl Rest for AllAtRest {
    fn before(&self, group: &Group) {
        // A program on its way into a wait would begin it after the jump, and sleep on.
        let _ = group.settle(AT_REST);
    }

    fn settle(&self, group: &Group, limit: Duration) {
        if let Err(e) = group.settle(limit) {
            tracing::warn!("programs under virtual time did not settle: {e}");
        }
    }

    fn longest_step(&self, _: &Group) -> Duration {
        STEP
    }
}
