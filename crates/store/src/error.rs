//! What can go wrong.

use std::path::PathBuf;

/// Why the store could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has the directory.
    #[error(
        "the store in {dir} is in use by another process; stop that one, or give this node its own node.data_dir"
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// What is on the disk cannot be read.
    #[error(
        "the store in {dir} cannot be read: {why}. To restore: move {dir} aside and keep it; put a copy of the \
         directory made while the node was stopped in its place, or start with none and load the orders from your \
         export with `bauta order import`"
    )]
    Unreadable {
        /// The directory.
        dir: PathBuf,
        /// What was met.
        why: String,
    },
    /// Written by a later version.
    #[error(
        "the store in {dir} has format {found}; this version reads format {known}: run the version that wrote it"
    )]
    Format {
        /// The directory.
        dir: PathBuf,
        /// The format on the disk.
        found: u32,
        /// The format this version writes.
        known: u32,
    },
    /// The directory cannot be made or opened.
    #[error("the store's directory {dir} cannot be used: {why}")]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The disk refused a write. No further write is tried: after a failed synchronisation nobody knows what is on
    /// the disk. Reads go on.
    #[error("the store stopped writing: {0}. Free or replace the disk, then restart the node")]
    Failed(String),
    /// A read failed.
    #[error("the store could not be read: {0}")]
    Read(String),
    /// More is waiting to be written than the queue holds.
    #[error("the store is behind with writing")]
    Busy,
    /// What was given cannot be kept; the text says why.
    #[error("{0}")]
    Refused(&'static str),
    /// This is no cursor of this list.
    #[error("the cursor is not one of this list")]
    Cursor,
}
