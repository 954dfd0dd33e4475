//! How a task is found: by its handle, by the key of its Create, by its actor.

use std::{collections::HashSet, hash::Hash, hash::Hasher, sync::Arc};

use dashmap::{DashMap, Entry};
use ractor::ActorId;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::entry::TaskEntry;
use crate::connector::TaskCategory;

/// A hash of a task category and the whole handle: changed bytes are another
/// task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TaskKey(u64, u64);

/// The hash of what makes one execution attempt.
pub(super) type CreateKey = [u8; 16];

/// The hash of a node of a workflow, whatever the attempt.
pub(super) type NodeKey = [u8; 16];

/// All tasks of this process.
pub(super) struct Index {
    by_handle: DashMap<TaskKey, Arc<TaskEntry>>,
    by_create: DashMap<CreateKey, Arc<TaskEntry>>,
    /// The generation of the next job of a key that was released, as long as
    /// the deleted task stays.
    released: DashMap<CreateKey, u32>,
    /// Results of ExecuteTaskSync, under the key of their execution attempt.
    by_execute: DashMap<CreateKey, Arc<TaskEntry>>,
    /// The highest attempt of each node.
    by_node: DashMap<NodeKey, Arc<TaskEntry>>,
    /// By the actor's pid: all are of this process.
    by_actor: DashMap<u64, Arc<TaskEntry>>,
    /// Keys the hash of handles, so that nobody can make two collide.
    secret: [u8; 16],
}

impl Index {
    pub(super) fn new(secret: [u8; 16]) -> Self {
        Self {
            by_handle: DashMap::new(),
            by_create: DashMap::new(),
            released: DashMap::new(),
            by_execute: DashMap::new(),
            by_node: DashMap::new(),
            by_actor: DashMap::new(),
            secret,
        }
    }

    /// The key of a handle that came with a request for this category.
    pub(super) fn key(&self, category: &TaskCategory, handle: &[u8]) -> TaskKey {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        category.hash(&mut hasher);
        hasher.write(handle);
        let hash = hasher.finish128();
        TaskKey(hash.h1, hash.h2)
    }

    /// The number of tasks.
    pub(super) fn len(&self) -> usize {
        self.by_actor.len()
    }

    /// Every task once: those with a handle, and those whose actor has none yet
    /// or never gets one. Only pointers are copied while a shard is locked: with
    /// a million tasks in eight shards that is 15 ms for each, in which no task
    /// of the shard can come or go.
    pub(super) fn entries(&self) -> Vec<Arc<TaskEntry>> {
        let mut entries: Vec<_> = self
            .by_actor
            .iter()
            .filter(|entry| entry.value().key().is_none())
            .map(|entry| entry.value().clone())
            .collect();
        // A task that gets its handle right now is met again below.
        let met: HashSet<*const TaskEntry> = entries.iter().map(Arc::as_ptr).collect();
        let with_handle = self.by_handle.iter();
        entries.extend(
            with_handle
                .filter(|entry| !met.contains(&Arc::as_ptr(entry.value())))
                .map(|entry| entry.value().clone()),
        );
        entries
    }

    pub(super) fn by_handle(&self, key: TaskKey) -> Option<Arc<TaskEntry>> {
        self.by_handle.get(&key).map(|entry| entry.clone())
    }

    /// The entry of a handle, made by `make` if there is none: true if it was.
    pub(super) fn by_handle_or<E>(
        &self,
        key: TaskKey,
        make: impl FnOnce() -> Result<Arc<TaskEntry>, E>,
    ) -> Result<(Arc<TaskEntry>, bool), E> {
        or_make(&self.by_handle, key, make)
    }

