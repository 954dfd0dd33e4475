//! The least of many, in the memory of few.

use std::{cmp::Ordering, collections::BinaryHeap};

/// Keeps the values with the least keys, in any number up to a limit.
pub(super) struct Oldest<K, V> {
    most: usize,
    /// The greatest key on top, to make room for a lesser one.
    kept: BinaryHeap<Keyed<K, V>>,
}

impl<K: Ord, V> Oldest<K, V> {
    /// Keeps this many at most.
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: BinaryHeap::new() }
    }

    /// True if a value with this key would be kept.
    pub(super) fn has_room_for(&self, key: &K) -> bool {
        self.kept.len() < self.most || self.kept.peek().is_some_and(|greatest| *key < greatest.key)
    }

    /// Keeps a value, if need be instead of the one with the greatest key.
    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.kept.len() < self.most {
            self.kept.push(Keyed { key, value });
        } else if let Some(mut greatest) = self.kept.peek_mut()
            && key < greatest.key
        {
            *greatest = Keyed { key, value };
        }
    }

    /// What was kept, by rising keys.
    pub(super) fn into_values(self) -> Vec<V> {
        self.kept.into_sorted_vec().into_iter().map(|keyed| keyed.value).collect()
    }
}

/// A value that is compared by its key alone.
struct Keyed<K, V> {
    key: K,
    value: V,
}

impl<K: Ord, V> Ord for Keyed<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl<K: Ord, V> PartialOrd for Keyed<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, V> PartialEq for Keyed<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K: Ord, V> Eq for Keyed<K, V> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn oldest(most: usize, keys: &[i32]) -> Vec<i32> {
        let mut oldest = Oldest::new(most);
        for key in keys {
            oldest.insert(*key, *key);
        }
        oldest.into_values()
    }

    #[test]
    fn the_least_are_kept_in_their_order() {
        assert_eq!(oldest(3, &[5, 1, 4, 2, 3, 9]), [1, 2, 3]);
        assert_eq!(oldest(9, &[5, 1, 4]), [1, 4, 5]);
        assert!(oldest(0, &[5, 1, 4]).is_empty());
    }
}
