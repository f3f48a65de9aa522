//! Runs the HTTP server. During shutdown, ends long polls and event streams.

use std::sync::Arc;

use clew_http::{Listener, ServeError};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::SharedState;
use crate::routes::build_router;

/// Serves requests until the `shutdown` token is canceled, then waits for in-flight requests to finish.
///
/// Waits for in-flight requests for at most [`clew_http::ConnectionSettings::shutdown_grace_period`].
pub async fn serve(
    service: SharedState,
    listener: impl Into<Listener>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let requests_done = CancellationToken::new();
    let (counting, end) = (service.clone(), requests_done.clone());
    let refusals = tokio::spawn(async move {
        counting.repeated_refusals.run_refusal_flush_loop(&counting.store, end.cancelled()).await;
    });
    let requests_done = requests_done.drop_guard();
    let (settings, observer) = (service.settings.connections.clone(), Arc::new(service.metrics.clone()));
    let router = build_router(service.clone());
    let server = clew_http::serve(listener.into(), router, settings, observer, shutdown.clone());
    let end_pending_responses = async {
        shutdown.cancelled().await;
        service.collections.cancel_completion_waits();
        service.node_watch_registry.shut_down();
        Ok(())
    };
    tokio::try_join!(server, end_pending_responses)?;
    drop(requests_done);
    if let Err(error) = refusals.await {
        warn!(%error, "cannot record repeated refusals in the audit log");
    }
    Ok(())
}
