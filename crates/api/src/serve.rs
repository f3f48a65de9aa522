//! The accept loop: limits on connections, on the head of a request, on clients that stop reading, and on the
//! end.

mod stall;

use std::io;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::Service;
use crate::routes::router;
use stall::StallLimit;

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings allow no connection at all.
    #[error("the settings allow no connection; set at least 1")]
    NoConnections,
}

/// How long to wait after a connection could not be accepted: mostly the process has no file descriptor left.
const ACCEPT_AGAIN: std::time::Duration = std::time::Duration::from_millis(100);

/// Serves until `shutdown`, then lets answers under way end, but no longer than [`crate::ApiSettings::grace`].
pub async fn serve(service: Service, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ServeError> {
    let settings = service.settings.clone();
    if settings.connections == 0 {
        return Err(ServeError::NoConnections);
    }
    let room = Arc::new(Semaphore::new(settings.connections));
    let router = router(service);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(settings.header_read);
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = async {
                let place = room.clone().acquire_owned().await.map_err(io::Error::other)?;
                listener.accept().await.map(|(stream, _)| (stream, place))
            } => accepted,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "could not accept a connection; will try again");
                sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let stream = TokioIo::new(StallLimit::new(stream, settings.write_stall));
        let connection = http.serve_connection(stream, TowerToHyperService::new(router.clone()));
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    info!(http.connections = connections.count(), "stopping: no more connections are taken");
    if timeout(settings.grace, connections.shutdown()).await.is_err() {
        warn!("answers were still under way at the end");
    }
    Ok(())
}
