//! Query parameters of the audit routes.

use std::str::FromStr;

use clew_model::AuditOutcome;
use clew_store::AuditFilter;
use jiff::Timestamp;

use crate::prelude::*;

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
    /// Position of the last audit row on the previous page; omitted for the first page
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

pub(super) struct AuditRowQuery {
    pub(super) filter: AuditFilter,
    pub(super) newest_first: bool,
    /// Position of the last audit row on the previous page; `None` for the first page.
    pub(super) after: Option<i64>,
    pub(super) limit: u32,
}

pub(super) fn parse_audit_filter(query: Option<&str>, base: AuditFilter) -> Result<AuditFilter, ApiError> {
    let query = QueryString::parse(query)?;
    query.reject_unknown_parameters(&AUDIT_FILTER_PARAMETER_NAMES)?;
    build_audit_filter(&query, base)
}

pub(super) fn parse_audit_query_string(query: Option<&str>, base: AuditFilter) -> Result<AuditRowQuery, ApiError> {
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
    let limit = query.get_number_in_range("limit", 1, MAX_AUDIT_PAGE_ROWS, 100)?;
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
