//! JSON response bodies. Control characters and invisible characters are escaped to protect terminals.

use axum::response::{IntoResponse, Response};
use clew_diagnose::json;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tracing::error;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json::escape_json_bytes(body))
                .into_response(),
            Err(error) => {
                error!(%error, "cannot serialize a response body");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}
