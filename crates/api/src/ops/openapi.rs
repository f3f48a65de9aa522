//! The description of the API.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

/// Made when it is first asked for: to make it takes 14 MiB, and anybody may ask.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| crate::openapi_json().into());

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "ShowDescription", tag = "operations", security(()), responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub(crate) async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}
