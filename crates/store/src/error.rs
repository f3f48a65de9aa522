//! Error type of the store.

use std::io;
use std::path::PathBuf;

use clew_model::NodeId;

use crate::policy_limits::PolicyLimits;

/// Error returned by store operations.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory or database at this location is already initialized.
    #[error("{0} is already initialized")]
    AlreadyInitialized(String),
    /// The data directory or database at this location is not initialized.
    #[error("{0} is not initialized yet")]
    NotInitialized(String),
    /// A newer Clew version has migrated the database to this schema version.
    #[error("the database has schema version {0} of a newer Clew; run that version of Clew, or restore a backup")]
    NewerDatabase(i64),
    /// The target database of a metadata copy is not empty.
    #[error("{location} is not empty: table {table} has rows; nothing was changed")]
    NotEmpty {
        /// URL of the database.
        location: String,
        /// Name of a table that has rows.
        table: String,
    },
    /// The copied rows of a table differ from the source rows, so Clew rolled back the metadata copy.
    #[error("the copy of table {0} differs from the source; the copy was rolled back")]
    CopyDiffers(&'static str),
    /// The caller's credentials were revoked, so Clew did not issue a temporary access key.
    #[error("the credentials that the temporary access key is issued for are no longer valid")]
    IssuingCredentialsRevoked,
    /// Another Clew server is using this data directory, or another process is initializing it.
    #[error("another process is serving or initializing {}", .0.display())]
    AlreadyServing(PathBuf),
    /// An operation on a file or directory failed.
    #[error("could not {action} {}: {source}{}", path.display(), io_error_hint(source))]
    File {
        /// The failed operation.
        action: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Cause of the error.
        source: io::Error,
    },
    /// Other accounts can access the data directory or a file in it, and Clew cannot safely restrict the permissions.
    #[error(
        "{} is accessible to other accounts (mode {mode:o}), and Clew did not restrict it: {reason}. Fix: run chmod {wanted:o} on it as its owner, \
         or use a directory that only Clew's account can access",
        path.display()
    )]
    OpenToOthers {
        /// Path of the directory or file.
        path: PathBuf,
        /// Current permission bits.
        mode: u32,
        /// Reason why Clew did not restrict the permissions of `path`.
        reason: String,
        /// Required permission bits.
        wanted: u32,
    },
    /// The URL of the metadata database is invalid. The variant contains the reason.
    #[error("the URL of the metadata database is not valid: {0}")]
    MetadataUrl(String),
    /// The master key is missing or unreadable, or other accounts can read the key file. The message suggests a fix.
    #[error("master key: {0}")]
    MasterKey(String),
    /// The stored secrets are encrypted with a master key other than the configured master key.
    #[error("the master key does not match this store, or it was rotated; restore master.key or CLEW_MASTER_KEY")]
    WrongMasterKey,
    /// Another process has rotated the master key, and this process still uses the previous key.
    #[error("the master key was rotated after this process started; restart the process with the new key")]
    MasterKeyRotated,
    /// Clew could not encrypt a secret, or the operating system returned no random bytes.
    #[error("could not encrypt the {0}")]
    Seal(String),
    /// The encrypted secret was modified outside Clew or moved to a different database row.
    #[error("the encrypted {0} was changed outside of Clew; enter the secret again")]
    Unseal(String),
    /// A database operation failed.
    #[error("could not {action}: {source}{remedy}")]
    Database {
        /// The failed operation.
        action: &'static str,
        /// Cause of the error.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// Hint at the end of the error message, such as "; try again"; may be empty.
        remedy: &'static str,
    },
    /// A background task ended before it completed the operation, for example because the process is shutting down.
    #[error("could not query the database: the server is shutting down; try again")]
    Stopped,
    /// A stored value cannot be parsed.
    #[error("stored {what} cannot be parsed: {reason}")]
    Damaged {
        /// Type of the value.
        what: &'static str,
        /// Cause of the error.
        reason: String,
    },
    /// The name or id already exists.
    #[error("there is already {what} {name:?}")]
    AlreadyExists {
        /// Type of the entity.
        what: &'static str,
        /// Name or id.
        name: String,
    },
    /// The entity does not exist or belongs to another domain.
    #[error("there is no {what} {name:?}")]
    Unknown {
        /// Type of the entity.
        what: &'static str,
        /// Name or id.
        name: String,
    },
    /// The user is the domain's only enabled administrator.
    #[error("{0} is the last enabled administrator of the domain; make another user an administrator first")]
    LastAdministrator(String),
    /// The user already has the maximum number of access keys. The variant contains the maximum.
    #[error("the user has {0} access keys already; remove one first")]
    TooManyKeys(u32),
    /// The policy cannot be deleted, because it is still attached to users or groups.
    #[error("policy {name:?} is attached {times} times; detach it first")]
    InUse {
        /// Name of the policy.
        name: String,
        /// Number of attachments.
        times: u64,
    },
    /// The change would exceed the limit on the number or total size of a user's or group's policies.
    #[error(
        "{name:?} would have {policies} policies with {bytes} bytes; a user or group may have {} policies with {} bytes in all; fix: detach policies that are no longer needed, or merge them",
        limits.policies, limits.bytes
    )]
    TooManyPolicies {
        /// Name of the user or group.
        name: String,
        /// Number of policies after the change.
        policies: u64,
        /// Total size of the policy documents after the change, in bytes.
        bytes: u64,
        /// Configured limits.
        limits: PolicyLimits,
    },
    /// The change would exceed the maximum number of tags per instance, which the variant contains.
    #[error("an instance can have {0} tags at most")]
    TooManyTags(usize),
    /// Kill tasks are disabled for the instance.
    #[error("kill tasks are disabled for the instance; enable them first")]
    KillTasksDisabled,
    /// Too many kill tasks are running on the instance. The value is the maximum number of running kill tasks.
    #[error("{0} kill tasks of the instance are already running; stop one first")]
    TooManyKillTasks(u32),
    /// The instance is invalid. The variant contains the reason.
    #[error("the instance cannot be added: {0}")]
    InvalidInstance(String),
    /// The node's queue is full.
    #[error("node {node} already has {limit} queued tasks; try again later")]
    QueueFull {
        /// Id of the node.
        node: NodeId,
        /// Maximum number of queued tasks.
        limit: u32,
    },
    /// Clew failed to write the result of a collection task and removed the partial result.
    #[error("could not write the result {}: {source}{}", path.display(), io_error_hint(source))]
    ResultWrite {
        /// Path of the file.
        path: PathBuf,
        /// Cause of the error.
        source: io::Error,
    },
    /// An S3 request failed or timed out.
    #[error("could not {action} {location}: {reason}{remedy}")]
    S3 {
        /// The failed operation.
        action: &'static str,
        /// URI of the S3 object, in the form `s3://bucket/key`.
        location: String,
        /// Cause of the error.
        reason: String,
        /// Hint appended to the error message, such as "; correct the clock of this machine". The hint may be empty.
        remedy: &'static str,
    },
    /// The file or S3 object that contains the result of a collection task is missing.
    #[error("result {0} is missing; collect again")]
    ResultMissing(String),
    /// The stored result of a collection task differs from the result that Clew wrote.
    #[error("result {name} is damaged: {reason}; collect again")]
    ResultCorrupt {
        /// Name of the result.
        name: String,
        /// Description of the problem.
        reason: String,
    },
}

impl StoreError {
    pub(crate) fn file_error(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    pub(crate) fn corrupt_value_error<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Damaged { what, reason: error.to_string() }
    }
}

fn io_error_hint(error: &io::Error) -> &'static str {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => "; free some space there, or raise the quota",
        ReadOnlyFilesystem => "; mount it writable, or use another data directory",
        PermissionDenied => "; run Clew as the user that owns the data directory, or use another directory",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_have_remedies() {
        for (number, remedy) in
            [(28, "free some space"), (122, "quota"), (30, "mount it writable"), (13, "run Clew as")]
        {
            let source = io::Error::from_raw_os_error(number);
            let error = StoreError::ResultWrite { path: "results/a.csv".into(), source };
            assert!(error.to_string().contains(remedy), "{error}");
            let error = StoreError::file_error("create", "clew.db")(io::Error::from_raw_os_error(number));
            assert!(error.to_string().contains(remedy), "{error}");
        }
        let other = StoreError::file_error("create", "clew.db")(io::Error::other("it rains"));
        assert_eq!(other.to_string(), "could not create clew.db: it rains");
    }
}
