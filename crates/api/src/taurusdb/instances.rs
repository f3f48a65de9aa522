//! Routes that list instances and show their details (sections 3.3 and 3.4 of the TaurusDB API spec).
//! The API versions `/v3` and `/v3.1` use different names for the same instance status.

mod wire_format;

use clew_iam::decision::Action;
use clew_model::{Instance, InstanceFilter, Pagination, Tag};
use clew_store::Project;
use utoipa::IntoParams;
use wire_format::{ACTIVE_STATUS_V3, ACTIVE_STATUS_V3_1, InstanceListResponse, InstanceResponse};

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{Caller, InstancePath};
use crate::error::ApiError;
use crate::error_responses::UnknownInstance;
use crate::field_errors::{invalid_field_error, value_not_allowed_error};
use crate::query_string;
use crate::query_string::QueryString;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "schema of the query; the handler parses it parameter by parameter for exact errors")]
struct InstanceListParameters {
    /// Instance id: an exact id, or * followed by a substring of the id
    id: Option<String>,
    /// Instance name: an exact name, or * followed by a substring of the name
    name: Option<String>,
    /// Instance type; only Cluster is supported
    r#type: Option<String>,
    /// Datastore type; only gaussdb-mysql is supported
    datastore_type: Option<String>,
    /// Not supported; if the parameter is set, the response contains no instances
    vpc_id: Option<String>,
    /// Not supported; if the parameter is set, the response contains no instances
    subnet_id: Option<String>,
    /// Host of the master node
    private_ip: Option<String>,
    /// Host of a replica node
    readonly_private_ip: Option<String>,
    /// Not supported; if the parameter is set, the response contains no instances
    proxy_ip: Option<String>,
    /// Number of instances to skip
    #[param(minimum = 0, default = 0)]
    offset: Option<u32>,
    /// Maximum number of instances to return
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u32>,
    /// Comma-separated tags in the format key=value; only instances with all of these tags match
    tags: Option<String>,
}

/// List the instances of a project.
#[utoipa::path(get, path = "/v3/{project_id}/instances", tag = "instances", operation_id = "ListGaussMySqlInstances",
    params(InstanceListParameters),
    responses((status = 200, description = "Page of instances", body = InstanceListResponse)))]
pub(crate) async fn list_gauss_mysql_instances(request: ApiRequest<String>) -> ApiResult<InstanceListResponse> {
    let ApiRequest { caller, path: project, query, .. } = request;
    list_instances(&caller, &project, query, ACTIVE_STATUS_V3).await
}

/// List the instances of a project. Instance statuses have the names defined in API version 3.1.
#[utoipa::path(get, path = "/v3.1/{project_id}/instances", tag = "instances",
    operation_id = "ListGaussMySqlInstancesUnifyStatus", params(InstanceListParameters),
    responses((status = 200, description = "Page of instances", body = InstanceListResponse)))]
pub(crate) async fn list_gauss_mysql_instances_unify_status(
    ApiRequest { caller, path: project, query, .. }: ApiRequest<String>,
) -> ApiResult<InstanceListResponse> {
    list_instances(&caller, &project, query, ACTIVE_STATUS_V3_1).await
}

/// Show an instance and its nodes.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}", tag = "instances",
    operation_id = "ShowGaussMySqlInstanceInfo",
    responses((status = 200, description = "The instance", body = InstanceResponse), UnknownInstance))]
pub(crate) async fn show_gauss_mysql_instance_info(request: ApiRequest<InstancePath>) -> ApiResult<InstanceResponse> {
    let ApiRequest { caller, path, .. } = request;
    show_instance(&caller, &path, ACTIVE_STATUS_V3).await
}

/// Show an instance and its nodes, with the status names of API version 3.1.
#[utoipa::path(get, path = "/v3.1/{project_id}/instances/{instance_id}", tag = "instances",
    operation_id = "ShowGaussMySqlInstanceInfoUnifyStatus",
    responses((status = 200, description = "The instance", body = InstanceResponse), UnknownInstance))]
