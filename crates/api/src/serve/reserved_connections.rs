//! Connections that are reserved for the health and metrics endpoints.
//!
//! Reserved connections keep the health and metrics endpoints available while all regular connections are in use.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use clew_model::{ApiErrorDefinition, Language};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request};
use tracing::info;
use uuid::Uuid;

use crate::Metrics;
use crate::error::{ApiError, CONCURRENCY_LIMIT_RETRY_AFTER_SECONDS};
use crate::json::Json;
use crate::security_headers;

const HEALTH_AND_METRICS_PATHS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Timeout for the TLS handshake and for the request head on a reserved connection.
pub(super) const RESERVED_CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionClass {
    Regular,
    /// Connection that serves a single request to a health or metrics endpoint.
    OperationsOnly,
}

impl ConnectionClass {
    pub(super) fn reject_disallowed_request<B>(
        self,
        request: &Request<B>,
        metrics: &Metrics,
        hsts: bool,
    ) -> Option<Response> {
        let is_allowed = self == Self::Regular || HEALTH_AND_METRICS_PATHS.contains(&request.uri().path());
        (!is_allowed).then(|| build_refusal_response(request, metrics, hsts))
    }
}

fn build_refusal_response<B>(request: &Request<B>, metrics: &Metrics, hsts: bool) -> Response {
    let language = request.headers().get("x-language").and_then(|tag| Language::from_tag(tag.to_str().ok()?));
    let request_id = Uuid::new_v4().simple().to_string();
    let refusal = ApiError::with_detail(ApiErrorDefinition::UNAVAILABLE, "no-free-connection", Vec::new());
    let status = refusal.status();
    metrics.record_response(request.method(), "none", status.as_u16(), 0.0);
    info!(
        http.request_id = request_id,
        http.route = "none",
        http.status = status.as_u16(),
        "request refused on a reserved connection"
    );
    let body = Json(refusal.build_body(language.unwrap_or_default(), &request_id));
    let mut response = (status, body).into_response();
    response.headers_mut().insert(RETRY_AFTER, CONCURRENCY_LIMIT_RETRY_AFTER_SECONDS.into());
    security_headers::add_security_headers(response.headers_mut(), hsts);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
