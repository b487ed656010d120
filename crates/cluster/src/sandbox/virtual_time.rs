//! Programs and real agents on the emulator's clock.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use emu_core::{Clock, Follower};
use emu_vtime::Group;

/// How long programs may take to come to rest before a jump, in real time; busy ones are moved as they are.
const AT_REST: Duration = Duration::from_millis(500);

/// One group of programs for each clock that nodes show.
pub(crate) struct Groups {
    clock: Clock,
    by_offset: Mutex<HashMap<i64, Member>>,
}

struct Member {
    group: Arc<Group>,
    follower: Arc<dyn Follower>,
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
        if let Some(member) = groups.get(&offset) {
            return Ok(Arc::clone(&member.group));
        }
        let group = Arc::new(Group::new().map_err(io::Error::other)?);
        let moved = self.clock.offset_nanos();
        match u64::try_from(moved) {
            Ok(0) => {}
            Ok(ahead) => drop(
                group
                    .jump(Duration::from_nanos(ahead))
                    .map_err(io::Error::other)?,
            ),
            Err(_) => drop(group.step_wall(moved).map_err(io::Error::other)?),
        }
        if offset != 0 {
            group.step_wall(offset).map_err(io::Error::other)?;
        }
        let follower: Arc<dyn Follower> = Arc::new(Following(Arc::clone(&group)));
        self.clock.follow(Arc::clone(&follower));
        groups.insert(
            offset,
            Member {
                group: Arc::clone(&group),
                follower,
            },
        );
        Ok(group)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let groups = self
            .by_offset
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for member in groups.values() {
            self.clock.unfollow(&member.follower);
        }
    }
}

/// A group that follows the clock.
struct Following(Arc<Group>);

impl Following {
    fn moved<R>(
        move_it: impl FnOnce(&mut dyn FnMut()) -> Result<R, emu_vtime::Error>,
        commit: &mut dyn FnMut(),
    ) -> io::Result<()> {
        let mut committed = false;
        let outcome = move_it(&mut || {
            committed = true;
            commit();
        });
        if !committed {
            commit();
        }
        outcome.map(drop).map_err(io::Error::other)
    }
}

impl Follower for Following {
    fn advance(&self, by: Duration, commit: &mut dyn FnMut()) -> io::Result<()> {
        // A program on its way into a wait would begin it after the jump, and sleep on.
        let _ = self.0.settle(AT_REST);
        Self::moved(|commit| self.0.jump_with(by, |_| commit()), commit)
    }

    fn step_wall(&self, nanos: i64, commit: &mut dyn FnMut()) -> io::Result<()> {
        Self::moved(|commit| self.0.step_wall_with(nanos, |_| commit()), commit)
    }

    fn settle(&self, limit: Duration) {
        if let Err(e) = self.0.settle(limit) {
            tracing::warn!("programs under virtual time did not settle: {e}");
        }
    }
}