pub(crate) async fn show_gauss_mysql_instance_info_unify_status(
    ApiRequest { caller, path, .. }: ApiRequest<InstancePath>,
) -> ApiResult<InstanceResponse> {
    show_instance(&caller, &path, ACTIVE_STATUS_V3_1).await
}

async fn list_instances(
    caller: &Caller,
    project: &str,
    query: Option<String>,
    status: &'static str,
) -> ApiResult<InstanceListResponse> {
    let project = caller.require_permission_on_some_instance(Action::LIST_INSTANCES, project).await?;
    let query = QueryString::parse(query.as_deref())?;
    let page = query_string::parse_page_from_query_string(&query)?;
    let filter = parse_instance_filter(&query)?;
    let (instances, total) = match filter {
        Some(filter) if caller.principal.administrator => {
            caller.service.store.instances().list_instances(&project.id, &filter, page).await?
        }
        Some(filter) => list_visible_instances(caller, &project, &filter, page).await?,
        None => (Vec::new(), 0),
    };
    Ok(Json(wire_format::build_instance_list_response(&instances, total, caller.service.store.region(), status)))
}

async fn list_visible_instances(
    caller: &Caller,
    project: &Project,
    filter: &InstanceFilter,
    page: Pagination,
) -> Result<(Vec<Instance>, u64), ApiError> {
    let (mut instances, mut seen) = (Vec::new(), 0);
    let visit = |instance| {
        if seen >= u64::from(page.offset) && instances.len() < page.limit as usize {
            instances.push(instance);
        }
        seen += 1;
    };
    caller.for_each_allowed_instance(Action::LIST_INSTANCES, project, filter, visit).await?;
    Ok((instances, seen))
}

async fn show_instance(caller: &Caller, path: &InstancePath, status: &'static str) -> ApiResult<InstanceResponse> {
    let (_, instance) = caller.require_instance_permission(Action::GET_INSTANCE, path).await?;
    Ok(Json(wire_format::build_instance_response(&instance, status)))
}

/// Returns `None` if the query filters by VPC, subnet or proxy, because no instance can match such a filter.
fn parse_instance_filter(query: &QueryString) -> Result<Option<InstanceFilter>, ApiError> {
    require_supported_parameter_value(query, "type", "Cluster")?;
    require_supported_parameter_value(query, "datastore_type", wire_format::DATASTORE_TYPE)?;
    let pattern = |name: &'static str| match query.get(name) {
        Some(given @ ("" | "*")) => Err(invalid_field_error(name, given)),
        given => Ok(given.map(ToOwned::to_owned)),
    };
    let filter = InstanceFilter {
        id: pattern("id")?,
        name: pattern("name")?,
        private_ip: query.get("private_ip").map(ToOwned::to_owned),
        readonly_private_ip: query.get("readonly_private_ip").map(ToOwned::to_owned),
        tags: query.get("tags").map(parse_tag_filter).transpose()?.unwrap_or_default(),
    };
    let impossible = ["vpc_id", "subnet_id", "proxy_ip"].iter().any(|name| query.get(name).is_some());
    Ok((!impossible).then_some(filter))
}

fn require_supported_parameter_value(query: &QueryString, name: &'static str, value: &str) -> Result<(), ApiError> {
    match query.get(name) {
        Some(given) if given != value => Err(value_not_allowed_error(name, given, &[value])),
        _ => Ok(()),
    }
}

fn parse_tag_filter(text: &str) -> Result<Vec<Tag>, ApiError> {
    let mut tags: Vec<Tag> = Vec::new();
    for pair in text.split(',') {
        let (key, value) = pair.split_once('=').ok_or_else(|| invalid_field_error("tags", text))?;
        if key.is_empty() || tags.iter().any(|tag| tag.key == key) {
            return Err(invalid_field_error("tags", text));
        }
        tags.push(Tag { key: key.to_owned(), value: value.to_owned() });
    }
    Ok(tags)
}
