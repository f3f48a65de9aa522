//! Endpoint for the OpenAPI document.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

/// The OpenAPI document is cached, because any client can request it and building it takes 14 MiB of memory.
static OPENAPI_DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| crate::build_openapi_json().into());

/// Show the OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "ShowDescription", tag = "operations", security(()), responses((status = 200, description = "OpenAPI 3.1 document", body = serde_json::Value)))]
pub(crate) async fn show_openapi_document() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI_DOCUMENT.clone()).into_response()
}
