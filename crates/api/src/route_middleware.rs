//! Middleware that wraps every route.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clew_http::{ClientAddr, ReservedConnectionMarker, add_security_headers};
use clew_model::{ApiErrorDefinition, Language};
use futures_util::FutureExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::timeout;
use tracing::{Instrument, error, info, info_span};
use uuid::Uuid;

use crate::api_request::Json;
use crate::audit::{self, AuditContext};
use crate::audited_operations::AuditedOperations;
use crate::error::{ApiError, MAX_URI_BYTES};
use crate::field_errors::truncate_for_message;
use crate::{AppState, SharedState, authentication, limits};

const REQUEST_ID_HEADER: &str = "x-request-id";

/// Routes that accept any `Host` header, because load balancers probe them by IP address.
const HEALTH_ROUTES: [&str; 2] = ["/healthz", "/readyz"];
const ROUTES_ALLOWED_ON_RESERVED_CONNECTIONS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

#[derive(Debug, Clone, Copy)]
pub(crate) enum RouteAuth {
    Public,
    /// The route requires no authentication, and its request rate is limited per client address.
    SignIn,
    Authenticated,
}

#[derive(Debug, Clone)]
pub(crate) struct RouteMiddlewareState {
    pub(crate) service: SharedState,
    pub(crate) audited_operations: Arc<AuditedOperations>,
    pub(crate) auth: RouteAuth,
}

pub(crate) async fn handle_request(
    State(RouteMiddlewareState { service, audited_operations, auth }): State<RouteMiddlewareState>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = Uuid::new_v4().simple().to_string();
    let span = info_span!("request", http.request_id = %request_id);
    let method = request.method().clone();
    let route: Arc<str> = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).into();
    let start = Instant::now();
    let tls = request.extensions().get::<ClientAddr>().is_some_and(|connection| connection.tls);
    let requested = parse_language_header(request.headers());
    let language = *requested.as_ref().unwrap_or(&Language::EnUs);
    let requested = check_connection_and_host(&service, &request, &route).and(requested);
    let response = async {
        match requested {
            Err(refusal) => refusal.into_response(),
            Ok(_) if path_and_query_len(&request) > MAX_URI_BYTES => ApiError::uri_too_long_error().into_response(),
            Ok(language) => {
                request.extensions_mut().insert(language);
                let audit_context = AuditContext::new(limits::client_ip(request.extensions()), &request_id);
                let handler = service.clone();
                audit::run_and_audit_request(service.clone(), &audited_operations, audit_context, request, |request| {
                    run_handler(handler, auth, request, next)
                })
                .await
            }
        }
    };
    let mut response = response.instrument(span.clone()).await;
    let refusal = response.extensions_mut().remove::<ApiError>().or_else(|| api_error_for_status(response.status()));
    if let Some(refusal) = refusal {
        let body = Json(refusal.build_body(language, &request_id));
        let mut headers = std::mem::take(response.headers_mut());
        headers.remove(CONTENT_LENGTH);
        headers.remove(CONTENT_TYPE);
        response = (refusal.status(), body).into_response();
        response.headers_mut().extend(headers);
    }
    add_security_headers(response.headers_mut(), tls && service.settings.hsts);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    let (status, seconds) = (response.status().as_u16(), start.elapsed().as_secs_f64());
    {
        let _entered = span.enter();
        info!(
            http.method = %method, http.route = &*route, http.status = status, http.seconds = seconds,
            "request completed"
        );
    }
    service.metrics.record_response(&method, route, status, seconds);
    response
}

fn check_connection_and_host(service: &AppState, request: &Request, route: &str) -> Result<(), ApiError> {
    let is_reserved = request.extensions().get::<ReservedConnectionMarker>().is_some();
    if is_reserved && !ROUTES_ALLOWED_ON_RESERVED_CONNECTIONS.contains(&route) {
        return Err(ApiError::no_free_connection_error());
    }
    if HEALTH_ROUTES.contains(&route) {
        return Ok(());
    }
    service.settings.allowed_hosts.check_host_allowed(request.uri(), request.headers()).map_err(|given| {
        let given = [("given", truncate_for_message(given))];
        ApiError::with_detail(ApiErrorDefinition::HOST_NOT_ALLOWED, "host-unknown", given)
    })
}

