//! A bounded map that forgets what was written longest ago. Reading does not refresh an entry.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// The map.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    limit: usize,
    items: HashMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
    next: u64,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    /// At most `limit` entries.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            items: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
        }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.items.get(key).map(|(_, value)| value)
    }

    pub(crate) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.items.get_mut(key).map(|(_, value)| value)
    }

    /// Writes an entry and gives back what had to go for it. An entry that is overwritten does not count as gone.
    pub(crate) fn set(&mut self, key: K, value: V) -> Option<(K, V)> {
        let seq = self.next;
        self.next += 1;
        if let Some((old, _)) = self.items.insert(key.clone(), (seq, value)) {
            self.order.remove(&old);
        }
        self.order.insert(seq, key);
        if self.items.len() <= self.limit {
            return None;
        }
        let (_, oldest) = self.order.pop_first()?;
        let (_, value) = self.items.remove(&oldest)?;
        Some((oldest, value))
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (seq, value) = self.items.remove(key)?;
        self.order.remove(&seq);
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.items.iter().map(|(key, (_, value))| (key, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_was_written_longest_ago() {
        let mut lru = Lru::new(2);
        assert_eq!(lru.set("a", 1), None);
        assert_eq!(lru.set("b", 2), None);
        assert_eq!(lru.set("a", 3), None);
        assert!(lru.get("b").is_some());
        assert_eq!(lru.set("c", 4), Some(("b", 2)));
        assert_eq!((lru.len(), lru.get("a")), (2, Some(&3)));
        assert_eq!((lru.remove("a"), lru.remove("a")), (Some(3), None));
    }
}
