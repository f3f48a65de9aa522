//! Revokes tokens and temporary access keys after a change to the users' permissions.

use clew_model::{GroupId, PolicyId, UserId};
use sqlx::AssertSqlSafe;

use crate::database::audited_transaction::AuditedTransaction;
use crate::database::{params, query};
use crate::error::StoreError;

#[derive(Debug, Clone, Copy)]
pub(crate) enum AffectedUsers<'a> {
    User(&'a UserId),
    Group(&'a GroupId),
    /// All users that have the policy, either directly or through a group.
    Policy(&'a PolicyId),
}

impl AffectedUsers<'_> {
    /// Returns an SQL query that selects the ids of the affected users, and the value for its parameter `$2`.
    pub(crate) fn affected_user_ids_sql(&self) -> (&'static str, &str) {
        match self {
            Self::User(id) => ("SELECT $2", id.as_str()),
            Self::Group(id) => ("SELECT user_id FROM members WHERE group_id = $2", id.as_str()),
            Self::Policy(id) => (
                "SELECT user_id FROM attachments WHERE policy_id = $2 AND user_id IS NOT NULL UNION \
                 SELECT m.user_id FROM attachments a JOIN members m ON m.group_id = a.group_id WHERE a.policy_id = $2",
                id.as_str(),
            ),
        }
    }
}

impl AuditedTransaction {
    pub(crate) async fn revoke_tokens(&mut self, affected: AffectedUsers<'_>) -> Result<u64, StoreError> {
        let (now, (users, id)) = (self.unix_seconds(), affected.affected_user_ids_sql());
        let sql = format!(
            "UPDATE tokens SET revoked_at = $1 WHERE revoked_at IS NULL AND expires_at > $1 AND user_id IN ({users})"
        );
        let revoke = query("revoke tokens", AssertSqlSafe(sql), params![now, id]);
        let revoked = revoke.execute(self.transaction()).await?;
        if revoked > 0 {
            self.revoke_temporary_keys_of_revoked_tokens(users, id).await?;
        }
        Ok(revoked)
    }

    pub(crate) async fn revoke_temporary_keys_of_revoked_tokens(
        &mut self,
        users: &'static str,
        id: &str,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "UPDATE temporary_keys SET revoked_at = $1 WHERE revoked_at IS NULL AND expires_at > $1 AND issued_for IN \
                (SELECT hash FROM tokens WHERE revoked_at IS NOT NULL AND user_id IN ({users}))"
        );
        let parameters = params![self.unix_seconds(), id];
        query("revoke temporary access keys", AssertSqlSafe(sql), parameters).execute(self.transaction()).await
    }

    pub(crate) async fn revoke_temporary_access_keys(&mut self, user: &UserId) -> Result<u64, StoreError> {
        let sql =
            "UPDATE temporary_keys SET revoked_at = $1 WHERE revoked_at IS NULL AND expires_at > $1 AND user_id = $2";
        let parameters = params![self.unix_seconds(), user];
        query("revoke temporary access keys", sql, parameters).execute(self.transaction()).await
    }
}
