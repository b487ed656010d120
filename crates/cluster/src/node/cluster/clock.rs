//! The whole node on the emulator's clock.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, Weak},
    time::{Duration, Instant},
};

use emu_core::Clock;
use emu_vtime::Group;

use super::{World, kubelet::Kubelet, lock, node_id, processes};
use crate::virtual_time::{Following, Later, Rest};

/// The longest step: as long as an agent keeps credentials before it renews them.
const STEP: Duration = Duration::from_secs(3 * 3600);
/// The shortest step that is made so that a token is renewed when it is due.
const SHORTEST_FOR_TOKENS: Duration = Duration::from_secs(60);
/// The shortest step that is made so that a program in a pod wakes when it is due. Those that sleep for less wake late,
/// once for each step.
const SHORTEST_FOR_PROGRAMS: Duration = Duration::from_secs(30 * 60);

/// How long after a step, in real time, the kubelet is given to renew a token; it may never.
const RENEWAL: Duration = Duration::from_secs(3);
/// How long programs in pods may take to come to rest, in real time; some never do.
const AT_REST: Duration = Duration::from_millis(500);
/// Programs that wait for an answer look as if they were at rest: they must be so for this long.
const STILL: Duration = Duration::from_millis(20);
/// How often to look.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A node's virtual time; dropping it lets the clock move without it.
pub(super) struct NodeClock {
    following: Following,
    node: Arc<OnceLock<NodeAtWork>>,
}

impl NodeClock {
    /// A group whose programs have the clock's time. Blocks for some milliseconds.
    pub(super) fn new(clock: &Clock) -> io::Result<Self> {
        let node = Arc::new(OnceLock::new());
        Ok(Self {
            following: Following::start(clock, 0, Later(Arc::clone(&node), STEP))?,
            node,
        })
    }

    pub(super) fn group(&self) -> &Arc<Group> {
        self.following.group()
    }

    /// The node is there: from now on each step waits for what is due in it.
    pub(super) fn watch(&self, world: &Arc<World>) {
        let log = world.node.run_dir().join("log/kubelet.log");
        let _ = self.node.set(NodeAtWork {
            world: Arc::downgrade(world),
            kubelet: Mutex::new(Kubelet::new(log)),
        });
    }
}

/// A node's own programs are never at rest. What is waited for: that the kubelet is at work again, has renewed the tokens
/// that are due, and that the programs in pods are at rest. Each pod has a token for the API server, which is due in each
/// step: a jump while the kubelet waits for such a one would make its call fail, and the pod would be left as it is for a
/// step.
struct NodeAtWork {
    world: Weak<World>,
    kubelet: Mutex<Kubelet>,
}

impl Rest for NodeAtWork {
    fn before(&self, _: &Group) {
        lock(&self.kubelet).forget();
    }

    fn settle(&self, group: &Group, limit: Duration) {
        let Some(world) = self.world.upgrade() else {
            return;
        };
        let began = Instant::now();
        let mut kubelet = lock(&self.kubelet);
        while !kubelet.is_awake(world.node.inside()) && began.elapsed() < limit {
            std::thread::sleep(LOOK_AGAIN);
        }
        let renewal = began.elapsed() + RENEWAL;
        let mut projected = world.projected();
        while world.renewal_is_due(&projected) {
            if began.elapsed() > renewal.min(limit) {
                world.give_up(&projected);
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
            projected = world.projected();
        }
        world.learn(projected);
        let node = node_id(&world.node);
        let end = limit.min(began.elapsed() + AT_REST);
        let rest = || {
            let left = end.saturating_sub(began.elapsed());
            group.settle_among(&processes::in_pods(&node), left)
        };
        // Programs that wait for an answer of another are at rest as well; of ours, it is known that they wait.
        while rest().is_settled() {
            std::thread::sleep(STILL);
            let quiet = world.config.clock.exchanges().are_quiet();
            if rest().is_settled() && quiet || began.elapsed() >= end {
                break;
            }
        }
    }

    fn longest_step(&self, group: &Group) -> Duration {
        let Some(world) = self.world.upgrade() else {
            return STEP;
        };
        let renewal = world
            .next_renewal()
            .map(|next| next.max(SHORTEST_FOR_TOKENS));
        let pods = processes::in_pods(&node_id(&world.node));
        let due = group.due(&pods).unwrap_or_default();
        let sleeps = due.into_iter().map(|d| d.left);
        sleeps
            .filter(|left| *left >= SHORTEST_FOR_PROGRAMS)
            .chain(renewal)
            .fold(STEP, Duration::min)
    }
}
