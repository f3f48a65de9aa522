//! The description of the API.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "ShowDescription", tag = "operations", security(()), responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub(crate) async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json")], crate::openapi_json()).into_response()
}
