//! Receives PostgreSQL notifications with `LISTEN` over a dedicated connection.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::{Instant, sleep_until, timeout};

use crate::postgres::{CONNECTION_ACQUIRE_TIMEOUT, PostgresDatabase};
use crate::store_event::StoreEvent;

/// Channel on which the database triggers in `0002_notices.sql` send notifications.
const NOTIFICATION_CHANNEL: &str = "clew";
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// The timeout detects network partitions.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Receives change notifications from PostgreSQL and reconnects if the connection fails.
/// The first event that the receiver returns is always [`StoreEvent::Connected`].
pub struct StoreEventReceiver {
    options: PgConnectOptions,
    state: NotificationListenerState,
}

enum NotificationListenerState {
    Disconnected { retry_at: Instant },
    Connected { connection: Box<PgListener>, last_activity: Instant },
}

impl StoreEventReceiver {
    pub(crate) fn new(database: &PostgresDatabase) -> Self {
        let options = (*database.pool.connect_options()).clone().disable_statement_logging();
        Self { options, state: NotificationListenerState::Disconnected { retry_at: Instant::now() } }
    }

    /// Waits for the next change notification. This method is cancel safe.
    pub async fn next(&mut self) -> StoreEvent {
        loop {
            match &mut self.state {
                NotificationListenerState::Disconnected { retry_at } => {
                    sleep_until(*retry_at).await;
                    let connected = timeout(CONNECTION_ACQUIRE_TIMEOUT, connect_listener(&self.options)).await;
                    if let Ok(Ok(connection)) = connected {
                        let connection = Box::new(connection);
                        self.state = NotificationListenerState::Connected { connection, last_activity: Instant::now() };
                        return StoreEvent::Connected;
                    }
                    self.state = NotificationListenerState::Disconnected { retry_at: Instant::now() + RECONNECT_DELAY };
                }
                NotificationListenerState::Connected { connection, last_activity } => {
                    let received = tokio::select! {
                        received = connection.try_recv() => {
                            received.ok().flatten().map(|notification| parse_notification(notification.payload()))
                        }
                        () = sleep_until(*last_activity + KEEPALIVE_INTERVAL) => {
                            send_keepalive_query(connection).await.then_some(None)
                        }
                    };
                    *last_activity = Instant::now();
                    match received {
                        Some(Some(notice)) => return notice,
                        // The notification is a keepalive response, or its payload is from a newer version of Clew.
                        Some(None) => {}
                        None => {
                            self.state = NotificationListenerState::Disconnected { retry_at: Instant::now() };
                            return StoreEvent::Disconnected;
                        }
                    }
                }
            }
        }
    }
}

async fn connect_listener(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let pool = pool.acquire_timeout(CONNECTION_ACQUIRE_TIMEOUT);
    let mut listener = PgListener::connect_with(&pool.connect_lazy_with(options.clone())).await?;
    // The caller of [`StoreEventReceiver::next`] polls the database until the connection is restored.
    listener.eager_reconnect(false);
    listener.listen(NOTIFICATION_CHANNEL).await?;
    Ok(listener)
}

/// The listener buffers notifications that arrive before the response to the keepalive query.
async fn send_keepalive_query(connection: &mut PgListener) -> bool {
    matches!(timeout(KEEPALIVE_TIMEOUT, sqlx::query("SELECT 1").execute(connection)).await, Ok(Ok(_)))
}

fn parse_notification(payload: &str) -> Option<StoreEvent> {
    match payload.split_once(' ') {
        Some(("ended", id)) => id.parse().ok().map(StoreEvent::TaskEnded),
        None if payload == "queued" => Some(StoreEvent::TaskQueued),
        None if payload == "kill" => Some(StoreEvent::IntelligentKillQueued),
        _ => None,
    }
}
