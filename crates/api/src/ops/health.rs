//! Is it alive, and can it work?

use axum::extract::State;
use clew_model::ErrorEntry;
use tracing::warn;

use crate::Service;
use crate::refusal::Refusal;

/// The process answers.
#[utoipa::path(get, path = "/healthz", operation_id = "CheckAlive", tag = "operations", security(()), responses((status = 200, description = "Alive", body = str)))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// The store answers, so that requests can be served.
#[utoipa::path(get, path = "/readyz", operation_id = "CheckReady", tag = "operations", security(()), responses(
    (status = 200, description = "Ready", body = str),
    (status = 503, description = "Not ready", body = crate::refusal::ErrorBody)
))]
pub(crate) async fn ready(State(service): State<Service>) -> Result<&'static str, Refusal> {
    service.store.ping().await.map_err(|error| {
        warn!(%error, "not ready");
        Refusal::new(ErrorEntry::UNAVAILABLE)
    })?;
    Ok("ok\n")
}
