//! OpenAPI document of the HTTP API, with all routes, security schemes and common error responses.

use clew_model::ApiErrorDefinition;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation as DescribedOperation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{PathItem, RefOr, Required};

use crate::error::ErrorBody;
use crate::error_responses::build_error_response;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Clew",
        description = "Real-time session diagnosis, compatible with the TaurusDB API. A request contains X-Auth-Token or is signed with \
            an access key (SDK-HMAC-SHA256). X-Language (en-us or zh-cn) selects the language of messages and CSV header rows.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ErrorBody)),
    modifiers(&SecuritySchemes),
    security(("token" = []), ("access_key" = []), ("browser" = []))
)]
pub(crate) struct OpenApiDocument;

struct SecuritySchemes;

impl utoipa::Modify for SecuritySchemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let header = |name: &str, description: &str| {
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
        };
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme(
            "token",
            header("X-Auth-Token", "Token from the header X-Subject-Token in the response of POST /v3/auth/tokens"),
        );
        let cookie = ApiKeyValue::with_description(
            "clew_session",
            "Session cookie, which POST /clew/v1/console/session sets. Over TLS, the cookie name is __Host-clew_session_ followed by the port. Requests that change data also require X-Clew-Csrf",
        );
        components.add_security_scheme("browser", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        components.add_security_scheme(
            "access_key",
            header(
                "Authorization",
                "Signature with an access key: SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…",
            ),
        );
    }
}

const COMMON_ERROR_RESPONSES: [(ApiErrorDefinition, &str); 4] = [
    (ApiErrorDefinition::BAD_REQUEST, "Invalid field, parameter or header value"),
    (ApiErrorDefinition::URI_TOO_LONG, "The path and query exceed the maximum length"),
    (ApiErrorDefinition::INTERNAL, "Internal error of Clew"),
    (ApiErrorDefinition::UNAVAILABLE, "Clew is shutting down or overloaded, or the request timed out"),
];
const AUTHENTICATED_ROUTE_ERROR_RESPONSES: [(ApiErrorDefinition, &str); 5] = [
    (ApiErrorDefinition::NOT_AUTHENTICATED, "The credentials are missing, invalid or expired"),
    (ApiErrorDefinition::FOREIGN_PROJECT, "No policy allows the action, or a policy denies it"),
    (ApiErrorDefinition::REQUEST_TIMEOUT, "The request body was not received in time"),
    (ApiErrorDefinition::BODY_TOO_LARGE, "The request body exceeds the maximum size"),
    (
        ApiErrorDefinition::TOO_MANY_REQUESTS,
        "The rate limit is exceeded; Retry-After contains the time to wait, in seconds",
    ),
];
const NOT_FOUND_ERROR_RESPONSE: (ApiErrorDefinition, &str) =
    (ApiErrorDefinition::UNKNOWN_NODE, "An object in the path does not exist");

pub(crate) fn add_path_parameters_and_error_responses(
    openapi: &mut utoipa::openapi::OpenApi,
    is_audited: impl Fn(&str, &str) -> bool,
) {
    for (path, item) in &mut openapi.paths.paths {
        for (method, described) in operations_by_method(item) {
            add_missing_path_parameters(path, described);
            add_error_responses(path, described, is_audited(method, path));
        }
    }
}

pub(crate) fn operations_by_method(
    item: &mut PathItem,
) -> impl Iterator<Item = (&'static str, &mut DescribedOperation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let with_method = |method, described: Option<_>| described.map(|described| (method, described));
    [
        with_method("GET", get.as_mut()),
        with_method("PUT", put.as_mut()),
        with_method("POST", post.as_mut()),
        with_method("DELETE", delete.as_mut()),
        with_method("PATCH", patch.as_mut()),
    ]
    .into_iter()
    .flatten()
}

fn add_missing_path_parameters(path: &str, described: &mut DescribedOperation) {
    let names = path.split('{').skip(1).filter_map(|part| part.split('}').next());
    for (position, name) in names.enumerate() {
        let parameters = described.parameters.get_or_insert_default();
        let is_described = parameters
            .iter()
            .any(|parameter| matches!(parameter, RefOr::T(Parameter { name: described, parameter_in: ParameterIn::Path, .. }) if described == name));
        if !is_described {
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
            parameters.insert(position, parameter.schema(Some(Object::with_type(Type::String))).build().into());
        }
    }
}

fn add_error_responses(path: &str, described: &mut DescribedOperation, is_audited: bool) {
    let mut refusals = COMMON_ERROR_RESPONSES.to_vec();
    if is_audited {
        refusals.extend(AUTHENTICATED_ROUTE_ERROR_RESPONSES);
        if path.contains('{') {
            refusals.push(NOT_FOUND_ERROR_RESPONSE);
        }
    }
    for (definition, description) in refusals {
        let responses = &mut described.responses.responses;
        responses.entry(definition.status.to_string()).or_insert_with(|| build_error_response(description));
    }
}
