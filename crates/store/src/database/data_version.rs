//! Defines the version counters that are incremented when the database contents change.

/// Version counter values at the time of a query. The counters never decrease.
/// Data that is read after this query stays valid until its version counter increases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataVersion {
    /// Version counter for all tables.
    pub(crate) any_table: i64,
    /// Version counter for identities, policies and the inventory.
    pub(crate) access: i64,
    /// Version counter for the recorded authentication failures.
    pub(crate) failures: i64,
}
