//! Locks out a user name or access key id after five consecutive failed authentication attempts.
//! The database stores hashes of user names, because users sometimes type a password into the user name field.
//!
//! [`LockoutStore::reserve_auth_attempt`] counts each attempt as a failure until the password has been verified.
//! A successful password check resets the failure count.
//! Clew counts each attempt in advance so that concurrent attempts on several Clew servers cannot exceed the limit.

pub(crate) mod auth_failures;

use std::net::IpAddr;
use std::sync::Arc;

use clew_model::UserId;

use crate::database::{Transaction, params, query, query_as};
use crate::derived_keys::compute_hmac;
use crate::error::StoreError;
use crate::lockouts::auth_failures::AuthFailureRecord;
use crate::store_handles::LockoutStore;

const MAX_CONSECUTIVE_AUTH_FAILURES: i64 = 5;
/// Authentication failures further apart than this duration are not consecutive.
const LOCKOUT_DURATION_SECONDS: i64 = 5 * 60;
/// Time in seconds after which an authentication attempt without a recorded result counts as failed.
const PENDING_AUTH_ATTEMPT_TTL_SECONDS: i64 = 30;

/// A new address replaces the least recently used address.
const MAX_CLIENT_ADDRESSES_PER_USER: i64 = 64;
const CLIENT_ADDRESS_RETENTION_SECONDS: i64 = 90 * 24 * 3600;
const CLIENT_ADDRESS_WRITE_INTERVAL_SECONDS: i64 = 24 * 3600;

/// Result of a request for an authentication attempt ([`LockoutStore::reserve_auth_attempt`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthAttemptReservation {
    /// The attempt is permitted. After a successful attempt, the caller must call [`LockoutStore::clear_auth_failures`].
    Granted,
    /// Attempts in progress could still reach the failure limit, so the caller must retry later.
    Busy,
    /// Authentication is locked out.
    Locked,
}

