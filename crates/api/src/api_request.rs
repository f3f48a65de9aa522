//! Extracts the parts of an authenticated request that most handlers need, and builds JSON responses.

use axum::body::{self, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use clew_diagnose::json;
use clew_model::Language;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;

use crate::SharedState;
use crate::caller::Caller;
use crate::error::ApiError;

pub(crate) type ApiResult<T> = Result<Json<T>, ApiError>;

/// Handlers parse the query string and the request body themselves.
/// Even if the query string or the body is malformed, a caller without permission must receive status 403.
pub(crate) struct ApiRequest<P = ()> {
    pub(crate) service: SharedState,
    pub(crate) caller: Caller,
    pub(crate) path: P,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    /// Empty for the methods GET and HEAD.
    pub(crate) body: Bytes,
    pub(crate) language: Language,
}

impl<P: DeserializeOwned + Send> FromRequest<SharedState> for ApiRequest<P> {
    type Rejection = Response;

    async fn from_request(request: Request, service: &SharedState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, service).await.map_err(IntoResponse::into_response)?;
        let Path(path) = Path::from_request_parts(&mut parts, service).await.map_err(IntoResponse::into_response)?;
        let body = if matches!(parts.method, Method::GET | Method::HEAD) {
            // No handler of these methods reads a body. A long poll must not keep the body of its request in memory.
            drop(body);
            Bytes::new()
        } else {
            // The authentication has already read the body into memory and has checked its length.
            let body = body::to_bytes(body, usize::MAX).await;
            body.map_err(|error| ApiError::internal_error(&error).into_response())?
        };
        let language = parts.extensions.get().copied().unwrap_or_default();
        let query = parts.uri.query().map(ToOwned::to_owned);
        Ok(Self { service: service.clone(), caller, path, query, headers: parts.headers, body, language })
    }
}

/// Control characters and invisible characters in the body are escaped to protect terminals.
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
