//! ShowTaurusDbTxnProgress (spec section 2.12). `docs/decisions/0015-how-far-a-rollback-is.md` says what is listed and how the estimate is made.

use axum::body::Bytes;
use axum::extract::{Path, State};
use clew_iam::decision::Action;
use clew_model::{ErrorEntry, NodeRole, Page};
use clew_mysql::{Rollback, read_rollbacks};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::body::{Body, check_count, wrong};
use crate::caller::{Caller, Target};
use crate::json::Json;
use crate::page;
use crate::refusal::{ErrorBody, Refusal};
use crate::statement_text::statement_text;

/// The only action whose progress can be asked for.
const ROLLBACK: &str = "rollback";
/// Transactions that can be named at once.
const MOST: usize = 100;

/// Which transactions to look at.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct TransactionsAsked {
    /// What they are at
    #[schema(pattern = "^rollback$")]
    action: String,
    /// These only, and all of those that are there; empty for all, in parts
    #[schema(max_items = 100)]
    transaction_ids: Option<Vec<String>>,
    /// Transactions to return, where none are named
    #[schema(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u32>,
    /// Transactions to leave out, where none are named
    #[schema(minimum = 0, maximum = 2_147_483_647, default = 0)]
    offset: Option<u32>,
}

/// Transactions that are being rolled back.
#[derive(Serialize, ToSchema)]
pub(crate) struct TransactionProgress {
    /// By number; one that is over, or that nobody knows, is left out
    #[schema(max_items = 100)]
    transactions: Vec<TxnItem>,
    /// How many there are, also beyond this part
    total_count: u64,
}

/// A transaction that is being rolled back.
#[derive(Serialize, ToSchema)]
pub(crate) struct TxnItem {
    /// The server's number of it
    #[schema(example = "562947831113064")]
    trx_id: String,
    /// Seconds until it is over, at the speed of the last moments
    #[schema(minimum = 1)]
    estimated_remaining_time: u64,
    /// Its session, which may be gone from the list of sessions already
    trx_mysql_thread_id: u64,
    /// What the session runs; its template where the project masks statements; empty where it was killed
    trx_query: String,
    /// When it began, in the server's time zone
    #[schema(example = "2026-11-24 18:00:00")]
    trx_started: String,
    /// Changed rows that are still to be undone
    trx_rows_modified: u64,
}

/// Ask how far rollbacks are.
#[utoipa::path(
    post,
    path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/txn-progress",
    tag = "sessions",
    params(("project_id" = String, Path), ("instance_id" = String, Path), ("node_id" = String, Path)),
    request_body(content = TransactionsAsked, content_type = "application/json"),
    responses(
        (status = 200, description = "The transactions that are being rolled back", body = TransactionProgress),
        (status = 400, description = "Invalid field value", body = ErrorBody),
        (status = 409, description = "The node is not the master", body = ErrorBody),
        (status = 500, description = "The node cannot be read; the message says why", body = ErrorBody)
    )
)]
pub(crate) async fn show(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    body: Bytes,
) -> Result<Json<TransactionProgress>, Refusal> {
    let target = Target::to_read(&service, &caller, Action::LIST_PROCESSES, &path).await?;
    let asked = Asked::parse(&body)?;
    let node = &target.node;
    if node.role != NodeRole::Master {
        return Err(Refusal::because(ErrorEntry::NOT_ALLOWED, "not-the-master", Vec::new()));
    }
    let ids = asked.ids.as_deref();
    let rollbacks = service.read_node(node, async |limits| read_rollbacks(&node.url, ids, &limits).await).await?;
    let masked = target.is_masked_for(&service, &caller);
    let (transactions, total_count) = page::cut(rollbacks, asked.page, |rollback| item(rollback, masked));
    Ok(Json(TransactionProgress { transactions, total_count }))
}

fn item(rollback: Rollback, masked: bool) -> TxnItem {
    let shown = |statement: Vec<u8>| statement_text(&statement, masked);
    TxnItem {
        trx_id: rollback.transaction_id.to_string(),
        estimated_remaining_time: rollback.remaining_seconds,
        trx_mysql_thread_id: rollback.session_id,
        trx_query: rollback.statement.map(shown).unwrap_or_default(),
        trx_started: rollback.started,
        trx_rows_modified: rollback.rows_modified,
    }
}

/// What a body asks for.
struct Asked {
    /// These only; nothing for all.
    ids: Option<Vec<u64>>,
    page: Page,
}

impl Asked {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let body = Body::parse(body, &["action", "transaction_ids", "limit", "offset"])?;
        let action: String = body.need("action")?;
        if action != ROLLBACK {
            return Err(wrong("action", &action));
        }
        let given: Vec<String> = body.get("transaction_ids")?.unwrap_or_default();
        check_count("transaction_ids", given.len(), 0, MOST)?;
        let page =
            Page { offset: number(&body, "offset", 0, i32::MAX.unsigned_abs())?.unwrap_or(0), limit: limit(&body)? };
        if given.is_empty() {
            return Ok(Self { ids: None, page });
        }
        // What is no number is the number of no transaction.
        let ids = given.iter().filter_map(|id| id.parse().ok()).collect();
        Ok(Self { ids: Some(ids), page: Page::default() })
    }
}

fn limit(body: &Body) -> Result<u32, Refusal> {
    Ok(number(body, "limit", 1, 100)?.unwrap_or(100))
}

fn number(body: &Body, name: &'static str, min: u32, max: u32) -> Result<Option<u32>, Refusal> {
    let Some(given) = body.get::<u32>(name)? else { return Ok(None) };
    if (min..=max).contains(&given) { Ok(Some(given)) } else { Err(wrong(name, &given.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_transactions_or_a_part_of_all() {
        let asked = |body: &str| Asked::parse(body.as_bytes()).ok().map(|asked| (asked.ids, asked.page));
        let part = |offset, limit| Some((None, Page { offset, limit }));
        assert_eq!(asked(r#"{"action":"rollback"}"#), part(0, 100));
        assert_eq!(asked(r#"{"action":"rollback","transaction_ids":[],"offset":7,"limit":1}"#), part(7, 1));
        let named = asked(r#"{"action":"rollback","transaction_ids":["9","x"],"offset":7,"limit":1}"#);
        assert_eq!(named, Some((Some(vec![9]), Page::default())));
        let many = |count: usize| {
            format!(r#"{{"action":"rollback","transaction_ids":[{}]}}"#, vec![r#""9""#; count].join(","))
        };
        assert!(asked(&many(100)).is_some() && asked(&many(101)).is_none());
        for refused in [
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
            assert_eq!(asked(refused), None, "{refused}");
        }
    }
}
