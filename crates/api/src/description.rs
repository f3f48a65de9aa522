//! The description of the API: what the routes say of themselves, and what holds for all of them.

use clew_model::ErrorEntry;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation as DescribedOperation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Content, PathItem, Ref, ResponseBuilder};

use crate::operations::{self, Operation};
use crate::refusal::ErrorBody;

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
    security(("token" = []), ("access_key" = []), ("browser" = []))
)]
pub(crate) struct Description;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let header = |name: &str, description: &str| {
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
        };
        let components = openapi.components.get_or_insert_default();
        components
            .add_security_scheme("token", header("X-Auth-Token", "What POST /v3/auth/tokens gives in X-Subject-Token"));
        let cookie = ApiKeyValue::with_description(
            "clew_session",
            "What POST /clew/v1/console/session sets; over TLS its name is __Host-clew_session_ and the port. A change needs X-Clew-Csrf too",
        );
        components.add_security_scheme("browser", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        components.add_security_scheme(
            "access_key",
            header("Authorization", "SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…"),
        );
    }
}

/// What any request may be answered with, …
const ALWAYS: [(ErrorEntry, &str); 5] = [
    (ErrorEntry::BAD_REQUEST, "Invalid parameter or header value"),
    (ErrorEntry::URI_TOO_LONG, "Path and query are too long"),
    (ErrorEntry::HEADERS_TOO_LARGE, "The headers are too large"),
    (ErrorEntry::INTERNAL, "Clew itself failed"),
    (ErrorEntry::UNAVAILABLE, "Clew is stopping, or too busy"),
];
/// … what one whose caller must be known may be answered with, …
const OF_CALLERS: [(ErrorEntry, &str); 5] = [
    (ErrorEntry::NOT_AUTHENTICATED, "The credentials are missing, wrong, or no longer good"),
    (ErrorEntry::FOREIGN_PROJECT, "No policy allows it, or one denies it"),
    (ErrorEntry::REQUEST_TIMEOUT, "The body did not come in time"),
    (ErrorEntry::BODY_TOO_LARGE, "The body is too large"),
    (ErrorEntry::TOO_MANY_REQUESTS, "The caller asks too often; Retry-After says when to ask again"),
];
/// … and what one about something that is named in its path.
const NOT_THERE: (ErrorEntry, &str) = (ErrorEntry::UNKNOWN_NODE, "What the path names is not there");

/// Adds what holds for all operations to what each says of itself: their names, and the refusals that each may meet.
pub(crate) fn complete(openapi: &mut utoipa::openapi::OpenApi) {
    for (path, item) in &mut openapi.paths.paths {
        for (method, described) in described_operations(item) {
            let operation = operations::ALL.iter().find(|known| known.path == path && known.method == method);
            describe(path, described, operation);
        }
    }
}

fn described_operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut DescribedOperation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let of = |method, described: Option<_>| described.map(|described| (method, described));
    [
        of("GET", get.as_mut()),
        of("PUT", put.as_mut()),
        of("POST", post.as_mut()),
        of("DELETE", delete.as_mut()),
        of("PATCH", patch.as_mut()),
    ]
    .into_iter()
    .flatten()
}

fn describe(path: &str, described: &mut DescribedOperation, operation: Option<&Operation>) {
    let mut refusals = ALWAYS.to_vec();
    if let Some(operation) = operation {
        described.operation_id = Some(operation.name.to_owned());
        refusals.extend(OF_CALLERS);
        if path.contains('{') {
            refusals.push(NOT_THERE);
        }
    }
    for (entry, description) in refusals {
        described.responses.responses.entry(entry.status.to_string()).or_insert_with(|| {
            let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
            ResponseBuilder::new().description(description).content("application/json", body).build().into()
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    /// Method and path of every route whose caller must be known, or shows it by other means: a password, the signature of a link.
    fn routes() -> BTreeSet<(String, String)> {
        let openapi: Value = serde_json::from_str(&crate::openapi_json()).unwrap();
        let mut routes = BTreeSet::new();
        for (path, item) in openapi["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let is_shown = path == "/v3/auth/tokens" || path.starts_with("/clew/v1/");
                if operation["security"] != json!([{}]) || is_shown {
                    routes.insert((method.to_ascii_uppercase(), path.clone()));
                }
            }
        }
        routes
    }

    #[test]
    fn every_route_has_a_name_of_its_own_and_every_name_a_route() {
        let rows = operations::ALL.iter().map(|known| (known.method.to_owned(), known.path.to_owned()));
        assert_eq!(rows.collect::<BTreeSet<_>>(), routes());
        let names: BTreeSet<&str> = operations::ALL.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), operations::ALL.len());
    }
}
