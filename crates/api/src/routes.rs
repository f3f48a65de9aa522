//! Every route, once: for the router and for the description of the API.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::get;
use clew_model::ErrorEntry;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::description::{self, Description};
use crate::envelope::{self, Gate};
use crate::refusal::Refusal;
use crate::{Service, administration, console, iam, ops, taurusdb};

/// Routes whose callers must be known.
fn protected() -> OpenApiRouter<Service> {
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
        .routes(routes!(taurusdb::tags::list_of_instance))
        .routes(routes!(taurusdb::tags::list_of_project))
        .routes(routes!(taurusdb::tags::act))
        .merge(console())
        .merge(identities())
}

/// What the web page works with, beside all the others.
fn console() -> OpenApiRouter<Service> {
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

fn identities() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(iam::projects::list))
        .routes(routes!(iam::projects::list_of_caller))
        .routes(routes!(iam::domains::list))
        .routes(routes!(iam::domains::caller_identity))
        .routes(routes!(iam::subject_tokens::show, iam::subject_tokens::revoke))
        .routes(routes!(iam::temporary_keys::create))
        .routes(routes!(console::session::show, console::session::end))
        .routes(routes!(console::session::choose_project))
        .merge(administration::routes())
        .layer(map_response(iam::in_its_own_codes))
}

/// Where nobodies become somebody.
fn sign_in() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(iam::tokens::create))
        .routes(routes!(console::session::create))
        .layer(map_response(iam::in_its_own_codes))
}

/// Routes for those who operate Clew.
fn operations() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(ops::health::alive))
        .routes(routes!(ops::health::ready))
        .routes(routes!(ops::metrics::show))
}

/// Routes for everyone.
fn open() -> OpenApiRouter<Service> {
    operations().routes(routes!(ops::openapi::show)).routes(routes!(taurusdb::intelligent_kill::report::download))
}

/// The whole service, or what of it is for those who operate it.
pub(crate) fn router(service: Service) -> Router {
    // One layer for each route: every layer is a copy of all that is in it, for each request.
    let behind = |gate| from_fn_with_state((service.clone(), gate), envelope::wrap);
    let router = OpenApiRouter::with_openapi(Description::openapi());
    let operations_only = service.settings.operations_only;
    let router = if operations_only {
        router.merge(operations().layer(behind(Gate::Open)))
    } else {
        router
            .route("/", get(console::page::index).layer(behind(Gate::Open)))
            .merge(protected().layer(behind(Gate::Known)))
            .merge(sign_in().layer(behind(Gate::SignIn)))
            .merge(open().layer(behind(Gate::Open)))
    };
    let (router, _) = router.split_for_parts();
    let router = if operations_only {
        router.fallback(no_such_api.layer(behind(Gate::Open)))
    } else {
        router.fallback(console::page::or_no_such_api.layer(behind(Gate::Open)))
    };
    router.method_not_allowed_fallback(no_such_api.layer(behind(Gate::Open))).with_state(service)
}

async fn no_such_api() -> Refusal {
    Refusal::new(ErrorEntry::NO_SUCH_API)
}

/// The description of the API, as JSON.
#[must_use]
pub fn openapi_json() -> String {
    let (_, mut openapi) = OpenApiRouter::with_openapi(Description::openapi())
        .merge(protected())
        .merge(sign_in())
        .merge(open())
        .split_for_parts();
    description::complete(&mut openapi);
    openapi.to_pretty_json().unwrap_or_default()
}