impl LockoutStore<'_> {
    /// Counts an authentication attempt as failed in advance, before the caller checks the credentials.
    /// `subject` is, for example, `key:<access key id>` or `user:<domain>/<name>`.
    /// `subject` may refer to a user or access key that does not exist.
    pub async fn reserve_auth_attempt(self, subject: &str) -> Result<AuthAttemptReservation, StoreError> {
        // A read-only query avoids the write lock.
        if self.find_lockout_end(subject).await?.is_some() {
            return Ok(AuthAttemptReservation::Locked);
        }
        let (subject, now) = (self.hash_subject(subject), self.store.clock.unix_seconds());
        let mut transaction = self.store.database.begin_write_transaction("reserve an authentication attempt").await?;
        let sql = "SELECT count, last_at, locked_until FROM failures WHERE subject = $1";
        let parameters = params![subject.as_slice()];
        let row = query("reserve an authentication attempt", sql, parameters).fetch_optional(&mut transaction).await?;
        let mut count = 0;
        if let Some(row) = row {
            let last_at: i64 = row.get("last_at")?;
            let is_recent = now - last_at < LOCKOUT_DURATION_SECONDS;
            match row.get::<Option<i64>>("locked_until")? {
                Some(end) if end > now => return Ok(AuthAttemptReservation::Locked),
                None if is_recent => count = row.get("count")?,
                Some(_) | None => {}
            }
            if count >= MAX_CONSECUTIVE_AUTH_FAILURES && now - last_at < PENDING_AUTH_ATTEMPT_TTL_SECONDS {
                return Ok(AuthAttemptReservation::Busy);
            }
        }
        let locks = count >= MAX_CONSECUTIVE_AUTH_FAILURES;
        let sql = "INSERT INTO failures (subject, count, last_at, locked_until) VALUES ($1, $2, $3, $4) ON CONFLICT \
            (subject) DO UPDATE \
            SET count = excluded.count, last_at = excluded.last_at, locked_until = excluded.locked_until";
        let parameters = params![
            subject.as_slice(),
            if locks { count } else { count + 1 },
            now,
            locks.then_some(now + LOCKOUT_DURATION_SECONDS)
        ];
        query("reserve an authentication attempt", sql, parameters).execute(&mut transaction).await?;
        transaction.commit("reserve an authentication attempt").await?;
        Ok(if locks { AuthAttemptReservation::Locked } else { AuthAttemptReservation::Granted })
    }

    /// Records that the authentication attempt reserved by [`LockoutStore::reserve_auth_attempt`] failed.
    /// The fifth consecutive authentication failure locks out the user name or access key id.
    pub async fn confirm_auth_attempt_failure(self, subject: &str) -> Result<(), StoreError> {
        self.update_auth_failure_count(subject, 0).await.map(drop)
    }

    /// Records a failed authentication attempt that [`LockoutStore::reserve_auth_attempt`] has not counted.
    /// The fifth consecutive authentication failure locks out the user name or access key id.
    /// Returns the Unix timestamp in seconds at which the lockout ends, or `None` if `subject` is not locked out.
    pub async fn record_auth_failure(self, subject: &str) -> Result<Option<i64>, StoreError> {
        self.update_auth_failure_count(subject, 1).await
    }

    async fn update_auth_failure_count(self, subject: &str, increment: i64) -> Result<Option<i64>, StoreError> {
        let now = self.store.clock.unix_seconds();
        let mut transaction = self.store.database.begin_write_transaction("record an authentication failure").await?;
        delete_expired_auth_failures(&mut transaction, now).await?;
        // A concurrent successful authentication may have deleted the row.
        let sql = "INSERT INTO failures (subject, count, last_at) VALUES ($1, 1, $2) ON CONFLICT (subject) DO UPDATE SET \
                count = CASE WHEN failures.locked_until <= $2 THEN 1 ELSE failures.count + $5 END, last_at = $2, \
                locked_until = CASE WHEN failures.locked_until > $2 THEN failures.locked_until \
                    WHEN failures.locked_until IS NULL AND failures.count + $5 >= $3 THEN $2 + $4 END \
            RETURNING locked_until";
        let parameters = params![
            self.hash_subject(subject),
            now,
            MAX_CONSECUTIVE_AUTH_FAILURES,
            LOCKOUT_DURATION_SECONDS,
            increment
        ];
        let rows: Vec<Option<i64>> =
            query_as("record an authentication failure", sql, parameters).fetch_all(&mut transaction).await?;
        transaction.commit("record an authentication failure").await?;
        Ok(rows.into_iter().next().flatten())
    }

    /// Returns the Unix timestamp in seconds at which the lockout ends, or `None` if `subject` is not locked out.
    pub async fn find_lockout_end(self, subject: &str) -> Result<Option<i64>, StoreError> {
        let failures = self.find_auth_failures(subject).await?;
        Ok(failures.and_then(|failures| failures.active_lockout_end(self.store.clock.unix_seconds())))
    }

    /// Deletes the recorded failures of a user name or access key id after a successful authentication.
    pub async fn clear_auth_failures(self, subject: &str) -> Result<(), StoreError> {
        // A read-only query avoids the write lock.
        if self.find_auth_failures(subject).await?.is_some() {
            let parameters = params![self.hash_subject(subject)];
            let sql = "DELETE FROM failures WHERE subject = $1";
            query("delete authentication failures", sql, parameters).execute(&self.store.database).await?;
        }
        Ok(())
    }

    pub(crate) async fn find_auth_failures(self, subject: &str) -> Result<Option<AuthFailureRecord>, StoreError> {
        let sql = "SELECT locked_until FROM failures WHERE subject = $1";
        let parameters = params![self.hash_subject(subject)];
        let row: Option<Option<i64>> =
            query_as("read authentication failures", sql, parameters).fetch_optional(&self.store.database).await?;
        Ok(row.map(|locked_until| AuthFailureRecord { locked_until }))
    }

    /// If the in-memory cache contains `address` as a recent client address of the user, returns the address as text.
    /// Reads only the in-memory cache, so that a request does not require a database query.
    #[must_use]
    pub fn find_recently_recorded_client_address(self, user: &UserId, address: IpAddr) -> Option<Arc<str>> {
        self.store.caches.find_recent_client_address(
            user,
            address,
            self.store.clock.unix_seconds() - CLIENT_ADDRESS_WRITE_INTERVAL_SECONDS,
        )
    }

    /// Returns true if the user has authenticated from this client address within the last 90 days.
    pub async fn is_known_client_address(self, user: &UserId, address: IpAddr) -> Result<bool, StoreError> {
        let sql = "SELECT last_at FROM known_addresses WHERE user_id = $1 AND address = $2";
        let found: Option<i64> = query_as("look up the addresses of a user", sql, params![user, address.to_string()])
            .fetch_optional(&self.store.database)
            .await?;
        Ok(found.is_some_and(|last_at| self.store.clock.unix_seconds() - last_at < CLIENT_ADDRESS_RETENTION_SECONDS))
    }

    /// Records that a user has authenticated from a client address, at most once per day for each address.
    /// Does not record the address if 64 other addresses of the user were recorded within the last day.
    /// The limit of 64 addresses prevents users with changing addresses from causing a database write on every request.
    pub async fn record_client_address(self, user: &UserId, address: IpAddr) -> Result<(), StoreError> {
        if self.find_recently_recorded_client_address(user, address).is_some() {
            return Ok(());
        }
        let text = address.to_string();
        let now = self.store.clock.unix_seconds();
        let sql = "SELECT count(*) FROM known_addresses WHERE user_id = $1 AND address <> $2 AND last_at > $3";
        let parameters = params![user, &text, now - CLIENT_ADDRESS_WRITE_INTERVAL_SECONDS];
        let others: i64 =
            query_as("record the address of a user", sql, parameters).fetch_one(&self.store.database).await?;
        if others >= MAX_CLIENT_ADDRESSES_PER_USER {
            return Ok(());
        }
        let mut transaction = self.store.database.begin_write_transaction("record the address of a user").await?;
        // The user may have been removed concurrently.
        let sql = "INSERT INTO known_addresses (user_id, address, last_at) SELECT id, $2, $3 FROM users WHERE id = $1 \
            ON CONFLICT (user_id, address) DO UPDATE SET last_at = excluded.last_at";
        query("record the address of a user", sql, params![user, &text, now]).execute(&mut transaction).await?;
        let sql = "DELETE FROM known_addresses WHERE user_id = $1 AND (last_at <= $2 OR address NOT IN \
            (SELECT address FROM known_addresses WHERE user_id = $1 ORDER BY last_at DESC, address LIMIT $3)) \
            RETURNING address";
        let parameters = params![user, now - CLIENT_ADDRESS_RETENTION_SECONDS, MAX_CLIENT_ADDRESSES_PER_USER];
        let deleted: Vec<String> =
            query_as("record the address of a user", sql, parameters).fetch_all(&mut transaction).await?;
        transaction.commit("record the address of a user").await?;
        self.store.caches.record_client_address(user, address, now);
        for address in deleted.iter().filter_map(|text| text.parse().ok()) {
            self.store.caches.evict_client_address(user, address);
        }
        Ok(())
    }

    fn hash_subject(self, subject: &str) -> [u8; 32] {
        compute_hmac(&self.store.keys.failures, &[subject.as_bytes()])
    }
}

async fn delete_expired_auth_failures(transaction: &mut Transaction, now: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM failures WHERE last_at <= $1 AND (locked_until IS NULL OR locked_until <= $2)";
    let parameters = params![now - LOCKOUT_DURATION_SECONDS, now];
    query("delete old authentication failures", sql, parameters).execute(transaction).await
}
