//! Routes of the server, shared by the router and the OpenAPI document.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::get;
use clew_model::ErrorEntry;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::openapi::{self, ApiDocument};
use crate::request_layer::{self, RouteAuth};
use crate::{AppState, administration, console, iam, ops, taurusdb};

/// Routes that require authentication.
fn authenticated_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(taurusdb::collect::collect))
        .routes(routes!(taurusdb::task_status::task_status))
        .routes(routes!(taurusdb::download::download))
        .routes(routes!(taurusdb::processes::list, taurusdb::process_kill::kill))
        .routes(routes!(taurusdb::lock_wait::show))
        .routes(routes!(taurusdb::intelligent_kill::preview))
        .routes(routes!(taurusdb::intelligent_kill::execute))
        .routes(routes!(taurusdb::intelligent_kill::history::list))
        .routes(routes!(taurusdb::txn_progress::show))
        .routes(routes!(taurusdb::instances::list_v3))
        .routes(routes!(taurusdb::instances::list_v3_1))
        .routes(routes!(taurusdb::instances::show_v3))
        .routes(routes!(taurusdb::instances::show_v3_1))
        .routes(routes!(taurusdb::kill_tasks::switch::show, taurusdb::kill_tasks::switch::set))
        .routes(routes!(taurusdb::kill_tasks::list, taurusdb::kill_tasks::add, taurusdb::kill_tasks::stop))
        .routes(routes!(taurusdb::kill_tasks::preview::show))
        .routes(routes!(taurusdb::kill_tasks::history::list))
        .routes(routes!(taurusdb::slow_threshold::show))
        .routes(routes!(taurusdb::slow_threshold::set))
        .routes(routes!(taurusdb::tags::list_instance_tags))
        .routes(routes!(taurusdb::tags::list_project_tags))
        .routes(routes!(taurusdb::tags::batch_action))
        .merge(console_routes())
        .merge(identity_routes())
}

/// Routes that only the web page uses.
fn console_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(console::stream::watch))
        .routes(routes!(console::session_detail::show))
        .routes(routes!(console::session_detail::explain))
        .routes(routes!(console::locks::show))
        .routes(routes!(console::kill::kill))
        .routes(routes!(console::kills::list))
        .routes(routes!(console::permissions::show))
        .routes(routes!(console::collections::list))
        .routes(routes!(console::collections::remove))
}

fn identity_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(iam::projects::list))
        .routes(routes!(iam::projects::list_caller_projects))
        .routes(routes!(iam::domains::list))
        .routes(routes!(iam::domains::caller_identity))
        .routes(routes!(iam::subject_tokens::show, iam::subject_tokens::revoke))
        .routes(routes!(iam::temporary_keys::create))
        .routes(routes!(console::session::show, console::session::delete))
        .routes(routes!(console::session::choose_project))
        .merge(administration::routes())
        .layer(map_response(iam::map_iam_errors))
}

/// Routes that sign users in.
fn sign_in_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(iam::tokens::create))
        .routes(routes!(console::session::create))
        .layer(map_response(iam::map_iam_errors))
}

/// Health and metrics, for operators.
fn operations_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(ops::health::check_alive))
        .routes(routes!(ops::health::check_ready))
        .routes(routes!(ops::metrics::show))
}

/// Routes without authentication.
fn public_routes() -> OpenApiRouter<AppState> {
    operations_routes()
        .routes(routes!(ops::openapi::show))
        .routes(routes!(taurusdb::intelligent_kill::report::download))
}

/// Builds the router: all routes, or only those for operators ([`crate::ApiSettings::operations_only`]).
pub(crate) fn router(service: AppState) -> Router {
    // One layer per route: every request clones the state of every layer around its route.
    let layer = |auth| from_fn_with_state((service.clone(), auth), request_layer::handle_request);
    let router = OpenApiRouter::with_openapi(ApiDocument::openapi());
    let operations_only = service.settings.operations_only;
    let router = if operations_only {
        router.merge(operations_routes().layer(layer(RouteAuth::Public)))
    } else {
        router
            .route("/", get(console::page::index).layer(layer(RouteAuth::Public)))
            .merge(authenticated_routes().layer(layer(RouteAuth::Authenticated)))
            .merge(sign_in_routes().layer(layer(RouteAuth::SignIn)))
            .merge(public_routes().layer(layer(RouteAuth::Public)))
    };
    let (router, _) = router.split_for_parts();
    let router = if operations_only {
        router.fallback(no_such_api.layer(layer(RouteAuth::Public)))
    } else {
        router.fallback(console::page::serve_or_not_found.layer(layer(RouteAuth::Public)))
    };
    router.method_not_allowed_fallback(no_such_api.layer(layer(RouteAuth::Public))).with_state(service)
}

async fn no_such_api() -> ApiError {
    ApiError::new(ErrorEntry::NO_SUCH_API)
}

/// Returns the OpenAPI document of the API as JSON.
#[must_use]
pub fn openapi_json() -> String {
    let (_, mut document) = OpenApiRouter::with_openapi(ApiDocument::openapi())
        .merge(authenticated_routes())
        .merge(sign_in_routes())
        .merge(public_routes())
        .split_for_parts();
    openapi::complete_document(&mut document);
    document.to_pretty_json().unwrap_or_default()
}
