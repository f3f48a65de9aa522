//! Enforces policy limits for users and groups, to bound the cost of policy evaluation per request.

use clew_model::GroupId;
use sqlx::AssertSqlSafe;

use crate::database::{Transaction, params, query};
use crate::error::StoreError;
use crate::identities::credential_revocation::AffectedUsers;
use crate::policy_limits::PolicyLimits;

/// Before the call, the caller must write the changed policies and attachments to the database in `transaction`.
pub(crate) async fn check_policy_limits(
    transaction: &mut Transaction,
    limits: PolicyLimits,
    affected: AffectedUsers<'_>,
) -> Result<(), StoreError> {
    if let AffectedUsers::Group(group) = affected {
        check_group_policy_limits(transaction, limits, group).await?;
    }
    let (users, id) = affected.affected_user_ids_sql();
    // `$2` is the id of the user, group or policy.
    let statement = format!(
        "WITH reached (user_id) AS ({users}), grants (user_id, policy_id) AS ( \
             SELECT r.user_id, a.policy_id FROM reached r JOIN attachments a ON a.user_id = r.user_id UNION ALL \
             SELECT r.user_id, a.policy_id FROM reached r JOIN members m ON m.user_id = r.user_id \
                 JOIN attachments a ON a.group_id = m.group_id) \
         SELECT u.name, COUNT(*) AS policies, CAST(COALESCE(SUM(octet_length(p.document)), 0) AS BIGINT) AS bytes \
         FROM grants g JOIN users u ON u.id = g.user_id LEFT JOIN policies p ON p.id = g.policy_id \
         GROUP BY u.id, u.name HAVING COUNT(*) > $1 OR COALESCE(SUM(octet_length(p.document)), 0) > $3 ORDER BY u.name LIMIT 1"
    );
    ensure_within_policy_limits(transaction, limits, statement, id).await
}

async fn check_group_policy_limits(
    transaction: &mut Transaction,
    limits: PolicyLimits,
    group: &GroupId,
) -> Result<(), StoreError> {
    let statement = "SELECT g.name, COUNT(*) AS policies, CAST(COALESCE(SUM(octet_length(p.document)), 0) AS BIGINT) AS bytes \
         FROM attachments a JOIN user_groups g ON g.id = a.group_id LEFT JOIN policies p ON p.id = a.policy_id WHERE g.id = $2 \
         GROUP BY g.id, g.name HAVING COUNT(*) > $1 OR COALESCE(SUM(octet_length(p.document)), 0) > $3";
    ensure_within_policy_limits(transaction, limits, statement.to_owned(), group.as_str()).await
}

async fn ensure_within_policy_limits(
    transaction: &mut Transaction,
    limits: PolicyLimits,
    statement: String,
    id: &str,
) -> Result<(), StoreError> {
    let parameters = params![i64::from(limits.policies), id, i64::from(limits.bytes)];
    let exceeded =
        query("count the policies of a user", AssertSqlSafe(statement), parameters).fetch_optional(transaction).await?;
    let Some(row) = exceeded else { return Ok(()) };
    let (name, policies, bytes): (String, i64, i64) = (row.get("name")?, row.get("policies")?, row.get("bytes")?);
    Err(StoreError::TooManyPolicies { name, policies: policies.unsigned_abs(), bytes: bytes.unsigned_abs(), limits })
}
