//! Implements the operation `CollectRealtimeSession` (section 1.2 of the TaurusDB API spec).

use clew_iam::decision::Action;
use clew_model::{SessionClass, SessionSelection, SortDirection, SortKey, UnvalidatedSessionSelection};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::api_request::{ApiRequest, Json};
use crate::caller::{NodePath, TargetNode};
use crate::error::ApiError;
use crate::error_responses::CollectionQueueFull;
use crate::field_errors::truncate_for_message;
use crate::request_body::parse_json_body;
use crate::statement_text::MASKED_SUBSTRING_PLACEHOLDER;

/// Filters and sort order of the collected sessions. Every field is optional, and filters are combined with AND.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RealtimeSessionRequest {
    /// Class of sessions: slow, active, total or long
    #[schema(schema_with = session_class_schema)]
    filter: Option<String>,
    /// Minimum duration of a slow session or long transaction, in seconds
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 86_400, default = 10)]
    slow_process_threshold: Option<i64>,
    /// Account name, exact match
    #[schema(min_length = 1, max_length = 255)]
    user: Option<String>,
    /// Client address: host or host:port
    #[schema(min_length = 1, max_length = 255)]
    host: Option<String>,
    /// Default database, exact match
    #[schema(min_length = 1, max_length = 255)]
    db: Option<String>,
    /// Command type, such as Sleep or Query (case-insensitive)
    #[schema(min_length = 1, max_length = 255)]
    command: Option<String>,
    /// Substring of the statement (case-insensitive)
    #[schema(min_length = 1, max_length = 1024)]
    sql_key: Option<String>,
    /// Column to sort by
    #[schema(schema_with = sort_key_schema)]
    sort_key: Option<String>,
    /// Sort direction: asc or desc
    #[schema(schema_with = sort_direction_schema)]
    sort_dir: Option<String>,
}

fn session_class_schema() -> Object {
    nullable_enum_schema(SessionClass::NAMES, "total")
}

fn sort_key_schema() -> Object {
    nullable_enum_schema(SortKey::NAMES, "id")
}

fn sort_direction_schema() -> Object {
    nullable_enum_schema(SortDirection::NAMES, "asc")
}

fn nullable_enum_schema(names: &[&str], default: &str) -> Object {
    let values = names.iter().map(|name| Value::from(*name)).chain([Value::Null]);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values))
        .default(Some(default.into()))
        .build()
}

/// Queued collection.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueuedCollection {
    /// Id of the collection
    #[schema(example = "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9")]
    request_id: String,
}

/// Collect the sessions of a node.
#[utoipa::path(post, path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/realtime-session",
    tag = "sessions", operation_id = "CollectRealtimeSession",
    request_body(content = Option<RealtimeSessionRequest>, content_type = "application/json"),
    responses((status = 202, description = "The collection is queued", body = QueuedCollection), CollectionQueueFull))]
pub(crate) async fn enqueue_session_collection(
    ApiRequest { service, caller, path, body, .. }: ApiRequest<NodePath>,
) -> Result<(StatusCode, Json<QueuedCollection>), ApiError> {
    let target = TargetNode::authorize_and_find_node(&caller, Action::GET_REALTIME_SESSION, &path).await?;
    let draft = parse_realtime_session_request(&body)?;
    caller.audit.add_detail("asked", build_audit_detail_for_collection(&draft));
    let selection = SessionSelection::parse(draft)?;
    let masked = target.are_statements_masked_for_caller(&caller);
    let (project, instance) = (target.project.id.clone(), target.instance.id.clone());
    let request_id = service.collections.submit_collection(project, instance, target.node, selection, masked).await?;
    caller.audit.add_detail("collection", request_id.as_str());
    caller.audit.add_detail("masked", masked);
    Ok((StatusCode::ACCEPTED, Json(QueuedCollection { request_id: request_id.to_string() })))
}

/// Masks the `sql_key` filter, which can contain literals.
fn build_audit_detail_for_collection(draft: &UnvalidatedSessionSelection) -> Value {
    let truncate = |text: Option<&str>| text.map(truncate_for_message);
    json!(UnvalidatedSessionSelection {
        filter: truncate(draft.filter.as_deref()),
        slow_process_threshold: draft.slow_process_threshold,
        user: truncate(draft.user.as_deref()),
        host: truncate(draft.host.as_deref()),
        db: truncate(draft.db.as_deref()),
        command: truncate(draft.command.as_deref()),
        sql_key: draft.sql_key.as_ref().map(|_| MASKED_SUBSTRING_PLACEHOLDER.to_owned()),
        sort_key: truncate(draft.sort_key.as_deref()),
        sort_dir: truncate(draft.sort_dir.as_deref()),
    })
}

/// Treats an empty body as an empty JSON object.
fn parse_realtime_session_request(body: &[u8]) -> Result<UnvalidatedSessionSelection, ApiError> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let RealtimeSessionRequest { filter, slow_process_threshold, user, host, db, command, sql_key, sort_key, sort_dir } =
        parse_json_body(body)?;
    Ok(UnvalidatedSessionSelection {
        filter,
        slow_process_threshold,
        user,
        host,
        db,
        command,
        sql_key,
        sort_key,
        sort_dir,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_body_and_null_select_the_defaults() {
        for body in ["", "  \n", "{}", r#"{"filter":null,"slow_process_threshold":null}"#] {
            assert_eq!(
                parse_realtime_session_request(body.as_bytes()).unwrap(),
                UnvalidatedSessionSelection::default(),
                "{body:?}"
            );
        }
    }

    #[test]
    fn invalid_bodies_are_rejected() {
        for body in [
            "[]",
            "{",
            "null",
            r#"{"filter":1}"#,
            r#"{"slow_process_threshold":"10"}"#,
            r#"{"slow_process_threshold":1.5}"#,
            r#"{"fliter":"slow"}"#,
            r#"{"user":"app","user":"root"}"#,
            "\u{feff}{}",
            "{\"user\":\"\u{0}\"}",
        ] {
            assert!(parse_realtime_session_request(body.as_bytes()).is_err(), "{body:?}");
        }
        assert!(parse_realtime_session_request(b"{\"user\":\"\xff\"}").is_err());
    }
}
