//! What processes that share a database tell each other, so that nobody has to look again and again.

use clew_model::RequestId;

use crate::database::Database;
use crate::postgres::notices::Listener;
use crate::store::Store;

/// What is told. It is committed when it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A collection waits that did not wait before.
    Queued,
    /// A collection has ended.
    Ended(RequestId),
    /// An intelligent kill waits.
    KillQueued,
    /// From here on everything is heard. What came before may not have been: look for it.
    Listening,
    /// From here on something may not be heard.
    Deaf,
}

/// Hears what is told. Until the first [`Notice::Listening`] it hears nothing.
#[derive(Debug)]
pub struct Notices(Listener);

impl Store {
    /// What other processes tell; nothing where the database is one process's alone. It takes a connection.
    #[must_use]
    pub fn notices(&self) -> Option<Notices> {
        match &self.database {
            Database::Sqlite(_) => None,
            Database::Postgres(database) => Some(Notices(Listener::of(database))),
        }
    }
}

impl Notices {
    /// The next one. Dropped before it returns, it has lost none.
    pub async fn next(&mut self) -> Notice {
        self.0.next().await
    }
}
