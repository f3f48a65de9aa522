//! Version counters that are incremented by database changes.

/// Version counters, which never decrease.
/// A cached value is valid until the version counter of its tables increases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataVersion {
    pub(crate) any_table: i64,
    /// Version counter of identities, policies and the inventory.
    pub(crate) access: i64,
    /// Version counter of the recorded authentication failures.
    pub(crate) failures: i64,
}