    /// The entry of a Create, made by `make` if there is none, or only one
    /// whose job was deleted for a caller: true if it was. `make` is told how
    /// many jobs the key has had before.
    pub(super) fn by_create_or<E>(
        &self,
        key: CreateKey,
        make: impl FnOnce(u32) -> Result<Arc<TaskEntry>, E>,
    ) -> Result<Arc<TaskEntry>, E> {
        match self.by_create.entry(key) {
            Entry::Occupied(held) if !held.get().is_released() => Ok(held.get().clone()),
            Entry::Occupied(mut held) => {
                let generation = held.get().generation + 1;
                let entry = make(generation)?;
                held.insert(entry.clone());
                // Kept apart: a create that fails leaves no entry behind.
                self.released.insert(key, generation);
                Ok(entry)
            }
            Entry::Vacant(free) => {
                let generation = self.released.get(&key).map_or(0, |generation| *generation);
                Ok(free.insert(make(generation)?).clone())
            }
        }
    }

    /// True if a task has the key of this Create.
    pub(super) fn has_create(&self, key: CreateKey) -> bool {
        self.by_create.get(&key).is_some_and(|held| !held.is_released())
    }

    /// The entry of an ExecuteTaskSync, made by `make` if there is none.
    pub(super) fn by_execute_or<E>(
        &self,
        key: CreateKey,
        make: impl FnOnce() -> Result<Arc<TaskEntry>, E>,
    ) -> Result<Arc<TaskEntry>, E> {
        or_make(&self.by_execute, key, make).map(|(entry, _)| entry)
    }

    /// Makes the entry the one of its node, unless a higher attempt has come
    /// before: the lower attempt whose place it takes.
    pub(super) fn supersede(&self, key: NodeKey, entry: &Arc<TaskEntry>) -> Option<Arc<TaskEntry>> {
        match self.by_node.entry(key) {
            Entry::Occupied(held) if held.get().attempt() > entry.attempt() => None,
            Entry::Occupied(mut held) => {
                let before = held.insert(entry.clone());
                // Of an equal attempt the job was deleted, and this is its next.
                (before.attempt() < entry.attempt()).then_some(before)
            }
            Entry::Vacant(free) => {
                free.insert(entry.clone());
                None
            }
        }
    }

    /// Registers the key of an adopted task's Create, unless a newer task has
    /// it.
    pub(super) fn remember_create(&self, key: CreateKey, entry: &Arc<TaskEntry>) {
        self.by_create.entry(key).or_insert_with(|| entry.clone());
    }

    pub(super) fn set_actor(&self, actor: ActorId, entry: &Arc<TaskEntry>) {
        self.by_actor.insert(actor.pid(), entry.clone());
    }

    /// Forgets an actor that has stopped; the entry stays.
    pub(super) fn remove_actor(&self, actor: ActorId) -> Option<Arc<TaskEntry>> {
        self.by_actor.remove(&actor.pid()).map(|(_, entry)| entry)
    }

    /// All tasks that have an actor.
    pub(super) fn all(&self) -> Vec<Arc<TaskEntry>> {
        self.by_actor.iter().map(|entry| entry.clone()).collect()
    }

    /// Forgets an entry that its actor is leaving.
    pub(super) fn remove(&self, entry: &Arc<TaskEntry>) {
        if let Some(key) = entry.key() {
            self.by_handle.remove_if(&key, |_, held| Arc::ptr_eq(held, entry));
        }
        let is_it = |held: &Arc<TaskEntry>| Arc::ptr_eq(held, entry);
        if let Some(key) = &entry.create_key {
            self.by_create.remove_if(key, |_, held| is_it(held));
            self.by_execute.remove_if(key, |_, held| is_it(held));
            let next = entry.generation + 1;
            self.released
                .remove_if(key, |_, generation| *generation == next && entry.is_released());
        }
        if let Some(key) = &entry.node_key {
            self.by_node.remove_if(key, |_, held| is_it(held));
        }
    }
}

fn or_make<K: Eq + Hash, E>(
    map: &DashMap<K, Arc<TaskEntry>>,
    key: K,
    make: impl FnOnce() -> Result<Arc<TaskEntry>, E>,
) -> Result<(Arc<TaskEntry>, bool), E> {
    let mut made = false;
    let entry = map.entry(key).or_try_insert_with(|| {
        made = true;
        make()
    })?;
    Ok((entry.clone(), made))
}
