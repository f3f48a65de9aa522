//! Failures in a row, and the lock that follows. Who they are for is kept as a keyed hash: people type passwords where a name
//! belongs.

use crate::database::{query, query_scalar};
use crate::derived_keys::authenticate;
use crate::error::StoreError;
use crate::store::Store;

/// So many failures in a row lock.
const FAILURES: i64 = 5;
/// For so long, in seconds. Failures that are further apart than this are not in a row.
const LOCK: i64 = 5 * 60;

/// Failures of a subject, one or more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failures {
    locked_until: Option<i64>,
}

impl Failures {
    /// The end of the lock, if there is one at a moment.
    pub(crate) fn lock_at(self, now: i64) -> Option<i64> {
        self.locked_until.filter(|end| *end > now)
    }
}

impl Store {
    /// Counts a failure of a subject: `key:<access key id>` or `user:<domain>/<name>`, whether there is one or not. The fifth in
    /// a row locks it; returns until when, in seconds since 1970 (UTC), if it is locked now.
    pub async fn failed(&self, subject: &str) -> Result<Option<i64>, StoreError> {
        let failed = StoreError::database("count a failure");
        let now = self.clock.seconds();
        let mut transaction = self.database.begin_writing().await.map_err(&failed)?;
        query("DELETE FROM failures WHERE last_at <= $1 AND (locked_until IS NULL OR locked_until <= $2)")
            .bind(now - LOCK)
            .bind(now)
            .execute(&mut transaction)
            .await
            .map_err(&failed)?;
        let rows: Vec<Option<i64>> = query_scalar(
            "INSERT INTO failures (subject, count, last_at) VALUES ($1, 1, $2) ON CONFLICT (subject) DO UPDATE SET \
                 count = CASE WHEN failures.locked_until <= $2 THEN 1 ELSE failures.count + 1 END, last_at = $2, \
                 locked_until = CASE WHEN failures.locked_until > $2 THEN failures.locked_until \
                     WHEN failures.locked_until IS NULL AND failures.count + 1 >= $3 THEN $2 + $4 END \
             RETURNING locked_until",
        )
        .bind(self.hidden(subject).as_slice())
        .bind(now)
        .bind(FAILURES)
        .bind(LOCK)
        .fetch_all(&mut transaction)
        .await
        .map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        Ok(rows.into_iter().next().flatten())
    }

    /// Until when a subject is locked, in seconds since 1970 (UTC); nothing if it is not.
    pub async fn locked_until(&self, subject: &str) -> Result<Option<i64>, StoreError> {
        let failures = self.failures(subject).await?;
        Ok(failures.and_then(|failures| failures.lock_at(self.clock.seconds())))
    }

    /// Ends a row of failures.
    pub async fn succeeded(&self, subject: &str) -> Result<(), StoreError> {
        // To look takes no turn among the writers.
        if self.failures(subject).await?.is_some() {
            query("DELETE FROM failures WHERE subject = $1")
                .bind(self.hidden(subject).as_slice())
                .execute(&self.database)
                .await
                .map_err(StoreError::database("forget failures"))?;
        }
        Ok(())
    }

    /// The failures of a subject that are counted.
    pub(crate) async fn failures(&self, subject: &str) -> Result<Option<Failures>, StoreError> {
        let row: Option<Option<i64>> = query_scalar("SELECT locked_until FROM failures WHERE subject = $1")
            .bind(self.hidden(subject).as_slice())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up failures"))?;
        Ok(row.map(|locked_until| Failures { locked_until }))
    }

    fn hidden(&self, subject: &str) -> [u8; 32] {
        authenticate(&self.keys.failures, &[subject.as_bytes()])
    }
}
