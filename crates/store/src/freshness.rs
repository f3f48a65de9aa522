//! Whether what was read before is still true.
//!
//! Whoever serves many small answers remembers what it has read, and asks before each use whether anybody has changed anything since:
//! this process or another one. Mostly nobody has, which takes a glance to see. Else the question costs a way to the database and back,
//! so it is asked once for all who wait: each joins the next question to be sent, never one under way. Either way, what was committed
//! before somebody asked is known to them.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::database::Changes;
use crate::error::StoreError;
use crate::sqlite::changes::Glance;

/// So many are answered with one question at most.
const MOST_AT_ONCE: usize = 1024;

/// How far the changes had come when the database was asked. What was read after that is still true as long as the number for it stays
/// the same. Numbers only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Counts changes of anything.
    pub(crate) anything: i64,
    /// Counts changes of identities, policies and the inventory.
    pub(crate) access: i64,
    /// Counts changes of failures to authenticate.
    pub(crate) failures: i64,
}

/// Somebody who wants to know, and where to tell them.
type Waiting = oneshot::Sender<Result<Moment, StoreError>>;

/// Asks the database how far the changes have come. Clones ask together.
#[derive(Clone)]
pub(crate) struct Freshness {
    glance: Glance,
    ask: mpsc::UnboundedSender<Waiting>,
}

impl Freshness {
    /// A task asks until the last clone is gone. It takes a connection when it is first asked.
    pub(crate) fn of(changes: Changes) -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        let glance = changes.glance();
        tokio::spawn(answer_all(changes, asked));
        Self { glance, ask }
    }

    /// A moment between now and the return of this call.
    pub(crate) async fn moment(&self) -> Result<Moment, StoreError> {
        if let Some(moment) = self.glance.moment() {
            return Ok(moment);
        }
        let (tell, told) = oneshot::channel();
        self.ask.send(tell).map_err(|_| StoreError::Stopped)?;
        told.await.unwrap_or(Err(StoreError::Stopped))
    }
}

async fn answer_all(mut changes: Changes, mut asked: mpsc::UnboundedReceiver<Waiting>) {
    let mut waiting = Vec::new();
    // From here on whoever comes waits for the next question.
    while asked.recv_many(&mut waiting, MOST_AT_ONCE).await > 0 {
        let moment = changes.moment().await.map_err(Arc::new);
        for tell in waiting.drain(..) {
            // Whoever is not there any more need not be told.
            let _ = tell.send(moment.clone().map_err(shared));
        }
    }
}

/// One error for all who wait for the same question.
fn shared(error: Arc<StoreError>) -> StoreError {
    StoreError::Database { doing: "ask what has changed", source: Box::new(error), remedy: "" }
}
