//! Stores login backoffs, which delay the next login to a server that refused Clew's last login.
//! A login backoff prevents repeated refused logins from locking Clew's account on the monitored server.
//! All Clew processes that use the same database share the login backoffs.

use std::time::Duration;

use clew_model::{Failure, InstanceId, Node, NodeId};
use secrecy::ExposeSecret;

use crate::database::{FromRow, duration_to_millis, impl_from_row, params, query, query_as};
use crate::error::StoreError;
use crate::store_handles::InstanceStore;

/// Delay after the first refused login. The delay doubles with each further refusal.
pub(crate) const LOGIN_BACKOFF_INITIAL_DELAY: Duration = Duration::from_secs(30);
pub(crate) const MAX_LOGIN_RETRY_DELAY: Duration = Duration::from_hours(1);
/// Minimum time between a refused login and the next login for a user request.
pub const LOGIN_RETRY_DELAY_FOR_USER_REQUESTS: Duration = Duration::from_secs(10);

/// Trigger of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginTrigger {
    /// Login for a background task, such as a kill task. Allowed only after the login backoff has expired.
    Automatic,
    /// Login for a user request.
    /// The login is allowed if [`LOGIN_RETRY_DELAY_FOR_USER_REQUESTS`] has elapsed since the last refused login.
    Requested,
}

/// Login backoff of a node that refused Clew's login attempts. Times are Unix timestamps in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginBackoff {
    /// Number of consecutive logins that the node has refused.
    pub refusals: u32,
    /// Error message of the last login that the node refused.
    pub reason: String,
    /// Time of the last login that the node refused.
    pub refused_at: i64,
    /// Time when the next automatic login is allowed.
    pub retry_at: i64,
}

impl_from_row! { LoginBackoff { refusals, reason, refused_at, retry_at } }

/// Permission to attempt a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginPermitDecision {
    /// The login is allowed.
    Granted {
        /// Number of consecutive refused logins.
        /// If the server refuses the login, the caller must pass `refusals` to [`crate::InstanceStore::record_login_refusal`].
        refusals: u32,
    },
    /// The backoff has not expired.
    Deferred(LoginBackoff),
}

pub(crate) fn compute_login_retry_delay(refusals: u32) -> Duration {
    let doublings = refusals.saturating_sub(1).min(16);
    LOGIN_BACKOFF_INITIAL_DELAY.saturating_mul(1 << doublings).min(MAX_LOGIN_RETRY_DELAY)
}

const MAX_REFUSAL_REASON_LEN: usize = 1000;

impl InstanceStore<'_> {
    /// Returns the refused logins and the next login time of a node, or `None` if the node accepted the last login.
    pub async fn find_login_backoff(self, node: &NodeId) -> Result<Option<LoginBackoff>, StoreError> {
        let sql = "SELECT refusals, reason, refused_at, retry_at FROM login_backoffs WHERE node_id = $1";
        query_as("look up refused logins", sql, params![node]).fetch_optional(&self.store.database).await
    }

    /// Returns the login backoffs of an instance's nodes. Nodes whose last login succeeded have no login backoff.
    pub async fn list_login_backoffs(self, instance: &InstanceId) -> Result<Vec<(NodeId, LoginBackoff)>, StoreError> {
        let sql = "SELECT b.node_id, b.refusals, b.reason, b.refused_at, b.retry_at FROM login_backoffs b \
            JOIN nodes n ON n.id = b.node_id WHERE n.instance_id = $1 ORDER BY n.role, b.node_id";
        let rows = query("list refused logins", sql, params![instance]).fetch_all(&self.store.database).await?;
        rows.iter().map(|row| Ok((row.get("node_id")?, LoginBackoff::from_row(row)?))).collect()
    }

    /// Requests a permit to log in to a node.
    /// After the login backoff of a node expires, only one Clew process receives permission to log in.
    pub async fn request_login_permit(
        self,
        node: &NodeId,
        cause: LoginTrigger,
    ) -> Result<LoginPermitDecision, StoreError> {
        let Some(backoff) = self.find_login_backoff(node).await? else {
            return Ok(LoginPermitDecision::Granted { refusals: 0 });
        };
        let now = self.store.clock.unix_millis();
        let earliest = match cause {
            LoginTrigger::Automatic => backoff.retry_at,
            LoginTrigger::Requested => {
                backoff.refused_at.saturating_add(duration_to_millis(LOGIN_RETRY_DELAY_FOR_USER_REQUESTS))
            }
        };
        // The backoff is ignored if the clock was set back to a time before the refused login.
        if earliest > now && backoff.refused_at <= now {
            return Ok(LoginPermitDecision::Deferred(backoff));
        }
        let sql = "UPDATE login_backoffs SET refused_at = $1, retry_at = $2 \
            WHERE node_id = $3 AND refused_at = $4 AND retry_at = $5";
        let parameters = params![
            now,
            now.saturating_add(duration_to_millis(compute_login_retry_delay(backoff.refusals))),
            node,
            backoff.refused_at,
            backoff.retry_at
        ];
        let updated = query("request a login permit", sql, parameters).execute(&self.store.database).await?;
        if updated > 0 {
            return Ok(LoginPermitDecision::Granted { refusals: backoff.refusals });
        }
        // Another process received the permit, or the credentials were changed.
        Ok(match self.find_login_backoff(node).await? {
            Some(backoff) => LoginPermitDecision::Deferred(backoff),
            None => LoginPermitDecision::Granted { refusals: 0 },
        })
    }

    /// Records that a node refused a login. `refusals` is the number of consecutive refused logins before this login.
    /// Counts concurrent refused logins to the same node as one refusal.
    /// Does not record the refusal if the node's URL or password has changed since the login.
    pub async fn record_login_refusal(self, node: &Node, refusals: u32, failure: &Failure) -> Result<(), StoreError> {
        let password = |node: &Node| node.url.password.as_ref().map(|password| password.expose_secret().to_owned());
        match self.find_node_with_password(&node.id).await? {
            Some(now) if now.url.to_string() == node.url.to_string() && password(&now) == password(node) => {}
            _ => return Ok(()),
        }
        let now = self.store.clock.unix_millis();
        let after = refusals.saturating_add(1);
        let sql = "INSERT INTO login_backoffs (node_id, refusals, reason, refused_at, retry_at) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (node_id) DO UPDATE SET refusals = excluded.refusals, reason = excluded.reason, \
                refused_at = excluded.refused_at, retry_at = excluded.retry_at \
            WHERE login_backoffs.refusals < excluded.refusals";
        let parameters = params![
            &node.id,
            i64::from(after),
            failure.detail.chars().take(MAX_REFUSAL_REASON_LEN).collect::<String>(),
            now,
            now.saturating_add(duration_to_millis(compute_login_retry_delay(after)))
        ];
        query("record a refused login", sql, parameters).execute(&self.store.database).await?;
        Ok(())
    }

    /// Clears the login backoff of a node after a successful login.
    pub async fn clear_login_backoff(self, node: &NodeId) -> Result<(), StoreError> {
        let sql = "DELETE FROM login_backoffs WHERE node_id = $1";
        query("delete refused logins", sql, params![node]).execute(&self.store.database).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_an_hour() {
        let delays = [1, 2, 3, 7, 8, 100, u32::MAX].map(|refusals| compute_login_retry_delay(refusals).as_secs());
        assert_eq!(delays, [30, 60, 120, 1920, 3600, 3600, 3600]);
    }
}
