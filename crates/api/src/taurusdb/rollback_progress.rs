//! Implements the operation `ShowTaurusDbTxnProgress` (section 2.12 of the TaurusDB API spec).
//!
//! `docs/decisions/0015-rollback-progress.md` explains how Clew lists rollbacks and estimates the remaining time.

use clew_iam::decision::Action;
use clew_model::{ApiErrorDefinition, NodeRole, Pagination};
use clew_mysql::{Rollback, read_rollbacks};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{NodePath, TargetNode};
use crate::error::ApiError;
use crate::error_responses::{NodeIsReplica, NodeNotReadable};
use crate::field_errors::{check_array_length, invalid_field_error};
use crate::query_string::paginate_list;
use crate::request_body::parse_json_body;
use crate::statement_text::render_statement;

const SUPPORTED_ACTION: &str = "rollback";
const MAX_TRANSACTION_IDS: usize = 100;

/// Rollbacks to list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransactionProgressRequest {
    /// Always rollback
    #[schema(pattern = "^rollback$")]
    action: String,
    /// Ids of the transactions to list; if omitted or empty, the response lists all rollbacks, paginated by limit and offset
    #[schema(max_items = 100)]
    transaction_ids: Option<Vec<String>>,
    /// Maximum number of transactions to return; ignored if transaction_ids is set
    #[schema(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u32>,
    /// Number of transactions to skip; ignored if transaction_ids is set
    #[schema(minimum = 0, maximum = 2_147_483_647, default = 0)]
    offset: Option<u32>,
}

/// Transactions that are being rolled back.
#[derive(Serialize, ToSchema)]
pub(crate) struct TransactionProgress {
    /// Transactions that the server is still rolling back, sorted by transaction id
    #[schema(max_items = 100)]
    transactions: Vec<OngoingRollback>,
    /// Total number of matching transactions
    total_count: u64,
}

/// A transaction that is being rolled back.
#[derive(Serialize, ToSchema)]
pub(crate) struct OngoingRollback {
    /// Transaction id assigned by the server
    #[schema(example = "562947831113064")]
    trx_id: String,
    /// Estimated remaining time of the rollback, in seconds, based on the recent rollback rate
    #[schema(minimum = 1)]
    estimated_remaining_time: u64,
    /// Thread id of the session; a killed session may be missing from the session list
    trx_mysql_thread_id: u64,
    /// Current statement; empty for a killed session. If the project masks statements, each literal is replaced by ?
    trx_query: String,
    /// Start time in the server's time zone
    #[schema(example = "2026-11-24 18:00:00")]
    trx_started: String,
    /// Number of modified rows that have not yet been rolled back
    trx_rows_modified: u64,
}

/// Show the progress of rollbacks.
#[utoipa::path(post, path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/txn-progress", tag = "sessions",
    operation_id = "ShowTaurusDbTxnProgress", request_body = TransactionProgressRequest,
    responses(
        (status = 200, description = "Transactions that are being rolled back", body = TransactionProgress),
        NodeIsReplica, NodeNotReadable
    ))]
pub(crate) async fn show_rollback_progress(request: ApiRequest<NodePath>) -> ApiResult<TransactionProgress> {
    let ApiRequest { service, caller, path, body, .. } = request;
    let target = TargetNode::authorize_and_load_node_with_password(&caller, Action::LIST_PROCESSES, &path).await?;
    let (ids, page) = validate_rollback_progress_request(parse_json_body(&body)?)?;
    let node = &target.node;
    if node.role != NodeRole::Master {
        return Err(ApiError::with_detail(ApiErrorDefinition::NOT_ALLOWED, "not-the-master", []));
    }
    let read = read_rollbacks(&node.url, ids.as_deref(), &service.connector);
    let rollbacks = service.read_from_node(node, read).await?;
    let masked = target.requires_statement_masking(&caller);
    let (transactions, total_count) = paginate_list(rollbacks, page, |rollback| build_rollback_entry(rollback, masked));
    Ok(Json(TransactionProgress { transactions, total_count }))
}

fn build_rollback_entry(rollback: Rollback, masked: bool) -> OngoingRollback {
    let shown = |statement: Vec<u8>| render_statement(&statement, masked);
    OngoingRollback {
        trx_id: rollback.transaction_id.to_string(),
        estimated_remaining_time: rollback.remaining_seconds,
        trx_mysql_thread_id: rollback.session_id,
        trx_query: rollback.statement.map(shown).unwrap_or_default(),
        trx_started: rollback.started,
        trx_rows_modified: rollback.rows_modified,
    }
}

/// The transaction ids are `None` if the request selects all rollbacks.
fn validate_rollback_progress_request(
    request: TransactionProgressRequest,
) -> Result<(Option<Vec<u64>>, Pagination), ApiError> {
    if request.action != SUPPORTED_ACTION {
        return Err(invalid_field_error("action", &request.action));
    }
    let ids = request.transaction_ids.unwrap_or_default();
    check_array_length("transaction_ids", ids.len(), 0, MAX_TRANSACTION_IDS)?;
    let page = Pagination {
        offset: check_number_in_range("offset", request.offset.unwrap_or(0), 0, i32::MAX.unsigned_abs())?,
        limit: check_number_in_range("limit", request.limit.unwrap_or(100), 1, 100)?,
    };
    if ids.is_empty() {
        return Ok((None, page));
    }
    // An id that is not a number does not match any transaction.
    let ids = ids.iter().filter_map(|id| id.parse().ok()).collect();
    Ok((Some(ids), Pagination::default()))
}

fn check_number_in_range(name: &'static str, given: u32, min: u32, max: u32) -> Result<u32, ApiError> {
    if (min..=max).contains(&given) { Ok(given) } else { Err(invalid_field_error(name, &given.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_selects_transactions_by_id_or_by_page() {
        let parse = |body: &str| parse_json_body(body.as_bytes()).and_then(validate_rollback_progress_request).ok();
        let page = |offset, limit| Some((None, Pagination { offset, limit }));
        assert_eq!(parse(r#"{"action":"rollback"}"#), page(0, 100));
        assert_eq!(parse(r#"{"action":"rollback","transaction_ids":[],"offset":7,"limit":1}"#), page(7, 1));
        let by_id = parse(r#"{"action":"rollback","transaction_ids":["9","x"],"offset":7,"limit":1}"#);
        assert_eq!(by_id, Some((Some(vec![9]), Pagination::default())));
        let many = |count: usize| {
            format!(r#"{{"action":"rollback","transaction_ids":[{}]}}"#, vec![r#""9""#; count].join(","))
        };
        assert!(parse(&many(100)).is_some() && parse(&many(101)).is_none());
        for invalid in [
            "",
            "{}",
            r#"{"action":"commit"}"#,
            r#"{"action":"ROLLBACK"}"#,
            r#"{"action":"rollback","limit":0}"#,
            r#"{"action":"rollback","limit":101}"#,
            r#"{"action":"rollback","offset":-1}"#,
            r#"{"action":"rollback","offset":2147483648}"#,
            r#"{"action":"rollback","transaction_ids":[9]}"#,
            r#"{"action":"rollback","ids":["9"]}"#,
        ] {
            assert_eq!(parse(invalid), None, "{invalid}");
        }
    }
}
