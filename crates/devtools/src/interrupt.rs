//! Wait for a termination signal.

use tokio::signal::unix::{SignalKind, signal};

/// Waits until this process receives SIGINT (Ctrl-C) or SIGTERM.
pub(crate) async fn wait_for_shutdown_signal() {
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
