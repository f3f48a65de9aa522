//! Version counters of the database contents.

/// Version numbers of the data at the time of a query. Version numbers only increase.
/// A value that is read after the query is valid as long as the version of its data is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataVersion {
    /// Version of all tables.
    pub(crate) any_table: i64,
    /// Version of identities, policies and the inventory.
    pub(crate) access: i64,
    /// Version of the authentication failures.
    pub(crate) failures: i64,
}
