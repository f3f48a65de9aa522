//! CollectRealtimeSession (spec section 1.2).

use std::collections::HashSet;
use std::fmt;

use axum::body::Bytes;
use axum::extract::{Path, State};
use clew_iam::decision::Action;
use clew_model::{Selection, SelectionDraft, SessionClass, SortDirection, SortKey};
use http::StatusCode;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::Service;
use crate::caller::{Caller, Target};
use crate::json::Json;
use crate::query::shown;
use crate::refusal::{ErrorBody, Refusal};
use crate::statement_text::HIDDEN;

/// Which sessions, in what order. Every field is optional; filters are joined by AND.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct RealtimeSessionRequest {
    /// slow, active, total or long
    #[schema(schema_with = classes)]
    filter: Option<String>,
    /// Seconds from which a session counts as slow and a transaction as long
    #[schema(minimum = 1, maximum = 86_400, default = 10)]
    slow_process_threshold: Option<i32>,
    /// Account, exact
    #[schema(min_length = 1, max_length = 255)]
    user: Option<String>,
    /// Client address: host, or host:port
    #[schema(min_length = 1, max_length = 255)]
    host: Option<String>,
    /// Default database, exact
    #[schema(min_length = 1, max_length = 255)]
    db: Option<String>,
    /// Kind of command, in any case: Sleep, Query, …
    #[schema(min_length = 1, max_length = 255)]
    command: Option<String>,
    /// Part of the statement, in any case
    #[schema(min_length = 1, max_length = 1024)]
    sql_key: Option<String>,
    /// id, state_duration, trx_executed_time, trx_id, trx_lock_duration, trx_lock_rows, trx_lock_tables or trx_update_rows
    #[schema(schema_with = sort_keys)]
    sort_key: Option<String>,
    /// asc or desc
    #[schema(schema_with = sort_directions)]
    sort_dir: Option<String>,
}

fn classes() -> Object {
    words(SessionClass::NAMES, "total")
}

fn sort_keys() -> Object {
    words(SortKey::NAMES, "id")
}

fn sort_directions() -> Object {
    words(SortDirection::NAMES, "asc")
}

/// One of these words, or `null` for the default.
fn words(words: &[&str], default: &str) -> Object {
    let values = words.iter().map(|word| Value::from(*word)).chain([Value::Null]);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values))
        .default(Some(default.into()))
        .build()
}

/// A collection was queued.
#[derive(Serialize, ToSchema)]
pub(crate) struct Collecting {
    /// Names the collection
    #[schema(example = "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9")]
    request_id: String,
}

/// Take a snapshot of a node's sessions.
#[utoipa::path(
    post,
    path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/realtime-session",
    tag = "sessions",
    params(("project_id" = String, Path), ("instance_id" = String, Path), ("node_id" = String, Path)),
    request_body(content = Option<RealtimeSessionRequest>, content_type = "application/json"),
    responses(
        (status = 202, description = "Queued", body = Collecting),
        (status = 400, description = "Invalid field value", body = ErrorBody),
        (status = 409, description = "Too many collections of the node wait", body = ErrorBody)
    )
)]
pub(crate) async fn collect(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    body: Bytes,
) -> Result<(StatusCode, Json<Collecting>), Refusal> {
    let target = Target::resolve(&service, &caller, Action::GET_REALTIME_SESSION, &path).await?;
    let draft = draft(&body)?;
    caller.trail.detail("asked", audit_detail(&draft));
    let selection = Selection::parse(draft)?;
    let masked = target.is_masked_by_project_for(&service, &caller);
    let (project, instance) = (target.project.id.clone(), target.instance.id.clone());
    let request_id = service.collections.submit(project, instance, target.node, selection, masked).await?;
    caller.trail.detail("collection", request_id.as_str());
    caller.trail.detail("masked", masked);
    Ok((StatusCode::ACCEPTED, Json(Collecting { request_id: request_id.to_string() })))
}

/// The request as the audit records it, without the part of a statement.
fn audit_detail(draft: &SelectionDraft) -> Value {
    let texts = [
        ("filter", &draft.filter),
        ("user", &draft.user),
        ("host", &draft.host),
        ("db", &draft.db),
        ("command", &draft.command),
        ("sort_key", &draft.sort_key),
        ("sort_dir", &draft.sort_dir),
    ];
    let mut detail: Map<String, Value> =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), shown(text.as_deref()?).into()))).collect();
    if let Some(seconds) = draft.slow_process_threshold {
        detail.insert("slow_process_threshold".to_owned(), seconds.into());
    }
    if draft.sql_key.is_some() {
        detail.insert("sql_key".to_owned(), HIDDEN.into());
    }
    Value::Object(detail)
}

/// The fields of a body. No body means all defaults, and so does `null` for a field.
fn draft(body: &[u8]) -> Result<SelectionDraft, Refusal> {
    let mut draft = SelectionDraft::default();
    if body.trim_ascii().is_empty() {
        return Ok(draft);
    }
    let unreadable = |reason: String| Refusal::parameter("parameter-body", vec![("reason", reason)]);
    let fields: Fields = serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
    let mut seen = HashSet::new();
    for (name, value) in fields.0 {
        if !seen.insert(name.clone()) {
            return Err(Refusal::parameter("parameter-repeated", vec![("field", shown(&name))]));
        }
        let wrong = || {
            let arguments = vec![("field", shown(&name)), ("given", shown(&value.to_string()))];
            Refusal::parameter("parameter-form", arguments)
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
            _ => return Err(Refusal::parameter("parameter-unknown-field", vec![("field", shown(&name))])),
        }
    }
    Ok(draft)
}

/// The fields of a JSON object as they were written: one that is there twice could mean either.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = object.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_body_and_null_mean_the_defaults() {
        for body in ["", "  \n", "{}", r#"{"filter":null,"slow_process_threshold":null}"#] {
            assert_eq!(draft(body.as_bytes()).unwrap(), SelectionDraft::default(), "{body:?}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
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
            assert!(draft(body.as_bytes()).is_err(), "{body:?}");
        }
        assert!(draft(b"{\"user\":\"\xff\"}").is_err());
    }
}
