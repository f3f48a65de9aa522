//! Every route, once: for the router and for the description of the API.

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use clew_model::ErrorEntry;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::refusal::{ErrorBody, Refusal};
use crate::{Service, authentication, envelope, iam, limits, ops, taurusdb};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Clew",
        description = "Real-time session diagnosis, in the words of the TaurusDB API. Requests carry X-Auth-Token, or are signed with \
            an access key (SDK-HMAC-SHA256). X-Language (en-us, zh-cn) chooses the language of messages and header rows.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ErrorBody)),
    modifiers(&Security),
    security(("token" = []), ("access_key" = []))
)]
struct Description;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let header = |name: &str, description: &str| {
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
        };
        let components = openapi.components.get_or_insert_default();
        components
            .add_security_scheme("token", header("X-Auth-Token", "What POST /v3/auth/tokens gives in X-Subject-Token"));
        components.add_security_scheme(
            "access_key",
            header("Authorization", "SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…"),
        );
    }
}

/// Routes whose callers must be known.
fn protected() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(taurusdb::collect::collect))
        .routes(routes!(taurusdb::task_status::task_status))
        .routes(routes!(taurusdb::download::download))
        .routes(routes!(taurusdb::instances::list_v3))
        .routes(routes!(taurusdb::instances::list_v3_1))
        .routes(routes!(taurusdb::instances::show_v3))
        .routes(routes!(taurusdb::instances::show_v3_1))
        .merge(identities())
}

fn identities() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(iam::projects::list))
        .routes(routes!(iam::projects::list_of_caller))
        .routes(routes!(iam::domains::list))
        .routes(routes!(iam::domains::caller_identity))
        .layer(map_response(iam::in_its_own_codes))
}

/// Where nobodies become somebody.
fn sign_in() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(iam::tokens::create)).layer(map_response(iam::in_its_own_codes))
}

/// Routes for everyone.
fn open() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(ops::health::alive))
        .routes(routes!(ops::health::ready))
        .routes(routes!(ops::metrics::show))
        .routes(routes!(ops::openapi::show))
}

/// The whole service.
pub(crate) fn router(service: Service) -> Router {
    let protected = protected().layer(from_fn_with_state(service.clone(), authentication::authenticate));
    let sign_in = sign_in().layer(from_fn_with_state(service.clone(), limits::sign_in));
    let (router, _) = OpenApiRouter::with_openapi(Description::openapi())
        .merge(protected)
        .merge(sign_in)
        .merge(open())
        .split_for_parts();
    router
        .fallback(no_such_api)
        .method_not_allowed_fallback(no_such_api)
        .layer(from_fn_with_state(service.clone(), envelope::wrap))
        .with_state(service)
}

async fn no_such_api() -> Refusal {
    Refusal::new(ErrorEntry::NO_SUCH_API)
}

/// The description of the API, as JSON.
#[must_use]
pub fn openapi_json() -> String {
    let (_, openapi) = OpenApiRouter::with_openapi(Description::openapi())
        .merge(protected())
        .merge(sign_in())
        .merge(open())
        .split_for_parts();
    openapi.to_pretty_json().unwrap_or_default()
}
