//! Which faults lie on which piece of the network, and whom they hit.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use emu_core::{Event, Ids, Journal};
use tokio::sync::watch;

use super::gate::Door;
use crate::fault::{FaultPlace, NetworkFault, NetworkFaultKind};

/// The table of faults.
pub(crate) struct Faults {
    table: Mutex<HashMap<FaultPlace, Active>>,
    changes: watch::Sender<u64>,
    journal: Journal,
    ids: Ids,
}

struct Active {
    fault: NetworkFault,
    struck: u32,
}

impl Faults {
    pub(crate) fn new(journal: Journal, ids: Ids) -> Self {
        Self {
            table: Mutex::default(),
            changes: watch::Sender::new(0),
            journal,
            ids,
        }
    }

    /// Puts a fault on a place or takes it away. Connections that run there are cut.
    pub(crate) fn set(&self, place: FaultPlace, fault: Option<NetworkFault>) {
        let mut table = self.lock();
        match fault {
            Some(fault) => {
                if fault.is_total() {
                    self.record(&place, &fault.what, "every connection");
                }
                table.insert(place, Active { fault, struck: 0 });
            }
            None => {
                table.remove(&place);
            }
        }
        drop(table);
        self.changes.send_modify(|n| *n += 1);
    }

    /// Resolves when a fault is put somewhere or taken away.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What the faults on these places (the nearest first) mean for the socket itself.
    pub(crate) fn door(&self, places: &[FaultPlace]) -> Door {
        let table = self.lock();
        let fault = places.iter().find_map(|p| table.get(p));
        match fault.map(|a| (&a.fault.what, a.fault.is_total())) {
            Some((NetworkFaultKind::Refuse, true)) => Door::Refuse,
            Some((NetworkFaultKind::Blackhole, true)) => Door::Blackhole,
            _ => Door::Open,
        }
    }

    /// What happens to one connection over these places, the nearest first.
    pub(crate) fn strike(&self, places: &[FaultPlace]) -> Option<NetworkFaultKind> {
        let mut table = self.lock();
        let place = places.iter().find(|p| table.contains_key(p))?;
        let active = table.get_mut(place)?;
        if active.fault.times.is_some_and(|t| active.struck >= t) {
            return None;
        }
        let share = (active.fault.share.clamp(0.0, 1.0) * 1e6) as u64;
        if self.ids.below(1_000_000) >= share {
            return None;
        }
        active.struck += 1;
        let what = active.fault.what.clone();
        self.record(place, &what, "a connection");
        Some(what)
    }

    fn record(&self, place: &FaultPlace, what: &NetworkFaultKind, how: &str) {
        let whom = match place {
            FaultPlace::PodToAgent(pod) => format!("{how} of pod {pod}"),
            FaultPlace::NodePodsToAgent(node) => format!("{how} of a pod on node {node}"),
            FaultPlace::AgentToEksAuth(node) => format!("{how} of the agent of node {node}"),
        };
        self.journal.record(Event::FaultInjected {
            place: place.label().into(),
            fault: what.label().into(),
            detail: Some(whom),
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FaultPlace, Active>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::PodName;

    #[test]
    fn the_nearest_fault_strikes_as_often_as_it_may() {
        let journal = Journal::new(emu_core::Clock::new(), 100);
        let faults = Faults::new(journal.clone(), Ids::seeded(1));
        let pod = FaultPlace::PodToAgent(PodName::new("a", "b"));
        let node = FaultPlace::NodePodsToAgent("n".into());
        let places = [pod.clone(), node.clone()];
        assert_eq!(faults.strike(&places), None);
        faults.set(node, Some(NetworkFault::always(NetworkFaultKind::Refuse)));
        assert_eq!(faults.door(&places), Door::Refuse);
        let once = NetworkFault {
            what: NetworkFaultKind::Reset,
            share: 1.0,
            times: Some(1),
        };
        faults.set(pod, Some(once));
        assert_eq!(faults.door(&places), Door::Open);
        assert_eq!(faults.strike(&places), Some(NetworkFaultKind::Reset));
        assert_eq!(faults.strike(&places), None);
        assert_eq!(journal.last(), 2);
    }
}
