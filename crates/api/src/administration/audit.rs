//! API routes that list and export a domain's audit log and verify the audit log of all domains.

use std::io;
use std::str::FromStr;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use clew_diagnose::json;
use clew_iam::decision::Action;
use clew_model::{Actor, AuditOutcome};
use clew_store::{AuditFilter, AuditIntegrityProblem, AuditRecord, AuditVerification, Store, StoreError};
use futures_util::stream::{self, Stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tracing::error;
use utoipa::{IntoParams, ToSchema};

use super::require_administrator;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::field_errors::invalid_field_error;
use crate::query_string::QueryString;

/// Page of audit rows.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    rows: Vec<AuditRow>,
    /// Value of the parameter `after` for the next page; null on the last page
    next_after: Option<i64>,
}

/// Result of an audit verification.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditVerificationResponse {
    /// True if the verification found no missing or modified audit rows
    intact: bool,
    /// Number of rows
    rows: u64,
    /// Position of the first row
    first: Option<i64>,
    /// Position of the last row
    last: Option<i64>,
    /// MAC of the newest audit row; keep a copy outside the database to detect a restore of an older database
    newest: String,
    /// Detected problems in row order
    problems: Vec<AuditProblemView>,
    /// Number of further problems
    more_problems: u64,
}

/// Problem detected during the verification of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditProblemView {
    /// Sequence number of the missing or modified audit row
    position: i64,
    /// Description of the problem
    what: String,
}

/// List audit rows.
#[utoipa::path(get, path = "/clew/v1/audit", tag = "administration", operation_id = "ListAudit",
    params(AuditFilterParameters, AuditPageParameters),
    responses((status = 200, description = "Page of audit rows", body = AuditPage)))]
pub(crate) async fn list_audit_rows(ApiRequest { service, caller, query, .. }: ApiRequest) -> ApiResult<AuditPage> {
    let filter = authorize_audit_read(&caller)?;
    let AuditRowQuery { filter, newest_first, after, limit } = parse_audit_query_string(query.as_deref(), filter)?;
    // Reads one extra row to determine whether a next page exists.
    let mut records = if newest_first {
        service.store.audit().list_audit_rows_before_seq(&filter, after.unwrap_or(i64::MAX), limit + 1).await?
    } else {
        service.store.audit().list_audit_rows_after_seq(&filter, after.unwrap_or(0), limit + 1).await?
    };
    let has_more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next_after = records.last().filter(|_| has_more).map(|last| last.seq);
    Ok(Json(AuditPage { rows: records.into_iter().map(AuditRow::from).collect(), next_after }))
}

/// Export the audit rows that match the filters, in the JSON Lines format.
#[utoipa::path(get, path = "/clew/v1/audit/export", tag = "administration", operation_id = "ExportAudit",
    params(AuditFilterParameters),
    responses((status = 200, description = "Audit rows as JSON Lines, oldest first", body = AuditRow, content_type = "application/x-ndjson")))]
pub(crate) async fn export_audit_log(request: ApiRequest) -> Result<Response, ApiError> {
    let ApiRequest { service, caller, query, .. } = request;
    let filter = parse_audit_filter(query.as_deref(), authorize_audit_read(&caller)?)?;
    let lines = stream_audit_rows(service.store.clone(), filter).await?;
    let headers =
        [(CONTENT_TYPE, "application/x-ndjson"), (CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\"")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// Verify the audit log of all domains. Only administrators can verify the audit log.
///
/// Reports a problem if the audit log no longer contains the newest audit row that this server has read.
#[utoipa::path(get, path = "/clew/v1/audit/verify", tag = "administration", operation_id = "VerifyAudit",
    responses((status = 200, description = "Result of the verification", body = AuditVerificationResponse)))]
pub(crate) async fn verify_audit_log(request: ApiRequest) -> ApiResult<AuditVerificationResponse> {
    let ApiRequest { service, caller, .. } = request;
    caller.require_domain_permission(Action::READ_AUDIT)?;
    require_administrator(&caller)?;
    let report = service.store.audit().verify_audit_log(&[]).await?;
    let intact = report.is_intact();
    let AuditVerification { rows, first, last, newest, problems, more_problems } = report;
    let view =
        |problem: AuditIntegrityProblem| AuditProblemView { position: problem.position, what: problem.to_string() };
    let problems = problems.into_iter().map(view).collect();
    Ok(Json(AuditVerificationResponse { intact, rows, first, last, newest, problems, more_problems }))
}

