//! Defines the version counters that are incremented when the database contents change.

/// Values of the version counters. The counters never decrease.
/// Data read after the version counters stays valid until the version counter for the data increases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataVersion {
    /// Version counter for all tables.
    pub(crate) any_table: i64,
    /// Version counter for identities, policies and the inventory.
    pub(crate) access: i64,
    /// Version counter for the recorded authentication failures.
    pub(crate) failures: i64,
}
