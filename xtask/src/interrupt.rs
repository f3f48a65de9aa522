//! Termination signals.

use tokio::signal::unix::{SignalKind, signal};

/// Returns when the process receives SIGINT (Ctrl-C) or SIGTERM.
pub(crate) async fn received() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => if interrupt.is_err() { std::future::pending().await },
        () = terminated => {}
    }
}
