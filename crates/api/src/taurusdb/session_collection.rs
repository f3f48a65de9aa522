//! Implements the operation `CollectRealtimeSession` (section 1.2 of the TaurusDB API spec).

use std::collections::HashSet;
use std::fmt;

use axum::body::Bytes;
use axum::extract::{Path, State};
use clew_iam::decision::Action;
use clew_model::{SessionClass, SessionSelection, SortDirection, SortKey, UnvalidatedSessionSelection};
use http::StatusCode;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::AppState;
use crate::caller::{Caller, TargetNode};
use crate::error::{ApiError, ErrorBody};
use crate::json::Json;
use crate::query_string::truncate_for_message;
use crate::statement_text::MASKED_SUBSTRING_PLACEHOLDER;

/// Filters and sort order of the collected sessions. Every field is optional, and filters are combined with AND.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct RealtimeSessionRequest {
    /// Class of sessions: slow, active, total or long
    #[schema(schema_with = session_class_schema)]
    filter: Option<String>,
    /// Minimum duration of a slow session or long transaction, in seconds
    #[schema(minimum = 1, maximum = 86_400, default = 10)]
    slow_process_threshold: Option<i32>,
    /// Account name, exact match
    #[schema(min_length = 1, max_length = 255)]
    user: Option<String>,
    /// Client address: host or host:port
    #[schema(min_length = 1, max_length = 255)]
    host: Option<String>,
    /// Default database, exact match
    #[schema(min_length = 1, max_length = 255)]
    db: Option<String>,
    /// Command type, such as Sleep or Query. Case is ignored
    #[schema(min_length = 1, max_length = 255)]
    command: Option<String>,
    /// Substring of the statement. Case is ignored
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
    nullable_enum_schema(SessionClass::API_NAMES, "total")
}

fn sort_key_schema() -> Object {
    nullable_enum_schema(SortKey::API_NAMES, "id")
}

fn sort_direction_schema() -> Object {
    nullable_enum_schema(SortDirection::API_NAMES, "asc")
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
#[utoipa::path(
    post,
    path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/realtime-session",
    tag = "sessions",
    params(("project_id" = String, Path), ("instance_id" = String, Path), ("node_id" = String, Path)),
    request_body(content = Option<RealtimeSessionRequest>, content_type = "application/json"),
    responses(
        (status = 202, description = "The collection is queued", body = QueuedCollection),
        (status = 400, description = "Invalid field value", body = ErrorBody),
        (status = 409, description = "The collection queue of the node is full", body = ErrorBody)
    )
)]
pub(crate) async fn enqueue_session_collection(
    State(service): State<AppState>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    body: Bytes,
) -> Result<(StatusCode, Json<QueuedCollection>), ApiError> {
    let target = TargetNode::resolve(&service, &caller, Action::GET_REALTIME_SESSION, &path).await?;
    let draft = parse_realtime_session_request(&body)?;
    caller.audit.add_detail("asked", build_audit_detail_for_collection(&draft));
    let selection = SessionSelection::parse(draft)?;
    let masked = target.are_statements_masked_for_caller(&service, &caller);
    let (project, instance) = (target.project.id.clone(), target.instance.id.clone());
    let request_id = service.collections.submit_collection(project, instance, target.node, selection, masked).await?;
    caller.audit.add_detail("collection", request_id.as_str());
    caller.audit.add_detail("masked", masked);
    Ok((StatusCode::ACCEPTED, Json(QueuedCollection { request_id: request_id.to_string() })))
}

/// The audit log contains a placeholder instead of the statement substring, because the substring can contain literals.
fn build_audit_detail_for_collection(draft: &UnvalidatedSessionSelection) -> Value {
    let texts = [
        ("filter", &draft.filter),
        ("user", &draft.user),
        ("host", &draft.host),
        ("db", &draft.db),
        ("command", &draft.command),
        ("sort_key", &draft.sort_key),
        ("sort_dir", &draft.sort_dir),
    ];
    let mut detail: Map<String, Value> = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), truncate_for_message(text.as_deref()?).into())))
        .collect();
    if let Some(seconds) = draft.slow_process_threshold {
        detail.insert("slow_process_threshold".to_owned(), seconds.into());
    }
    if draft.sql_key.is_some() {
        detail.insert("sql_key".to_owned(), MASKED_SUBSTRING_PLACEHOLDER.into());
    }
    Value::Object(detail)
}

/// Treats an empty body as an empty JSON object, and a field with the value `null` as a missing field.
fn parse_realtime_session_request(body: &[u8]) -> Result<UnvalidatedSessionSelection, ApiError> {
    let mut draft = UnvalidatedSessionSelection::default();
    if body.trim_ascii().is_empty() {
        return Ok(draft);
    }
    let malformed = |reason: String| ApiError::invalid_parameter("parameter-body", vec![("reason", reason)]);
    let fields: JsonObjectFields = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    let mut seen = HashSet::new();
    for (name, value) in fields.0 {
        if !seen.insert(name.clone()) {
            return Err(ApiError::invalid_parameter(
                "parameter-repeated",
                vec![("field", truncate_for_message(&name))],
            ));
        }
        let wrong = || {
            let arguments =
                vec![("field", truncate_for_message(&name)), ("given", truncate_for_message(&value.to_string()))];
            ApiError::invalid_parameter("parameter-form", arguments)
        };
        let text = || match &value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(wrong()),
        };
        match name.as_str() {
            "filter" => draft.filter = text()?,
            "slow_process_threshold" => {
                draft.slow_process_threshold =
                    if value.is_null() { None } else { Some(value.as_i64().ok_or_else(wrong)?) };
            }
            "user" => draft.user = text()?,
            "host" => draft.host = text()?,
            "db" => draft.db = text()?,
            "command" => draft.command = text()?,
            "sql_key" => draft.sql_key = text()?,
            "sort_key" => draft.sort_key = text()?,
            "sort_dir" => draft.sort_dir = text()?,
            _ => {
                return Err(ApiError::invalid_parameter(
                    "parameter-unknown-field",
                    vec![("field", truncate_for_message(&name))],
                ));
            }
        }
    }
    Ok(draft)
}

/// Fields of a JSON object. Duplicate fields are kept so that the parser can reject them.
struct JsonObjectFields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for JsonObjectFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonObjectFieldsVisitor;

        impl<'de> Visitor<'de> for JsonObjectFieldsVisitor {
            type Value = JsonObjectFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<JsonObjectFields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = object.next_entry()? {
                    fields.push(field);
                }
                Ok(JsonObjectFields(fields))
            }
        }

        deserializer.deserialize_map(JsonObjectFieldsVisitor)
    }
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
