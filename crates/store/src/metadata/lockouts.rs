//! Failed attempts to authenticate in a row, and the lock that follows. Subjects are kept as keyed hashes: people type passwords where a
//! name belongs.
//!
//! Checking a password takes long, so an attempt is reserved before: it counts as a failure until it has succeeded. Of any number of
//! attempts at the same time, on any number of servers, only as many are checked as there are failures left before the lock.

use clew_model::UserId;

use crate::database::{Connection, query, query_scalar};
use crate::derived_keys::authenticate;
use crate::error::StoreError;
use crate::store::Store;

/// So many failures in a row lock.
const MAX_FAILURES: i64 = 5;
/// Duration of a lock, in seconds. Failures that are further apart than this are not in a row.
const LOCK_SECONDS: i64 = 5 * 60;
/// A reserved attempt without an outcome counts as failed after so many seconds: the server that reserved it is gone.
const PENDING_SECONDS: i64 = 30;

/// Addresses of one user that are stored. A new one replaces the one that was used longest ago, unless all were used within
/// [`ADDRESS_INTERVAL`].
const MAX_ADDRESSES: i64 = 64;
/// An address that was not used for so many seconds is forgotten.
const ADDRESS_SECONDS: i64 = 90 * 24 * 3600;
/// Seconds between two writes of the same address.
const ADDRESS_INTERVAL: i64 = 24 * 3600;