fn authorize_audit_read(caller: &Caller) -> Result<AuditFilter, ApiError> {
    caller.require_domain_permission(Action::READ_AUDIT)?;
    Ok(AuditFilter { domain: Some(caller.principal.domain_id.clone()), ..AuditFilter::default() })
}

/// Row of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditRow {
    /// Position in the audit log
    seq: i64,
    /// Write time
    at: String,
    /// Kind of the actor: `user`, `local` (local command line), `clew` (Clew itself) or `anonymous` (unauthenticated)
    actor_kind: &'static str,
    /// Name of the actor; the name of an unauthenticated actor is not verified
    actor: String,
    /// User id of the actor
    actor_id: Option<String>,
    /// Client address
    peer: Option<String>,
    /// X-Request-Id of the response
    request_id: String,
    operation: String,
    project_id: Option<String>,
    instance_id: Option<String>,
    node_id: Option<String>,
    /// Object of the operation
    target: String,
    /// Outcome: done, denied or failed
    outcome: &'static str,
    /// Error code of the response
    code: Option<String>,
    /// Details of the operation
    detail: Value,
    /// MAC of this row and all previous rows; to detect modified rows, keep a copy of the MAC outside the database
    link: String,
}

impl From<AuditRecord> for AuditRow {
    fn from(record: AuditRecord) -> Self {
        let event = record.event;
        let actor_id = match &event.origin.actor {
            Actor::User { id, .. } => Some(id.to_string()),
            _ => None,
        };
        Self {
            seq: record.seq,
            at: Timestamp::from_millisecond(record.at).unwrap_or_default().to_string(),
            actor_kind: event.origin.actor.kind(),
            actor: event.origin.actor.name().to_owned(),
            actor_id,
            peer: event.origin.peer.map(|peer| peer.to_string()),
            request_id: event.origin.request_id,
            operation: event.operation,
            project_id: event.project_id.map(String::from),
            instance_id: event.instance_id.map(String::from),
            node_id: event.node_id.map(String::from),
            target: event.target,
            outcome: event.outcome.name(),
            code: event.code,
            detail: event.detail,
            link: record.link,
        }
    }
}

const AUDIT_ROWS_PER_BATCH: u32 = 1000;

struct AuditExportCursor {
    store: Store,
    filter: AuditFilter,
    rows: Vec<AuditRecord>,
}

/// Fails if the first batch cannot be read; a later read error aborts the stream.
async fn stream_audit_rows(
    store: Store,
    filter: AuditFilter,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send, ApiError> {
    let rows = store.audit().list_audit_rows_after_seq(&filter, 0, AUDIT_ROWS_PER_BATCH).await?;
    Ok(stream::try_unfold(AuditExportCursor { store, filter, rows }, |mut state| async move {
        let Some(last) = state.rows.last().map(|row| row.seq) else { return Ok(None) };
        let next = state.store.audit().list_audit_rows_after_seq(&state.filter, last, AUDIT_ROWS_PER_BATCH).await;
        let next = next.map_err(log_and_wrap_export_error)?;
        let lines = encode_json_lines(std::mem::replace(&mut state.rows, next))?;
        Ok(Some((lines, state)))
    }))
}

fn encode_json_lines(rows: Vec<AuditRecord>) -> io::Result<Bytes> {
    let mut lines = Vec::new();
    for row in rows {
        lines.extend_from_slice(json::to_string(&AuditRow::from(row))?.as_bytes());
        lines.push(b'\n');
    }
    Ok(lines.into())
}

fn log_and_wrap_export_error(error: StoreError) -> io::Error {
    error!(%error, "audit export failed");
    io::Error::other(error)
}

const MAX_AUDIT_PAGE_ROWS: u32 = 1000;

/// Unknown query parameters are rejected, because ignoring a misspelled filter would return too many audit rows.
const AUDIT_FILTER_PARAMETER_NAMES: [&str; 9] =
    ["from", "to", "actor", "operation", "project_id", "instance_id", "node_id", "outcome", "request_id"];

/// Filters for audit rows, combined with AND.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "schema of the query; the handler parses it parameter by parameter for exact errors")]
pub(crate) struct AuditFilterParameters {
    /// Start of the time range, inclusive; example: 2026-11-24T08:00:00Z
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// End of the time range, exclusive
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Name or id of the actor
    actor: Option<String>,
    /// Name of the operation, such as CollectRealtimeSession or CreateUser
    operation: Option<String>,
    /// Id of the project
    #[param(pattern = "^[A-Za-z0-9]{32}$")]
    project_id: Option<String>,
    /// Id of the instance
    #[param(pattern = "^[0-9a-f]{32}in07$")]
    instance_id: Option<String>,
    /// Id of the node
    #[param(pattern = "^[0-9a-f]{32}no07$")]
    node_id: Option<String>,
    /// Outcome of the operation
    #[param(inline)]
    outcome: Option<OutcomeFilter>,
    /// X-Request-Id of the request
    request_id: Option<String>,
}

/// Order and page of audit rows.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "schema of the query; the handler parses it parameter by parameter for exact errors")]
pub(crate) struct AuditPageParameters {
    /// Order of the rows
    #[param(inline, default = "oldest")]
    order: Option<AuditRowOrder>,
    /// Sequence number of the last audit row on the previous page; omitted for the first page
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Maximum number of rows to return
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Order of rows.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "schema of a parameter that is parsed as text")]
pub(crate) enum AuditRowOrder {
    Oldest,
    Newest,
}

