//! Extracts the parts of an authenticated request that most handlers need.

use axum::extract::{FromRequestParts, Path};
use axum::response::{IntoResponse, Response};
use clew_model::Language;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::SharedState;
use crate::caller::Caller;

/// Authenticated request. `P` is the type of the path parameters.
///
/// Handlers parse the query string and the request body themselves.
/// A caller without permission must receive the status 403 even if the query string or the body is malformed.
pub(crate) struct ApiRequest<P = ()> {
    pub(crate) service: SharedState,
    pub(crate) caller: Caller,
    pub(crate) path: P,
    /// Language of messages in the response.
    pub(crate) language: Language,
}

impl<P: DeserializeOwned + Send> FromRequestParts<SharedState> for ApiRequest<P> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &SharedState) -> Result<Self, Response> {
        let caller = Caller::from_request_parts(parts, service).await.map_err(IntoResponse::into_response)?;
        let Path(path) = Path::from_request_parts(parts, service).await.map_err(IntoResponse::into_response)?;
        let language = parts.extensions.get().copied().unwrap_or_default();
        Ok(Self { service: service.clone(), caller, path, language })
    }
}
