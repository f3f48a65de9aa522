//! What can go wrong with what is kept.

use std::io;
use std::path::PathBuf;

use clew_model::NodeId;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `initialise` on a directory that is in use already. Nothing was changed.
    #[error("{} is a data directory already", dir.display())]
    AlreadyInitialised {
        /// The directory.
        dir: PathBuf,
    },
    /// `open` on a directory that holds no store.
    #[error("{} is no data directory yet", dir.display())]
    NotInitialised {
        /// The directory.
        dir: PathBuf,
    },
    /// Another process serves or initialises the directory.
    #[error("another process is at work on {}", dir.display())]
    AlreadyServing {
        /// The directory.
        dir: PathBuf,
    },
    /// A file or folder of the data directory.
    #[error("could not {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The master key is missing, unreadable or unsafe.
    #[error("master key: {reason}")]
    MasterKey {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The master key is not the one that the secrets were sealed with.
    #[error(
        "the master key is not the one that this data directory was made with; restore master.key or CLEW_MASTER_KEY"
    )]
    WrongMasterKey,
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
    #[error("could not {doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
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
    #[error("could not write the result {}: {source}", path.display())]
    ResultWrite {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A result's file is gone.
    #[error("the file of result {name} is missing")]
    ResultMissing {
        /// Name of the result.
        name: String,
    },
    /// A result's file is not what was written.
    #[error("the file of result {name} is damaged: {reason}")]
    ResultCorrupt {
        /// Name of the result.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// For `map_err` on the database's errors.
    pub(crate) fn database(doing: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source: Box::new(source) }
    }

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
