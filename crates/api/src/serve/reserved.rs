//! Reserved connections: when all others are in use, the operations endpoints are still answered, and nothing else.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use clew_model::{ErrorEntry, Language};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request};
use tracing::info;
use uuid::Uuid;

use crate::Metrics;
use crate::json::Json;
use crate::refusal::{RETRY_SECONDS, Refusal};
use crate::security_headers;

/// Paths that a reserved connection answers.
const OPERATIONS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// For the TLS handshake, and again for the head of the request, on a reserved connection: there are few of them.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// Which requests a connection serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// All of them.
    Regular,
    /// One request to an operations endpoint.
    OperationsOnly,
}

impl Admission {
    /// The refusal of a request that the connection does not serve. `hsts`: see [`security_headers::add`].
    pub(super) fn refusal<B>(self, request: &Request<B>, metrics: &Metrics, hsts: bool) -> Option<Response> {
        let is_served = self == Self::Regular || OPERATIONS.contains(&request.uri().path());
        (!is_served).then(|| refuse(request, metrics, hsts))
    }
}

fn refuse<B>(request: &Request<B>, metrics: &Metrics, hsts: bool) -> Response {
    let language = request.headers().get("x-language").and_then(|tag| Language::from_tag(tag.to_str().ok()?));
    let request_id = Uuid::new_v4().simple().to_string();
    let refusal = Refusal::because(ErrorEntry::UNAVAILABLE, "no-free-connection", Vec::new());
    let status = refusal.status();
    metrics.answered(request.method(), "none", status.as_u16(), 0.0);
    info!(http.request_id = request_id, http.route = "none", http.status = status.as_u16(), "no free connection");
    let body = Json(refusal.body(language.unwrap_or_default(), &request_id));
    let mut response = (status, body).into_response();
    response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS.into());
    security_headers::add(response.headers_mut(), hsts);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
