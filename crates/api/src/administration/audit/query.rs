//! Which rows of the audit are asked for.

use std::str::FromStr;

use clew_model::Outcome;
use clew_store::AuditFilter;
use jiff::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::query::Query;
use crate::refusal::Refusal;

/// Most rows of an answer.
const MOST_ROWS: u32 = 1000;

/// Names of all parameters: one that is misspelt would answer too much.
const FILTERS: [&str; 9] =
    ["from", "to", "actor", "operation", "project_id", "instance_id", "node_id", "outcome", "request_id"];

/// Which rows are meant; all must hold.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "schema of the query; the handler parses it parameter by parameter for exact errors")]
pub(crate) struct AuditParameters {
    /// Not before this moment: 2026-11-24T08:00:00Z
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Before this moment
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Name or id of who did it
    actor: Option<String>,
    /// Name of the operation: CollectRealtimeSession, CreateUser, …
    operation: Option<String>,
    /// About this project
    #[param(pattern = "^[A-Za-z0-9]{32}$")]
    project_id: Option<String>,
    /// About this instance
    #[param(pattern = "^[0-9a-f]{32}in07$")]
    instance_id: Option<String>,
    /// About this node
    #[param(pattern = "^[0-9a-f]{32}no07$")]
    node_id: Option<String>,
    /// Ended so
    #[param(inline)]
    outcome: Option<OutcomeWord>,
    /// By this request, as in its X-Request-Id
    request_id: Option<String>,
}

/// Which of those rows.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "schema of the query; the handler parses it parameter by parameter for exact errors")]
pub(crate) struct RowsParameters {
    /// Which come first
    #[param(inline, default = "oldest")]
    order: Option<OrderWord>,
    /// Those that follow this position in that order
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Rows to return
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// The order of rows.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "schema of a parameter that is parsed as text")]
pub(crate) enum OrderWord {
    Oldest,
    Newest,
}

/// How something ended.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "schema of a parameter that is parsed as text")]
pub(crate) enum OutcomeWord {
    Done,
    Denied,
    Failed,
}

/// A part of the audit.
pub(super) struct Rows {
    pub(super) filter: AuditFilter,
    pub(super) newest_first: bool,
    /// Nothing: from the first of that order.
    pub(super) after: Option<i64>,
    pub(super) limit: u32,
}

/// What narrows the audit further than `all`.
pub(super) fn filter(query: Option<&str>, all: AuditFilter) -> Result<AuditFilter, Refusal> {
    let query = Query::parse(query)?;
    query.check_names(&FILTERS)?;
    read(&query, all)
}

/// The same, and which part of it.
pub(super) fn rows(query: Option<&str>, all: AuditFilter) -> Result<Rows, Refusal> {
    let query = Query::parse(query)?;
    let names: Vec<_> = FILTERS.into_iter().chain(["order", "after", "limit"]).collect();
    query.check_names(&names)?;
    let newest_first = match query.get("order") {
        None | Some("oldest") => false,
        Some("newest") => true,
        Some(other) => return Err(Query::wrong("order", other)),
    };
    let after = parsed::<i64>(&query, "after")?;
    if let Some(negative) = after.filter(|after| *after < 0) {
        return Err(Query::wrong("after", &negative.to_string()));
    }
    Ok(Rows { filter: read(&query, all)?, newest_first, after, limit: query.number("limit", 1, MOST_ROWS, 100)? })
}

fn read(query: &Query, all: AuditFilter) -> Result<AuditFilter, Refusal> {
    let text = |name: &str| query.get(name).map(ToOwned::to_owned);
    let outcome = |given| Outcome::from_name(given).ok_or_else(|| Query::wrong("outcome", given));
    Ok(AuditFilter {
        from: parsed::<Timestamp>(query, "from")?.map(Timestamp::as_millisecond),
        to: parsed::<Timestamp>(query, "to")?.map(Timestamp::as_millisecond),
        actor: text("actor"),
        operation: text("operation"),
        project: parsed(query, "project_id")?,
        instance: parsed(query, "instance_id")?,
        node: parsed(query, "node_id")?,
        outcome: query.get("outcome").map(outcome).transpose()?,
        request_id: text("request_id"),
        ..all
    })
}

fn parsed<T: FromStr>(query: &Query, name: &'static str) -> Result<Option<T>, Refusal> {
    let Some(given) = query.get(name) else { return Ok(None) };
    given.parse().map(Some).map_err(|_| Query::wrong(name, given))
}
