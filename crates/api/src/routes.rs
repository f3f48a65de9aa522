//! Defines the server's routes, from which the router and the OpenAPI document are built.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::get;
use clew_model::ApiErrorDefinition;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audited_operations::AuditedOperations;
use crate::error::ApiError;
use crate::openapi::{self, OpenApiDocument};
use crate::route_middleware::{self, RouteAuth, RouteMiddlewareState};
use crate::{SharedState, administration, console, iam, monitoring, taurusdb};

fn authenticated_routes() -> OpenApiRouter<SharedState> {
    OpenApiRouter::new()
        .routes(routes!(taurusdb::session_collection::enqueue_session_collection))
        .routes(routes!(taurusdb::task_status::show_collection_status))
        .routes(routes!(taurusdb::download::download_result))
        .routes(routes!(taurusdb::processes::list_processes, taurusdb::process_kill::kill_processes))
        .routes(routes!(taurusdb::lock_wait::show_lock_wait))
        .routes(routes!(taurusdb::intelligent_kill::preview_intelligent_kill))
        .routes(routes!(taurusdb::intelligent_kill::execute_intelligent_kill))
        .routes(routes!(taurusdb::intelligent_kill::history::list_intelligent_kills))
        .routes(routes!(taurusdb::rollback_progress::show_rollback_progress))
        .routes(routes!(taurusdb::instances::list_gauss_mysql_instances))
        .routes(routes!(taurusdb::instances::list_gauss_mysql_instances_unify_status))
        .routes(routes!(taurusdb::instances::show_gauss_mysql_instance_info))
        .routes(routes!(taurusdb::instances::show_gauss_mysql_instance_info_unify_status))
        .routes(routes!(taurusdb::kill_tasks::show_kill_task_switch, taurusdb::kill_tasks::set_kill_task_switch))
        .routes(routes!(
            taurusdb::kill_tasks::list_kill_tasks,
            taurusdb::kill_tasks::add_kill_task,
            taurusdb::kill_tasks::stop_kill_task
        ))
        .routes(routes!(taurusdb::kill_tasks::preview::preview_kill_task))
        .routes(routes!(taurusdb::kill_tasks::history::list_killed_sessions))
        .routes(routes!(taurusdb::slow_session_threshold::show_slow_session_threshold))
        .routes(routes!(taurusdb::slow_session_threshold::set_slow_session_thresholds))
        .routes(routes!(taurusdb::tags::list_instance_tags))
        .routes(routes!(taurusdb::tags::list_project_tags))
        .routes(routes!(taurusdb::tags::add_or_remove_tags))
        .merge(web_console_routes())
        .merge(identity_routes())
}

fn web_console_routes() -> OpenApiRouter<SharedState> {
    OpenApiRouter::new()
        .routes(routes!(console::stream::stream_sessions))
        .routes(routes!(console::session_detail::show_session_detail))
        .routes(routes!(console::session_detail::explain_statement))
        .routes(routes!(console::lock_waits::show_lock_waits))
        .routes(routes!(console::kill::kill_sessions))
        .routes(routes!(console::kill_history::list_kills))
        .routes(routes!(console::permissions::show_permissions))
        .routes(routes!(console::session_collections::list_session_collections))
        .routes(routes!(console::session_collections::delete_session_collection))
}

fn identity_routes() -> OpenApiRouter<SharedState> {
    OpenApiRouter::new()
        .routes(routes!(iam::projects::list_projects))
        .routes(routes!(iam::projects::list_caller_projects))
        .routes(routes!(iam::projects::list_domains))
        .routes(routes!(iam::projects::show_caller_identity))
        .routes(routes!(iam::subject_tokens::show_token, iam::subject_tokens::revoke_token))
        .routes(routes!(iam::temporary_keys::create_temporary_key))
        .routes(routes!(
            console::browser_session::show_browser_session,
            console::browser_session::delete_browser_session
        ))
        .routes(routes!(console::browser_session::switch_project))
        .merge(administration::administration_routes())
        .layer(map_response(iam::map_to_iam_error_codes))
}

fn sign_in_routes() -> OpenApiRouter<SharedState> {
    OpenApiRouter::new()
        .routes(routes!(iam::tokens::create_token))
        .routes(routes!(console::browser_session::create_browser_session))
        .layer(map_response(iam::map_to_iam_error_codes))
}

fn health_and_metrics_routes() -> OpenApiRouter<SharedState> {
    OpenApiRouter::new()
        .routes(routes!(monitoring::check_liveness))
        .routes(routes!(monitoring::check_readiness))
        .routes(routes!(monitoring::show_metrics))
}

fn public_routes() -> OpenApiRouter<SharedState> {
    health_and_metrics_routes().routes(routes!(monitoring::openapi::show_openapi_document)).merge(signed_link_routes())
}

fn signed_link_routes() -> OpenApiRouter<SharedState> {
    OpenApiRouter::new().routes(routes!(taurusdb::intelligent_kill::report::download_report))
}

pub(crate) fn audited_operations() -> AuditedOperations {
    let routes = authenticated_routes().merge(sign_in_routes()).merge(signed_link_routes());
    AuditedOperations::from_openapi(routes.into_openapi())
}

pub(crate) fn build_router(service: SharedState) -> Router {
    // Each route has a single layer because every request clones the state of each layer around its route.
    let audited_operations = Arc::new(audited_operations());
    let layer = |auth| {
        let (service, audited_operations) = (service.clone(), audited_operations.clone());
        from_fn_with_state(RouteMiddlewareState { service, audited_operations, auth }, route_middleware::handle_request)
    };
    let router = if service.settings.operations_only {
        Router::from(health_and_metrics_routes().layer(layer(RouteAuth::Public)))
            .fallback(reject_unknown_route.layer(layer(RouteAuth::Public)))
    } else {
        let router = OpenApiRouter::new()
            .route("/", get(console::web_page::serve_index_page).layer(layer(RouteAuth::Public)))
            .merge(authenticated_routes().layer(layer(RouteAuth::Authenticated)))
            .merge(sign_in_routes().layer(layer(RouteAuth::SignIn)))
            .merge(public_routes().layer(layer(RouteAuth::Public)));
        Router::from(router).fallback(console::web_page::serve_web_page.layer(layer(RouteAuth::Public)))
    };
    router.method_not_allowed_fallback(reject_unknown_route.layer(layer(RouteAuth::Public))).with_state(service)
}

async fn reject_unknown_route() -> ApiError {
    ApiError::new(ApiErrorDefinition::NO_SUCH_API)
}

/// Returns the API's OpenAPI document as JSON.
#[must_use]
pub fn build_openapi_json() -> String {
    let (_, mut document) = OpenApiRouter::with_openapi(OpenApiDocument::openapi())
        .merge(authenticated_routes())
        .merge(sign_in_routes())
        .merge(public_routes())
        .split_for_parts();
    let audited = audited_operations();
    openapi::add_path_parameters_and_error_responses(&mut document, |method, path| {
        audited.find_operation(method, path).is_some()
    });
    document.to_pretty_json().unwrap_or_default()
}
