//! Endpoint from which Prometheus scrapes the metrics.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::SharedState;
use crate::error::ApiError;

const STORE_READ_TIMEOUT: Duration = Duration::from_secs(5);
const CONTENT_TYPE_OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Show the metrics of this process.
#[utoipa::path(get, path = "/metrics", operation_id = "ShowMetrics", tag = "operations", security(()), responses((status = 200, description = "Metrics in the OpenMetrics text format", body = str, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")))]
pub(crate) async fn show_metrics(State(service): State<SharedState>) -> Result<Response, ApiError> {
    let read = async {
        tokio::try_join!(service.store.tasks().count_tasks_by_status(), service.store.zones().list_zone_states())
    };
    let read = tokio::time::timeout(STORE_READ_TIMEOUT, read).await;
    let (tasks, zones) = read.map_err(|error| ApiError::internal_error(&error))??;
    service.metrics.set_queue_gauges(&tasks, zones);
    let text = service.metrics.encode().map_err(|error| ApiError::internal_error(&error))?;
    Ok(([(CONTENT_TYPE, CONTENT_TYPE_OPENMETRICS)], text).into_response())
}
