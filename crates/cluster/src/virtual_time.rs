//! Groups of real programs that follow the emulator's clock.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use emu_core::{Clock, Follower};
use emu_vtime::Group;

/// When the programs of a group have done what a step of the clock made due.
pub(crate) trait Rest: Send + Sync + 'static {
    /// A step is about to be made.
    fn before(&self, group: &Group);

    /// Blocks until what was due is done, or until `limit` of real time has passed.
    fn settle(&self, group: &Group, limit: Duration);

    /// The longest step that lets everything happen on its way.
    fn longest_step(&self, group: &Group) -> Duration;
}

/// A group that follows a clock; dropping it lets the clock move without it.
pub(crate) struct Following {
    clock: Clock,
    follower: Arc<dyn Follower>,
    group: Arc<Group>,
}

impl Following {
    /// A group whose programs have the clock's time; their wall clock is off by `skew` nanoseconds. Blocks for some
    /// milliseconds.
    pub(crate) fn start(clock: &Clock, skew: i64, rest: impl Rest) -> io::Result<Self> {
        let group = Arc::new(Group::new().map_err(io::Error::other)?);
        let moved = clock.offset_nanos();
        match u64::try_from(moved) {
            Ok(0) => {}
            Ok(ahead) => drop(
                group
                    .jump(Duration::from_nanos(ahead))
                    .map_err(io::Error::other)?,
            ),
            Err(_) => drop(group.step_wall(moved).map_err(io::Error::other)?),
        }
        if skew != 0 {
            group.step_wall(skew).map_err(io::Error::other)?;
        }
        let follower: Arc<dyn Follower> = Arc::new(Member {
            group: Arc::clone(&group),
            rest,
        });
        clock.follow(Arc::clone(&follower));
        Ok(Self {
            clock: clock.clone(),
            follower,
            group,
        })
    }

    /// The group.
    pub(crate) fn group(&self) -> &Arc<Group> {
        &self.group
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.clock.unfollow(&self.follower);
    }
}

/// A rest that is known only later: until then nothing is waited for.
pub(crate) struct Later<R>(pub(crate) Arc<OnceLock<R>>, pub(crate) Duration);

impl<R: Rest> Rest for Later<R> {
    fn before(&self, group: &Group) {
        if let Some(rest) = self.0.get() {
            rest.before(group);
        }
    }

    fn settle(&self, group: &Group, limit: Duration) {
        if let Some(rest) = self.0.get() {
            rest.settle(group, limit);
        }
    }

    fn longest_step(&self, group: &Group) -> Duration {
        let rest = self.0.get();
        rest.map_or(self.1, |rest| rest.longest_step(group))
    }
}

struct Member<R> {
    group: Arc<Group>,
    rest: R,
}

/// Commits exactly once, whatever becomes of the group.
fn moved<T>(
    move_it: impl FnOnce(&mut dyn FnMut()) -> Result<T, emu_vtime::Error>,
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

impl<R: Rest> Follower for Member<R> {
    fn advance(&self, by: Duration, commit: &mut dyn FnMut()) -> io::Result<()> {
        self.rest.before(&self.group);
        moved(|commit| self.group.jump_with(by, |_| commit()), commit)
    }

    fn step_wall(&self, nanos: i64, commit: &mut dyn FnMut()) -> io::Result<()> {
        moved(
            |commit| self.group.step_wall_with(nanos, |_| commit()),
            commit,
        )
    }

    fn settle(&self, limit: Duration) {
        self.rest.settle(&self.group, limit);
    }

    fn longest_step(&self) -> Duration {
        self.rest.longest_step(&self.group)
    }
}