fn path_and_query_len(request: &Request) -> usize {
    request.uri().path_and_query().map_or(0, |uri| uri.as_str().len())
}

async fn run_handler(service: SharedState, auth: RouteAuth, request: Request, next: Next) -> Response {
    let limit = service.settings.request_timeout;
    let response = async {
        match auth {
            RouteAuth::Public => next.run(request).await,
            RouteAuth::SignIn => limits::limit_sign_in_rate(&service.limits, request, next).await,
            RouteAuth::Authenticated => {
                let authenticated = Box::pin(authentication::authenticate_request(&service, request, next));
                authenticated.await.into_response()
            }
        }
    };
    match timeout(limit, AssertUnwindSafe(response).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            error!("request handler panicked");
            ApiError::new(ApiErrorDefinition::INTERNAL).into_response()
        }
        Err(_) => {
            let seconds = [("seconds", limit.as_secs().to_string())];
            ApiError::with_detail(ApiErrorDefinition::UNAVAILABLE, "took-too-long", seconds).into_response()
        }
    }
}

/// The returned error replaces an error response of axum.
fn api_error_for_status(status: StatusCode) -> Option<ApiError> {
    let definition =
        if status.is_client_error() { ApiErrorDefinition::BAD_REQUEST } else { ApiErrorDefinition::INTERNAL };
    (status.is_client_error() || status.is_server_error()).then(|| ApiError::new(definition))
}

fn parse_language_header(headers: &HeaderMap) -> Result<Language, ApiError> {
    let Some(value) = headers.get("x-language") else { return Ok(Language::default()) };
    let text = value.to_str().unwrap_or("?");
    Language::from_tag(text)
        .ok_or_else(|| ApiError::invalid_parameter("language-unknown", [("given", truncate_for_message(text))]))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use clew_model::AccessKeyId;
    use clew_store::{InitialTenant, Store};
    use clew_worker::{IntelligentKillQueue, KillExecutor, SessionCollectionQueue, WorkerSettings};
    use http_body_util::BodyExt;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::{ApiSettings, AppComponents, AppState, Metrics, RateLimitSettings, RateLimiters};

    async fn panicking_handler() -> &'static str {
        panic!("on purpose")
    }

    #[tokio::test]
    async fn handler_panic_fails_only_its_own_request() {
        let folder = tempfile::tempdir().unwrap();
        let tenant = InitialTenant {
            region: "north-1".into(),
            domain_name: "acme".into(),
            user_name: "ada".into(),
            password_hash: "no password fits this".into(),
            access_key: AccessKeyId::generate(),
            secret_key: "secret".into(),
        };
        let (store, _) =
            Store::initialize(&clew_model::AuditOrigin::for_local_account("test"), &folder.path().join("data"), tenant)
                .await
                .unwrap();
        let metrics = Metrics::default();
        let worker_settings = WorkerSettings::default();
        let collections =
            SessionCollectionQueue::new(store.clone(), worker_settings.clone(), Arc::new(metrics.clone()));
        let limits = RateLimiters::new(RateLimitSettings::default(), metrics.clone());
        let (settings, connector) = (ApiSettings::default(), worker_settings.connector.clone());
        let kills = KillExecutor::new(store.clone(), clew_diagnose::ProtectedAccounts::default());
        let intelligent_kills = IntelligentKillQueue::new(store.clone(), kills.clone(), &worker_settings);
        let parts =
            AppComponents { store, collections, connector, kills, intelligent_kills, settings, limits, metrics };
        let state = RouteMiddlewareState {
            service: AppState::new(parts),
            audited_operations: Arc::default(),
            auth: RouteAuth::Public,
        };
        let router = Router::new()
            .route("/breaks", get(panicking_handler))
            .route("/works", get(async || "fine"))
            .layer(from_fn_with_state(state, handle_request));
        let router = TowerToHyperService::new(router);
        let call = async |path: &str| {
            let response = router.call(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
            let status = response.status().as_u16();
            (status, String::from_utf8(response.collect().await.unwrap().to_bytes().into()).unwrap())
        };
        let (status, body) = call("/breaks").await;
        assert_eq!((status, body.contains("DBS.05000000"), body.contains("on purpose")), (500, true, false), "{body}");
        assert_eq!(call("/works").await, (200, "fine".into()));
    }
}
