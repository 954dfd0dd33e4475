//! How a task is found: by its handle, by the key of its Create, by its actor.

use std::{collections::HashSet, hash::Hash, hash::Hasher, sync::Arc};

use dashmap::DashMap;
use ractor::ActorId;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::entry::TaskEntry;
use crate::connector::TaskCategory;

/// A hash of a task category and the whole handle: changed bytes are another
/// task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TaskKey(u128);

/// The hash of what makes one execution attempt.
pub(super) type CreateKey = [u8; 16];

/// All tasks of this process.
pub(super) struct Index {
    by_handle: DashMap<TaskKey, Arc<TaskEntry>>,
    by_create: DashMap<CreateKey, Arc<TaskEntry>>,
    by_actor: DashMap<ActorId, Arc<TaskEntry>>,
    /// Keys the hash of handles, so that nobody can make two collide.
    secret: [u8; 16],
}

impl Index {
    pub(super) fn new(secret: [u8; 16]) -> Self {
        Self {
            by_handle: DashMap::new(),
            by_create: DashMap::new(),
            by_actor: DashMap::new(),
            secret,
        }
    }

    /// The key of a handle that came with a request for this category.
    pub(super) fn key(&self, category: &TaskCategory, handle: &[u8]) -> TaskKey {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        category.hash(&mut hasher);
        hasher.write(handle);
        TaskKey(hasher.finish128().as_u128())
    }

    /// The number of tasks.
    pub(super) fn len(&self) -> usize {
        self.by_actor.len()
    }

    /// Every task once: those with a handle, and those whose actor has none yet
    /// or never gets one. Only pointers are copied while a shard is locked.
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

    /// The entry of a Create, made by `make` if there is none: true if it was.
    pub(super) fn by_create_or<E>(
        &self,
        key: CreateKey,
        make: impl FnOnce() -> Result<Arc<TaskEntry>, E>,
    ) -> Result<(Arc<TaskEntry>, bool), E> {
        or_make(&self.by_create, key, make)
    }

    /// Registers the key of an adopted task's Create, unless a newer task has
    /// it.
    pub(super) fn remember_create(&self, key: CreateKey, entry: &Arc<TaskEntry>) {
        self.by_create.entry(key).or_insert_with(|| entry.clone());
    }

    /// Lets a later Create under the entry's key start a new task.
    pub(super) fn release_create(&self, entry: &Arc<TaskEntry>) {
        if let Some(key) = &entry.create_key {
            self.by_create.remove_if(key, |_, held| Arc::ptr_eq(held, entry));
        }
    }

    pub(super) fn set_actor(&self, actor: ActorId, entry: &Arc<TaskEntry>) {
        self.by_actor.insert(actor, entry.clone());
    }

    /// Forgets an actor that has stopped; the entry stays.
    pub(super) fn remove_actor(&self, actor: ActorId) -> Option<Arc<TaskEntry>> {
        self.by_actor.remove(&actor).map(|(_, entry)| entry)
    }

    /// Forgets an entry that its actor is leaving.
    pub(super) fn remove(&self, entry: &Arc<TaskEntry>) {
        if let Some(key) = entry.key() {
            self.by_handle.remove_if(&key, |_, held| Arc::ptr_eq(held, entry));
        }
        self.release_create(entry);
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
