//! What can go wrong with what is kept.

use std::io;
use std::path::PathBuf;

use clew_model::NodeId;

use crate::policies::PolicyLimits;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `initialise` on a directory or database that is in use already. Nothing was changed.
    #[error("{place} is initialised already")]
    AlreadyInitialised {
        /// The directory or database.
        place: String,
    },
    /// `open` on a directory or database that holds no store.
    #[error("{place} is not initialised yet")]
    NotInitialised {
        /// The directory or database.
        place: String,
    },
    /// `open` on a directory that a newer version of Clew brought to its own form.
    #[error("the database was last used by a newer Clew (it has version {version}); use that one, or restore a backup")]
    NewerDatabase {
        /// Version of the database's form.
        version: i64,
    },
    /// A database that was to be filled holds something. Nothing was changed.
    #[error("{place} is not empty: its table {table} has rows; nothing was changed")]
    NotEmpty {
        /// The database.
        place: String,
        /// A table that has rows.
        table: String,
    },
    /// What was written to another database is not what is read there. Nothing of it is left.
    #[error("the copy of table {table} is not what was copied; nothing of the copy was kept")]
    CopyDiffers {
        /// The table.
        table: &'static str,
    },
    /// The credentials that a temporary access key is issued for were revoked, disabled or removed in the meantime.
    #[error("the credentials that the temporary access key is issued for have ended")]
    SourceRevoked,
    /// Another process serves or initialises the directory.
    #[error("another process is at work on {}", dir.display())]
    AlreadyServing {
        /// The directory.
        dir: PathBuf,
    },
    /// A file or folder of the data directory.
    #[error("could not {doing} {}: {source}{}", path.display(), remedy(source))]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A part of the data directory that other accounts of the machine can reach, and that is not Clew's to restrict.
    #[error(
        "{} can be reached by other accounts (mode {mode:o}) and was not restricted: {reason}. fix: run chmod {wanted:o} on it as its owner, \
         or use a folder that only Clew's account has",
        path.display()
    )]
    OpenToOthers {
        /// The folder or file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// Why they stay.
        reason: String,
        /// The permissions that are required.
        wanted: u32,
    },
    /// The address of a metadata database that cannot be one.
    #[error("the address of the metadata database is not valid: {reason}")]
    MetadataUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// The master key is missing, unreadable or unsafe.
    #[error("master key: {reason}")]
    MasterKey {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The master key is not the one that the secrets were sealed with.
    #[error(
        "the master key is not the one that this store was made with, or it was rotated since; restore master.key or CLEW_MASTER_KEY"
    )]
    WrongMasterKey,
    /// The master key was rotated while this process ran with the old one.
    #[error("the master key was rotated since this process began; start it again with the new one")]
    MasterKeyRotated,
    /// The system has no random bytes, or a secret cannot be sealed.
    #[error("could not seal {what}")]
    Seal {
        /// Which secret.
        what: String,
    },
    /// A sealed secret was changed or moved.
    #[error("the sealed {what} was changed outside of Clew; enter the secret again")]
    Unseal {
        /// Which secret.
        what: String,
    },
    /// The database said no.
    #[error("could not {doing}: {source}{remedy}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// What to do about it, after "; ", or nothing.
        remedy: &'static str,
    },
    /// The task that asks the database for all callers, or writes for them, ended before its time.
    #[error("could not ask the database: the server is being stopped; try again")]
    Stopped,
    /// Something that was stored cannot be understood.
    #[error("stored {what} cannot be understood: {reason}")]
    Damaged {
        /// What.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A name or id that is taken.
    #[error("there is already {what} {name:?}")]
    AlreadyExists {
        /// Of what.
        what: &'static str,
        /// The name or id.
        name: String,
    },
    /// Something is named that is not there, or that belongs to another domain.
    #[error("there is no {what} {name:?}")]
    Unknown {
        /// Of what.
        what: &'static str,
        /// The name or id.
        name: String,
    },
    /// A domain without an enabled administrator could not be mended by anybody.
    #[error("{name} is the last enabled administrator of the domain; make another one first")]
    LastAdministrator {
        /// Name of the user.
        name: String,
    },
    /// A user has as many access keys as it can have.
    #[error("the user has {limit} access keys already; remove one first")]
    TooManyKeys {
        /// How many it can have.
        limit: u32,
    },
    /// A policy that is attached to someone.
    #[error("policy {name:?} is attached {times} times; detach it first")]
    InUse {
        /// Its name.
        name: String,
        /// How often.
        times: u64,
    },
    /// A user or group would have more policies than may reach one. Nothing was changed.
    #[error(
        "{name:?} would have {policies} policies with {bytes} bytes; a user or group may have {} policies with {} bytes in all; fix: detach policies that are no longer needed, or merge them",
        limits.policies, limits.bytes
    )]
    TooManyPolicies {
        /// Name of the user or group.
        name: String,
        /// Policies that would reach it.
        policies: u64,
        /// Bytes of their documents.
        bytes: u64,
        /// How many may.
        limits: PolicyLimits,
    },
    /// An instance has as many tags as it can have.
    #[error("an instance takes {limit} tags at most")]
    TooManyTags {
        /// How many it can have.
        limit: usize,
    },
    /// An instance lets no task kill. Nothing was changed.
    #[error("the switch of the instance is off; turn it on first")]
    KillSwitchOff,
    /// An instance has as many running kill tasks as it can have.
    #[error("{limit} kill tasks of the instance run already; stop one first")]
    TooManyKillTasks {
        /// How many it can have.
        limit: u32,
    },
    /// An instance that cannot be.
    #[error("the instance cannot be added: {reason}")]
    InvalidInstance {
        /// Why not.
        reason: String,
    },
    /// Too many tasks of a node wait.
    #[error("{limit} collections of node {node} wait already")]
    QueueFull {
        /// The node.
        node: NodeId,
        /// How many may wait.
        limit: u32,
    },
    /// A result could not be written whole. Nothing of it is left.
    #[error("could not write the result {}: {source}{}", path.display(), remedy(source))]
    ResultWrite {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// S3, where results are kept, said no, or nothing.
    #[error("could not {doing} {place}: {reason}{remedy}")]
    S3 {
        /// What was being done.
        doing: &'static str,
        /// To what, as `s3://bucket/key`.
        place: String,
        /// Why not.
        reason: String,
        /// What to do about it, after "; ", or nothing.
        remedy: &'static str,
    },
    /// A result's file is gone.
    #[error("the file of result {name} is missing; collect again")]
    ResultMissing {
        /// Name of the result.
        name: String,
    },
    /// A result's file is not what was written.
    #[error("the file of result {name} is damaged: {reason}; collect again")]
    ResultCorrupt {
        /// Name of the result.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// For `map_err` on errors of files.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    /// For `map_err` on stored text that cannot be parsed.
    pub(crate) fn damaged<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Damaged { what, reason: error.to_string() }
    }
}

/// What to do about an error of a file, after "; ", where there is something.
fn remedy(error: &io::Error) -> &'static str {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => "; free some space there, or raise the quota",
        ReadOnlyFilesystem => "; mount it writable, or use another data directory",
        PermissionDenied => "; run Clew as the user that owns the data directory, or use another one",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_files_say_what_to_do() {
        for (number, does) in [(28, "free some space"), (122, "quota"), (30, "mount it writable"), (13, "run Clew as")]
        {
            let source = io::Error::from_raw_os_error(number);
            let error = StoreError::ResultWrite { path: "results/a.csv".into(), source };
            assert!(error.to_string().contains(does), "{error}");
            let error = StoreError::file("make", "clew.db")(io::Error::from_raw_os_error(number));
            assert!(error.to_string().contains(does), "{error}");
        }
        let other = StoreError::file("make", "clew.db")(io::Error::other("it rains"));
        assert_eq!(other.to_string(), "could not make clew.db: it rains");
    }
}
