//! PostgreSQL transactions.

use std::ops::{Deref, DerefMut};

use sqlx::{PgConnection, Postgres, Transaction};
use tokio::sync::OwnedSemaphorePermit;

/// Dropping an uncommitted transaction rolls it back.
pub(crate) struct PostgresTransaction {
    transaction: Transaction<'static, Postgres>,
    /// `None` for a read-only transaction.
    write_permit: Option<OwnedSemaphorePermit>,
}

impl PostgresTransaction {
    pub(super) fn new_read_write(
        transaction: Transaction<'static, Postgres>,
        write_permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { transaction, write_permit: Some(write_permit) }
    }

    pub(super) fn new_read_only(transaction: Transaction<'static, Postgres>) -> Self {
        Self { transaction, write_permit: None }
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        let committed = super::run_with_statement_timeout(self.transaction.commit()).await;
        drop(self.write_permit);
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
