//! A transaction on PostgreSQL, with what this process holds for it.

use std::ops::{Deref, DerefMut};

use sqlx::{PgConnection, Postgres, Transaction};
use tokio::sync::OwnedSemaphorePermit;

/// A transaction. Dropped before it is committed, it leaves nothing.
pub(crate) struct PostgresTransaction {
    transaction: Transaction<'static, Postgres>,
    /// That no other one of this process writes. Nothing for one that reads.
    writer: Option<OwnedSemaphorePermit>,
}

impl PostgresTransaction {
    /// One that may write.
    pub(super) fn writing(transaction: Transaction<'static, Postgres>, writer: OwnedSemaphorePermit) -> Self {
        Self { transaction, writer: Some(writer) }
    }

    /// One that reads.
    pub(super) fn reading(transaction: Transaction<'static, Postgres>) -> Self {
        Self { transaction, writer: None }
    }

    /// Makes everything durable.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        let committed = super::within(self.transaction.commit()).await;
        drop(self.writer);
        committed
    }
}

impl Deref for PostgresTransaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for PostgresTransaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}
