//! The audit of the domain: what it is about, or who of it did something.

mod export;
mod query;
mod wire;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use clew_iam::decision::Action;
use clew_store::AuditFilter;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Serialize;
use utoipa::ToSchema;

use super::need_administrator;
use crate::Service;
use crate::caller::Caller;
use crate::json::Json;
use crate::refusal::Refusal;
use query::{AuditParameters, Rows, RowsParameters};
use wire::AuditRow;

/// A part of the audit.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    rows: Vec<AuditRow>,
    /// What to ask with as `after` for the rows that follow; nothing if these were the last
    next_after: Option<i64>,
}

/// What a look at the whole audit found.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditVerificationAnswer {
    /// Whether every row is there and as it was written
    intact: bool,
    /// How many rows there are
    rows: u64,
    /// Position of the first
    first: Option<i64>,
    /// Position of the last
    last: Option<i64>,
    /// The chain's newest link. Written down elsewhere, it tells later whether the whole store was put back to an earlier state
    newest: String,
    /// What is wrong, in the order of the rows
    problems: Vec<AuditProblemView>,
    /// How many more problems there are
    more_problems: u64,
}

/// Something that is wrong with the audit.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditProblemView {
    /// Where
    position: i64,
    /// What it is
    what: String,
}

/// Read the audit.
#[utoipa::path(get, path = "/clew/v1/audit", tag = "administration", params(AuditParameters, RowsParameters),
    responses((status = 200, description = "Rows in their order", body = AuditPage)))]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditPage>, Refusal> {
    let filter = filter(&service, &caller)?;
    let Rows { filter, newest_first, after, limit } = query::rows(query.as_deref(), filter)?;
    // One more than asked for tells whether there are more.
    let mut records = if newest_first {
        service.store.newest_audit(&filter, after.unwrap_or(i64::MAX), limit + 1).await?
    } else {
        service.store.audit(&filter, after.unwrap_or(0), limit + 1).await?
    };
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next_after = records.last().filter(|_| more).map(|last| last.seq);
    Ok(Json(AuditPage { rows: records.into_iter().map(AuditRow::from).collect(), next_after }))
}

/// Read all of the audit that matches, one JSON object a line.
#[utoipa::path(get, path = "/clew/v1/audit/export", tag = "administration", params(AuditParameters),
    responses((status = 200, description = "Rows, the oldest first", body = AuditRow, content_type = "application/x-ndjson")))]
pub(crate) async fn export(
    State(service): State<Service>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let filter = query::filter(query.as_deref(), filter(&service, &caller)?)?;
    let lines = export::lines(service.store.clone(), filter).await?;
    let headers =
        [(CONTENT_TYPE, "application/x-ndjson"), (CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\"")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// Verify the audit of all domains, also against the newest row that this process has seen. For administrators.
#[utoipa::path(get, path = "/clew/v1/audit/verify", tag = "administration",
    responses((status = 200, description = "What was found", body = AuditVerificationAnswer)))]
pub(crate) async fn verify(
    State(service): State<Service>,
    caller: Caller,
) -> Result<Json<AuditVerificationAnswer>, Refusal> {
    caller.domain_action(&service, Action::READ_AUDIT)?;
    need_administrator(&caller)?;
    let found = service.store.verify_audit(&[]).await?;
    let intact = found.is_sound();
    let problems = found.problems.iter();
    let view =
        |problem: &clew_store::AuditProblem| AuditProblemView { position: problem.position, what: problem.to_string() };
    Ok(Json(AuditVerificationAnswer {
        intact,
        rows: found.rows,
        first: found.first,
        last: found.last,
        problems: problems.map(view).collect(),
        more_problems: found.more_problems,
        newest: found.newest,
    }))
}

/// Everything that the caller may see.
fn filter(service: &Service, caller: &Caller) -> Result<AuditFilter, Refusal> {
    caller.domain_action(service, Action::READ_AUDIT)?;
    Ok(AuditFilter { domain: Some(caller.principal.domain_id.clone()), ..AuditFilter::default() })
}
