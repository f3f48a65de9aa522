//! Taking back what was handed out: tokens and temporary keys whose user may not do what it could when it got them.

use clew_model::{GroupId, PolicyId, UserId};
use sqlx::AssertSqlSafe;

use crate::database::{Connection, query};
use crate::error::StoreError;

/// Whose tokens are meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reached<'a> {
    /// One user's.
    User(&'a UserId),
    /// Those of all members of a group.
    Group(&'a GroupId),
    /// Those of all users whom a policy reaches, directly or through a group.
    Policy(&'a PolicyId),
}

impl Reached<'_> {
    /// A statement for the ids of the users, whose second parameter is the id of what is reached.
    pub(super) fn users(&self) -> (&'static str, &str) {
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

/// Takes back the tokens that are still good. Returns how many.
pub(super) async fn revoke_tokens(
    connection: &mut Connection,
    reached: Reached<'_>,
    now: i64,
) -> Result<u64, StoreError> {
    let (users, id) = reached.users();
    let statement = format!(
        "UPDATE tokens SET revoked_at = $1 WHERE revoked_at IS NULL AND expires_at > $1 AND user_id IN ({users})"
    );
    let revoked = query(AssertSqlSafe(statement)).bind(now).bind(id).execute(&mut *connection).await;
    let revoked = revoked.map_err(StoreError::database("take back tokens"))?;
    if revoked > 0 {
        revoke_keys_of_revoked_tokens(connection, users, id, now).await?;
    }
    Ok(revoked)
}

/// Revokes the temporary keys that were issued for tokens of these users that are revoked: a key never outlives its token.
pub(super) async fn revoke_keys_of_revoked_tokens(
    connection: &mut Connection,
    users: &'static str,
    id: &str,
    now: i64,
) -> Result<u64, StoreError> {
    let statement = format!(
        "UPDATE temporary_keys SET revoked_at = $1 WHERE revoked_at IS NULL AND expires_at > $1 AND issued_for IN \
             (SELECT hash FROM tokens WHERE revoked_at IS NOT NULL AND user_id IN ({users}))"
    );
    let revoked = query(AssertSqlSafe(statement)).bind(now).bind(id).execute(connection).await;
    revoked.map_err(StoreError::database("take back temporary keys"))
}

/// Takes back a user's temporary keys that are still good. Returns how many.
pub(super) async fn revoke_temporary_keys(
    connection: &mut Connection,
    user: &UserId,
    now: i64,
) -> Result<u64, StoreError> {
    let revoked = query(
        "UPDATE temporary_keys SET revoked_at = $1 WHERE revoked_at IS NULL AND expires_at > $1 AND user_id = $2",
    )
    .bind(now)
    .bind(user.as_str())
    .execute(connection)
    .await;
    revoked.map_err(StoreError::database("take back temporary keys"))
}
