//! Whether a kill had its effect.

use std::time::{Duration, Instant};

use clew_diagnose::clean;
use clew_model::{Failure, Session};
use tokio::time::{sleep, timeout};

use super::{KillKind, KillOutcome, is_idle, is_killed, look};
use crate::connection::Connection;
use crate::transactions::{self, Transactions};

/// How long the effect of a kill is waited for.
const CONFIRM: Duration = Duration::from_secs(1);
/// Between two looks: twice as long each time.
const FIRST_LOOK: Duration = Duration::from_millis(5);
/// Sooner, most sessions are gone, and nobody need ask whether they roll back.
const ASK_FOR_ROLLBACK_AFTER: Duration = Duration::from_millis(100);
/// InnoDB's name for a transaction that rolls back.
const ROLLING_BACK: &str = "ROLLING BACK";

/// Looks, more and more seldom, until the kill had its effect, a roll-back is seen, or the time is over.
pub(super) async fn confirm(mut connection: Connection, before: &Session, kind: KillKind) -> KillOutcome {
    let mut seen = "it was not looked at again".to_owned();
    match timeout(CONFIRM, watch(&mut connection, before, kind, &mut seen)).await {
        Ok(Ok(outcome)) => {
            connection.close().await;
            outcome
        }
        Ok(Err(failure)) => KillOutcome::Ending(failure.to_string()),
        Err(_) => KillOutcome::Ending(seen),
    }
}

async fn watch(
    connection: &mut Connection,
    before: &Session,
    kind: KillKind,
    seen: &mut String,
) -> Result<KillOutcome, Failure> {
    let begun = Instant::now();
    let mut pause = FIRST_LOOK;
    loop {
        let Some(now) = look(connection, &[before.id]).await?.pop() else { return Ok(KillOutcome::Killed) };
        if has_ended(before, &now, kind) {
            return Ok(KillOutcome::Killed);
        }
        *seen = format!("{} {}", clean(&now.command), clean(now.state.as_deref().unwrap_or_default()));
        if begun.elapsed() >= ASK_FOR_ROLLBACK_AFTER
            && let Some(rows_modified) = rolls_back(connection, before.id).await?
        {
            return Ok(KillOutcome::RollingBack { rows_modified });
        }
        sleep(pause).await;
        pause *= 2;
    }
}

/// Whether what was to end did, judged by a session that is still listed.
fn has_ended(before: &Session, now: &Session, kind: KillKind) -> bool {
    let another = before.user != now.user || before.host != now.host;
    another
        || (kind == KillKind::Query
            && !is_killed(now)
            && (is_idle(now) || before.statement != now.statement || now.seconds < before.seconds))
}

/// Rows that are still to be rolled back, of a session that does so and may be asked about.
async fn rolls_back(connection: &mut Connection, id: u64) -> Result<Option<u64>, Failure> {
    let read = transactions::read(connection).await.map_err(|error| connection.failed(&error))?;
    let (Transactions::Readable(all) | Transactions::FromStatus(all)) = read else { return Ok(None) };
    let of_it =
        all.into_iter().filter(|transaction| transaction.session_id == id && &*transaction.state == ROLLING_BACK);
    Ok(of_it.map(|transaction| transaction.rows_modified).max())
}
