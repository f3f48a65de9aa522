//! Instance list and detail (spec sections 3.3 and 3.4). `/v3` and `/v3.1` differ in the words for the state.

mod wire;

use axum::extract::{Path, RawQuery, State};
use clew_iam::decision::Action;
use clew_model::{Instance, InstanceFilter, Page, Tag};
use clew_store::Project;
use utoipa::IntoParams;

use crate::Service;
use crate::caller::Caller;
use crate::json::Json;
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};
use wire::{InstanceAnswer, InstanceListAnswer, StatusWords};

/// What narrows a list of instances (spec section 3.3).
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read parameter by parameter to name what is wrong")]
struct ListParameters {
    /// Exact, or *part
    id: Option<String>,
    /// Exact, or *part
    name: Option<String>,
    /// Cluster
    r#type: Option<String>,
    /// gaussdb-mysql
    datastore_type: Option<String>,
    /// Matches nothing: Clew knows of no networks
    vpc_id: Option<String>,
    /// Matches nothing: Clew knows of no networks
    subnet_id: Option<String>,
    /// Host of the master
    private_ip: Option<String>,
    /// Host of a replica
    readonly_private_ip: Option<String>,
    /// Matches nothing: Clew knows of no proxies
    proxy_ip: Option<String>,
    /// Instances to leave out
    #[param(minimum = 0, default = 0)]
    offset: Option<u32>,
    /// Instances to return
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u32>,
    /// key=value, joined by commas; all must hold
    tags: Option<String>,
}

/// List the instances of a project.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances",
    tag = "instances",
    params(("project_id" = String, Path), ListParameters),
    responses(
        (status = 200, description = "A page of instances", body = InstanceListAnswer),
        (status = 400, description = "Invalid parameter value", body = ErrorBody)
    )
)]
pub(crate) async fn list_v3(
    State(service): State<Service>,
    caller: Caller,
    Path(project): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<InstanceListAnswer>, Refusal> {
    list(&service, &caller, &project, query, StatusWords::V3).await
}

/// List the instances of a project, with the unified words for the state.
#[utoipa::path(
    get,
    path = "/v3.1/{project_id}/instances",
    tag = "instances",
    params(("project_id" = String, Path), ListParameters),
    responses(
        (status = 200, description = "A page of instances", body = InstanceListAnswer),
        (status = 400, description = "Invalid parameter value", body = ErrorBody)
    )
)]
pub(crate) async fn list_v3_1(
    State(service): State<Service>,
    caller: Caller,
    Path(project): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<InstanceListAnswer>, Refusal> {
    list(&service, &caller, &project, query, StatusWords::V3_1).await
}

/// Show an instance with its nodes.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances/{instance_id}",
    tag = "instances",
    params(("project_id" = String, Path), ("instance_id" = String, Path)),
    responses((status = 200, description = "The instance", body = InstanceAnswer), (status = 404, description = "There is none", body = ErrorBody))
)]
pub(crate) async fn show_v3(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String)>,
) -> Result<Json<InstanceAnswer>, Refusal> {
    show(&service, &caller, &path, StatusWords::V3).await
}

/// Show an instance with its nodes, with the unified words for the state.
#[utoipa::path(
    get,
    path = "/v3.1/{project_id}/instances/{instance_id}",
    tag = "instances",
    params(("project_id" = String, Path), ("instance_id" = String, Path)),
    responses((status = 200, description = "The instance", body = InstanceAnswer), (status = 404, description = "There is none", body = ErrorBody))
)]
pub(crate) async fn show_v3_1(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String)>,
) -> Result<Json<InstanceAnswer>, Refusal> {
    show(&service, &caller, &path, StatusWords::V3_1).await
}

async fn list(
    service: &Service,
    caller: &Caller,
    project: &str,
    query: Option<String>,
    words: StatusWords,
) -> Result<Json<InstanceListAnswer>, Refusal> {
    let project = caller.project(Action::LIST_INSTANCES, project).await?;
    let query = Query::parse(query.as_deref())?;
    let page = Page {
        offset: query.number("offset", 0, i32::MAX.unsigned_abs(), 0)?,
        limit: query.number("limit", 1, 100, 100)?,
    };
    let filter = filter(&query)?;
    let (instances, total) = match filter {
        Some(filter) if caller.principal.administrator => service.store.instances(&project.id, &filter, page).await?,
        Some(filter) => visible(service, caller, &project, &filter, page).await?,
        None => (Vec::new(), 0),
    };
    Ok(Json(wire::list(&instances, total, service.store.region(), words)))
}

/// A page of the instances that the caller may see, and how many they may see: those that they may not are not counted either.
async fn visible(
    service: &Service,
    caller: &Caller,
    project: &Project,
    filter: &InstanceFilter,
    page: Page,
) -> Result<(Vec<Instance>, u64), Refusal> {
    let (mut instances, mut seen, mut next) = (Vec::new(), 0, Page::default());
    loop {
        let (read, total) = service.store.instances(&project.id, filter, next).await?;
        for instance in read {
            if !caller.may(service, Action::LIST_INSTANCES, project, &instance)? {
                continue;
            }
            if seen >= u64::from(page.offset) && instances.len() < page.limit as usize {
                instances.push(instance);
            }
            seen += 1;
        }
        next.offset = next.offset.saturating_add(next.limit);
        if u64::from(next.offset) >= total {
            return Ok((instances, seen));
        }
    }
}

async fn show(
    service: &Service,
    caller: &Caller,
    (project, instance): &(String, String),
    words: StatusWords,
) -> Result<Json<InstanceAnswer>, Refusal> {
    let (_, instance) = caller.instance(service, Action::GET_INSTANCE, (project, instance), &[]).await?;
    Ok(Json(wire::detail(&instance, words)))
}

/// The filter; nothing where it can match no instance: Clew's have no VPC, subnet or proxy.
fn filter(query: &Query) -> Result<Option<InstanceFilter>, Refusal> {
    only(query, "type", "Cluster")?;
    only(query, "datastore_type", wire::DATASTORE)?;
    let pattern = |name: &'static str| match query.get(name) {
        Some(given @ ("" | "*")) => Err(Query::wrong(name, given)),
        given => Ok(given.map(ToOwned::to_owned)),
    };
    let filter = InstanceFilter {
        id: pattern("id")?,
        name: pattern("name")?,
        private_ip: query.get("private_ip").map(ToOwned::to_owned),
        readonly_private_ip: query.get("readonly_private_ip").map(ToOwned::to_owned),
        tags: query.get("tags").map(tags).transpose()?.unwrap_or_default(),
    };
    let impossible = ["vpc_id", "subnet_id", "proxy_ip"].iter().any(|name| query.get(name).is_some());
    Ok((!impossible).then_some(filter))
}

fn only(query: &Query, name: &'static str, value: &str) -> Result<(), Refusal> {
    match query.get(name) {
        Some(given) if given != value => Err(Refusal::not_one_of(name, crate::query::shown(given), &[value])),
        _ => Ok(()),
    }
}

/// `key=value`, joined by commas; keys differ.
fn tags(text: &str) -> Result<Vec<Tag>, Refusal> {
    let mut tags: Vec<Tag> = Vec::new();
    for pair in text.split(',') {
        let (key, value) = pair.split_once('=').ok_or_else(|| Query::wrong("tags", text))?;
        if key.is_empty() || tags.iter().any(|tag| tag.key == key) {
            return Err(Query::wrong("tags", text));
        }
        tags.push(Tag { key: key.to_owned(), value: value.to_owned() });
    }
    Ok(tags)
}
