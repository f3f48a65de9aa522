//! Is it alive, and can it work?

use axum::extract::State;
use clew_model::ErrorEntry;
use clew_store::StoreError;
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
pub(crate) async fn ready(State(service): State<Service>) -> Result<String, Refusal> {
    let not_ready = |error: StoreError| {
        warn!(%error, "not ready");
        Refusal::new(ErrorEntry::UNAVAILABLE)
    };
    service.store.ping().await.map_err(not_ready)?;
    let zones = service.store.zones().await.map_err(not_ready)?;
    // This process can work all the same: whoever looks should see it, no load balancer should act on it.
    let deserted = zones.iter().filter(|state| state.is_deserted()).filter_map(|state| {
        let zone = state.zone.as_ref()?;
        Some(format!("no worker is at work in zone {zone}; nodes that are not read: {}\n", state.nodes))
    });
    Ok(std::iter::once("ok\n".to_owned()).chain(deserted).collect())
}
