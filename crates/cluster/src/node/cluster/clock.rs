//! The whole node on the emulator's clock.

use std::{io, sync::Arc, time::Duration};

use emu_core::{Clock, Follower};
use emu_vtime::Group;

/// How long the node's programs are given after each step of a move, in real time. A node is never at rest, so there is
/// nothing to wait for. What it takes: after a jump the kubelet finds its runtime silent and sleeps for 0.1 s, 0.2 s and so
/// on up to 5 s until it has looked again; a next jump before that would make it sleep ever longer.
const SETTLE: Duration = Duration::from_secs(1);

/// The longest step: less than what is left of a day's token when the kubelet renews it (a fifth of 22 hours at least).
const STEP: Duration = Duration::from_secs(3 * 3600);

/// A node's virtual time; dropping it lets the clock move without it.
pub(super) struct NodeClock {
    clock: Clock,
    follower: Arc<dyn Follower>,
    pub(super) group: Arc<Group>,
}

impl NodeClock {
    /// A group whose programs have the clock's time. Blocks for some milliseconds.
    pub(super) fn new(clock: &Clock) -> io::Result<Self> {
        let group = Arc::new(Group::new().map_err(io::Error::other)?);
        let moved = clock.offset_nanos();
        match u64::try_from(moved) {
            Ok(0) => {}
            Ok(ahead) => {
                let ahead = Duration::from_nanos(ahead);
                group.jump(ahead).map_err(io::Error::other)?;
            }
            Err(_) => drop(group.step_wall(moved).map_err(io::Error::other)?),
        }
        let follower: Arc<dyn Follower> = Arc::new(Following(Arc::clone(&group)));
        clock.follow(Arc::clone(&follower));
        Ok(Self {
            clock: clock.clone(),
            follower,
            group,
        })
    }
}

impl Drop for NodeClock {
    fn drop(&mut self) {
        self.clock.unfollow(&self.follower);
    }
}

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
        Self::moved(|commit| self.0.jump_with(by, |_| commit()), commit)
    }

    fn step_wall(&self, nanos: i64, commit: &mut dyn FnMut()) -> io::Result<()> {
        Self::moved(|commit| self.0.step_wall_with(nanos, |_| commit()), commit)
    }

    fn settle(&self, limit: Duration) {
        std::thread::sleep(limit.min(SETTLE));
    }

    fn longest_step(&self) -> Duration {
        STEP
    }
}
