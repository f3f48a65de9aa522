//! Liveness and readiness endpoints.

use axum::extract::State;
use clew_model::ApiErrorDefinition;
use clew_store::StoreError;
use tracing::warn;

use crate::SharedState;
use crate::error::ApiError;

/// Check that the process responds.
#[utoipa::path(get, path = "/healthz", operation_id = "CheckAlive", tag = "operations", security(()), responses((status = 200, description = "The process is running", body = str)))]
pub(crate) async fn check_liveness() -> &'static str {
    "ok\n"
}

/// Check that the store responds.
#[utoipa::path(get, path = "/readyz", operation_id = "CheckReady", tag = "operations", security(()), responses(
    (status = 200, description = "The service is ready", body = str),
    (status = 503, description = "The service is not ready", body = crate::error::ErrorBody)
))]
pub(crate) async fn check_readiness(State(service): State<SharedState>) -> Result<String, ApiError> {
    let not_ready = |error: StoreError| {
        warn!(%error, "readiness check failed");
        ApiError::new(ApiErrorDefinition::UNAVAILABLE)
    };
    service.store.check_health().await.map_err(not_ready)?;
    let zones = service.store.zones().list_zone_states().await.map_err(not_ready)?;
    // A zone without a worker is only listed in the response. The process still counts as ready.
    let unserved = zones.iter().filter(|state| state.lacks_workers()).filter_map(|state| {
        let zone = state.zone.as_ref()?;
        Some(format!("no worker is at work in zone {zone}; nodes that are not read: {}\n", state.nodes))
    });
    Ok(std::iter::once("ok\n".to_owned()).chain(unserved).collect())
}
