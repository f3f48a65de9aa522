//! Version counters that increase when the content of the database changes.

/// Version counters, which never decrease.
/// A cached value remains valid until the version counter of the underlying tables increases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataVersion {
    pub(crate) any_table: i64,
    /// Counter that increases when an identity, a policy or the inventory changes.
    pub(crate) access: i64,
    /// Counter that increases when Clew records or deletes authentication failures.
    pub(crate) failures: i64,
}