/// Whether an attempt to authenticate may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It may, and counts as failed until [`Store::clear_auth_failures`].
    Granted,
    /// As many attempts as are left are being made at the moment. Their outcome decides.
    Busy,
    /// Too many have failed.
    Locked,
}

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
    /// Reserves an attempt of a subject, such as `key:<access key id>` or `user:<domain>/<name>`, whether it exists or not.
    pub async fn reserve_attempt(&self, subject: &str) -> Result<Reservation, StoreError> {
        let failed = StoreError::database("reserve an attempt to authenticate");
        // A read needs no write lock.
        if self.locked_until(subject).await?.is_some() {
            return Ok(Reservation::Locked);
        }
        let (subject, now) = (self.subject_hash(subject), self.clock.seconds());
        let mut transaction = self.database.begin_writing().await.map_err(&failed)?;
        let row = query("SELECT count, last_at, locked_until FROM failures WHERE subject = $1")
            .bind(subject.as_slice())
            .fetch_optional(&mut transaction)
            .await
            .map_err(&failed)?;
        let mut count = 0;
        if let Some(row) = row {
            let last_at: i64 = row.try_get("last_at").map_err(&failed)?;
            let is_recent = now - last_at < LOCK_SECONDS;
            match row.try_get::<Option<i64>, _>("locked_until").map_err(&failed)? {
                Some(end) if end > now => return Ok(Reservation::Locked),
                None if is_recent => count = row.try_get("count").map_err(&failed)?,
                Some(_) | None => {}
            }
            if count >= MAX_FAILURES && now - last_at < PENDING_SECONDS {
                return Ok(Reservation::Busy);
            }
        }
        let locks = count >= MAX_FAILURES;
        query(
            "INSERT INTO failures (subject, count, last_at, locked_until) VALUES ($1, $2, $3, $4) ON CONFLICT (subject) DO UPDATE \
             SET count = excluded.count, last_at = excluded.last_at, locked_until = excluded.locked_until",
        )
        .bind(subject.as_slice())
        .bind(if locks { count } else { count + 1 })
        .bind(now)
        .bind(locks.then_some(now + LOCK_SECONDS))
        .execute(&mut transaction)
        .await
        .map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        Ok(if locks { Reservation::Locked } else { Reservation::Granted })
    }

    /// Records that a reserved attempt has failed. The fifth locks the subject.
    pub async fn confirm_auth_failure(&self, subject: &str) -> Result<(), StoreError> {
        self.count_failure(subject, 0).await.map(drop)
    }

    /// Counts a failed attempt that was not reserved, where a check costs next to nothing. The fifth in a row locks the subject. Returns
    /// until when it is locked, in seconds since 1970 (UTC), if it is locked now.
    pub async fn record_auth_failure(&self, subject: &str) -> Result<Option<i64>, StoreError> {
        self.count_failure(subject, 1).await
    }

    async fn count_failure(&self, subject: &str, more: i64) -> Result<Option<i64>, StoreError> {
        let failed = StoreError::database("count a failure");
        let now = self.clock.seconds();
        let mut transaction = self.database.begin_writing().await.map_err(&failed)?;
        forget_old_failures(&mut transaction, now).await.map_err(&failed)?;
        // A row that a success has removed in the meantime comes back with this failure.
        let rows: Vec<Option<i64>> = query_scalar(
            "INSERT INTO failures (subject, count, last_at) VALUES ($1, 1, $2) ON CONFLICT (subject) DO UPDATE SET \
                 count = CASE WHEN failures.locked_until <= $2 THEN 1 ELSE failures.count + $5 END, last_at = $2, \
                 locked_until = CASE WHEN failures.locked_until > $2 THEN failures.locked_until \
                     WHEN failures.locked_until IS NULL AND failures.count + $5 >= $3 THEN $2 + $4 END \
             RETURNING locked_until",
        )
        .bind(self.subject_hash(subject).as_slice())
        .bind(now)
        .bind(MAX_FAILURES)
        .bind(LOCK_SECONDS)
        .bind(more)
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

    /// Ends a row of failures: an attempt has succeeded.
    pub async fn clear_auth_failures(&self, subject: &str) -> Result<(), StoreError> {
        // A read needs no write lock.
        if self.failures(subject).await?.is_some() {
            query("DELETE FROM failures WHERE subject = $1")
                .bind(self.subject_hash(subject).as_slice())
                .execute(&self.database)
                .await
                .map_err(StoreError::database("forget failures"))?;
        }
        Ok(())
    }

    /// The failures of a subject that are counted.
    pub(crate) async fn failures(&self, subject: &str) -> Result<Option<Failures>, StoreError> {
        let row: Option<Option<i64>> = query_scalar("SELECT locked_until FROM failures WHERE subject = $1")
            .bind(self.subject_hash(subject).as_slice())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up failures"))?;
        Ok(row.map(|locked_until| Failures { locked_until }))
    }

    /// Whether the user has authenticated from this address in the last ninety days.
    pub async fn is_known_address(&self, user: &UserId, address: &str) -> Result<bool, StoreError> {
        // Of each signed request: without a query for those that this process has seen today.
        if self.memory.was_recorded(user, address, self.clock.seconds() - ADDRESS_INTERVAL) {
            return Ok(true);
        }
        let found: Option<i64> =
            query_scalar("SELECT last_at FROM known_addresses WHERE user_id = $1 AND address = $2")
                .bind(user.as_str())
                .bind(address)
                .fetch_optional(&self.database)
                .await
                .map_err(StoreError::database("look up the addresses of a user"))?;
        Ok(found.is_some_and(|last_at| self.clock.seconds() - last_at < ADDRESS_SECONDS))
    }

    /// Records that the user has authenticated from this address. Writes once a day for each address, and not at all while the user has as
    /// many other addresses of the last day as are stored: they would replace each other with every request.
    pub async fn record_known_address(&self, user: &UserId, address: &str) -> Result<(), StoreError> {
        let now = self.clock.seconds();
        if self.memory.was_recorded(user, address, now - ADDRESS_INTERVAL) {
            return Ok(());
        }
        let failed = StoreError::database("record the address of a user");
        let others: i64 =
            query_scalar("SELECT count(*) FROM known_addresses WHERE user_id = $1 AND address <> $2 AND last_at > $3")
                .bind(user.as_str())
                .bind(address)
                .bind(now - ADDRESS_INTERVAL)
                .fetch_one(&self.database)
                .await
                .map_err(&failed)?;
        if others >= MAX_ADDRESSES {
            return Ok(());
        }
        let mut transaction = self.database.begin_writing().await.map_err(&failed)?;
        // The user may have been removed a moment ago.
        query(
            "INSERT INTO known_addresses (user_id, address, last_at) SELECT id, $2, $3 FROM users WHERE id = $1 \
             ON CONFLICT (user_id, address) DO UPDATE SET last_at = excluded.last_at",
        )
        .bind(user.as_str())
        .bind(address)
        .bind(now)
        .execute(&mut transaction)
        .await
        .map_err(&failed)?;
        let forgotten: Vec<String> = query_scalar(
            "DELETE FROM known_addresses WHERE user_id = $1 AND (last_at <= $2 OR address NOT IN \
                 (SELECT address FROM known_addresses WHERE user_id = $1 ORDER BY last_at DESC, address LIMIT $3)) RETURNING address",
        )
        .bind(user.as_str())
        .bind(now - ADDRESS_SECONDS)
        .bind(MAX_ADDRESSES)
        .fetch_all(&mut transaction)
        .await
        .map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        self.memory.recorded(user, address, now);
        for address in &forgotten {
            self.memory.recorded(user, address, 0);
        }
        Ok(())
    }

    fn subject_hash(&self, subject: &str) -> [u8; 32] {
        authenticate(&self.keys.failures, &[subject.as_bytes()])
    }
}

async fn forget_old_failures(transaction: &mut Connection, now: i64) -> Result<u64, sqlx::Error> {
    query("DELETE FROM failures WHERE last_at <= $1 AND (locked_until IS NULL OR locked_until <= $2)")
        .bind(now - LOCK_SECONDS)
        .bind(now)
        .execute(transaction)
        .await
}
