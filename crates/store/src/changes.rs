//! What a group of batches will write, seen as if it were written.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StoreError;
use crate::disk::Disk;
use crate::keys::{self, Key};

/// Writes gathered over the disk: reading goes through them, so that each write sees those before it.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    disk: &'a Disk,
    written: BTreeMap<Key, Option<Vec<u8>>>,
}

impl<'a> Changes<'a> {
    pub(crate) fn over(disk: &'a Disk) -> Self {
        Self { disk, written: BTreeMap::new() }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.written.get(key) {
            Some(value) => Ok(value.clone()),
            None => Ok(self.disk.get(key)?.map(|value| value.to_vec())),
        }
    }

    pub(crate) fn has(&self, key: &[u8]) -> Result<bool, StoreError> {
        match self.written.get(key) {
            Some(value) => Ok(value.is_some()),
            None => Ok(self.disk.get(key)?.is_some()),
        }
    }

    /// What lies at this key, as [`pack`] made it.
    pub(crate) fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.get(key)?.map(|value| unpack(&value)).transpose()
    }

    pub(crate) fn put(&mut self, key: Key, value: Vec<u8>) {
        self.written.insert(key, Some(value));
    }

    pub(crate) fn write(&mut self, key: Key, value: &impl Serialize) {
        self.put(key, pack(value));
    }

    pub(crate) fn remove(&mut self, key: Key) {
        self.written.insert(key, None);
    }

    /// The first keys that begin with this prefix, at most `limit`.
    pub(crate) fn first(&self, prefix: &[u8], limit: usize) -> Result<Vec<Key>, StoreError> {
        self.first_from(prefix, prefix, limit)
    }

    /// As [`Self::first`], from this key on.
    pub(crate) fn first_from(
        &self,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        let mut keys = Vec::new();
        let removed = |key: &[u8]| self.written.contains_key(key);
        let to = std::ops::Bound::Excluded(keys::after_prefix(prefix));
        for item in self.disk.range(std::ops::Bound::Included(from.to_vec()), to) {
            let (key, _) = item?;
            if !removed(&key) {
                keys.push(key.to_vec());
            }
            if keys.len() == limit {
                break;
            }
        }
        let added = self.written.range(from.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        keys.extend(added.filter(|(_, value)| value.is_some()).take(limit).map(|(key, _)| key.clone()));
        keys.sort_unstable();
        keys.truncate(limit);
        Ok(keys)
    }

    /// Writes it all and waits for the disk.
    pub(crate) fn apply(self) -> Result<(), StoreError> {
        if self.written.is_empty() { Ok(()) } else { self.disk.apply(self.written) }
    }
}

/// A value as it lies on the disk.
pub(crate) fn pack(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("what is kept has no part that postcard lacks")
}

/// The value back.
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|e| StoreError::Read(e.to_string()))
}

/// A JSON value back.
pub(crate) fn unpack_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|e| StoreError::Read(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), 1 << 20).unwrap();
        (dir, disk)
    }

    #[test]
    fn reading_goes_through_what_will_be_written() {
        let (_dir, disk) = disk();
        disk.apply([(b"a".to_vec(), Some(vec![1])), (b"b".to_vec(), Some(vec![2]))]).unwrap();
        let mut changes = Changes::over(&disk);
        changes.remove(b"a".to_vec());
        changes.put(b"c".to_vec(), vec![3]);
        assert_eq!(changes.get(b"a").unwrap(), None);
        assert_eq!(changes.get(b"b").unwrap(), Some(vec![2]));
        assert!(changes.has(b"c").unwrap() && !changes.has(b"a").unwrap());
        assert!(disk.get(b"a").unwrap().is_some() && disk.get(b"c").unwrap().is_none());
        changes.apply().unwrap();
        assert!(disk.get(b"a").unwrap().is_none() && disk.get(b"c").unwrap().is_some());
    }

    #[test]
    fn the_first_of_a_prefix_are_found_over_disk_and_changes() {
        let (_dir, disk) = disk();
        let at = |n: u8| vec![b'x', n];
        disk.apply([1, 3, 5].map(|n| (at(n), Some(vec![])))).unwrap();
        let mut changes = Changes::over(&disk);
        changes.remove(at(1));
        changes.put(at(2), vec![]);
        changes.put(at(3), vec![9]);
        changes.put(b"y".to_vec(), vec![]);
        assert_eq!(changes.first(b"x", 2).unwrap(), [at(2), at(3)]);
        assert_eq!(changes.first(b"x", 9).unwrap(), [at(2), at(3), at(5)]);
        assert!(changes.first(b"z", 9).unwrap().is_empty());
    }
}
