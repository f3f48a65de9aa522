//! Defines the version counters of the database contents.

/// Version numbers of the stored data at the time of a query. Version numbers only increase.
/// A value that is read after the query stays valid until the version of its data changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataVersion {
    /// Version of all tables.
    pub(crate) any_table: i64,
    /// Version of identities, policies and the inventory.
    pub(crate) access: i64,
    /// Version of the recorded authentication failures.
    pub(crate) failures: i64,
}
