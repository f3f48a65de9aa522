//! Monitoring endpoints (health and metrics) and the OpenAPI document.

pub(crate) mod openapi;

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clew_model::ApiErrorDefinition;
use clew_store::StoreError;
use http::header::CONTENT_TYPE;
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

const STORE_READ_TIMEOUT: Duration = Duration::from_secs(5);
const OPENMETRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Show the metrics of this process.
#[utoipa::path(get, path = "/metrics", operation_id = "ShowMetrics", tag = "operations", security(()), responses((status = 200, description = "Metrics in the OpenMetrics text format", body = str, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")))]
pub(crate) async fn show_metrics(State(service): State<SharedState>) -> Result<Response, ApiError> {
    let read = async {
        tokio::try_join!(service.store.tasks().count_tasks_by_status(), service.store.zones().list_zone_states())
    };
    let read = tokio::time::timeout(STORE_READ_TIMEOUT, read).await;
    let (tasks, zones) = read.map_err(ApiError::internal_error)??;
    service.metrics.set_queue_and_worker_gauges(&tasks, zones);
    let text = service.metrics.encode().map_err(ApiError::internal_error)?;
    Ok(([(CONTENT_TYPE, OPENMETRICS_CONTENT_TYPE)], text).into_response())
}