/// Outcome of an operation.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "schema of a parameter that is parsed as text")]
pub(crate) enum OutcomeFilter {
    Done,
    Denied,
    Failed,
}

struct AuditRowQuery {
    filter: AuditFilter,
    newest_first: bool,
    after: Option<i64>,
    limit: u32,
}

fn parse_audit_filter(query: Option<&str>, base: AuditFilter) -> Result<AuditFilter, ApiError> {
    let query = QueryString::parse(query)?;
    query.reject_unknown_parameters(&AUDIT_FILTER_PARAMETER_NAMES)?;
    build_audit_filter(&query, base)
}

fn parse_audit_query_string(query: Option<&str>, base: AuditFilter) -> Result<AuditRowQuery, ApiError> {
    let query = QueryString::parse(query)?;
    let names: Vec<_> = AUDIT_FILTER_PARAMETER_NAMES.into_iter().chain(["order", "after", "limit"]).collect();
    query.reject_unknown_parameters(&names)?;
    let newest_first = match query.get("order") {
        None | Some("oldest") => false,
        Some("newest") => true,
        Some(other) => return Err(invalid_field_error("order", other)),
    };
    let after = parse_optional_parameter::<i64>(&query, "after")?;
    if let Some(negative) = after.filter(|after| *after < 0) {
        return Err(invalid_field_error("after", &negative.to_string()));
    }
    let limit = query.get_number_in_range("limit", 1..=MAX_AUDIT_PAGE_ROWS, 100)?;
    Ok(AuditRowQuery { filter: build_audit_filter(&query, base)?, newest_first, after, limit })
}

fn build_audit_filter(query: &QueryString, base: AuditFilter) -> Result<AuditFilter, ApiError> {
    let text = |name: &str| query.get(name).map(ToOwned::to_owned);
    let outcome = |given| AuditOutcome::from_name(given).ok_or_else(|| invalid_field_error("outcome", given));
    Ok(AuditFilter {
        from: parse_optional_parameter::<Timestamp>(query, "from")?.map(Timestamp::as_millisecond),
        to: parse_optional_parameter::<Timestamp>(query, "to")?.map(Timestamp::as_millisecond),
        actor: text("actor"),
        operation: text("operation"),
        project: parse_optional_parameter(query, "project_id")?,
        instance: parse_optional_parameter(query, "instance_id")?,
        node: parse_optional_parameter(query, "node_id")?,
        outcome: query.get("outcome").map(outcome).transpose()?,
        request_id: text("request_id"),
        ..base
    })
}

fn parse_optional_parameter<T: FromStr>(query: &QueryString, name: &'static str) -> Result<Option<T>, ApiError> {
    let Some(given) = query.get(name) else { return Ok(None) };
    given.parse().map(Some).map_err(|_| invalid_field_error(name, given))
}
