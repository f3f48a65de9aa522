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
        let now = look(connection, &[before.id]).await?.pop().filter(|now| is_same(before, now));
        if kind == KillKind::Query && now.as_ref().is_some_and(|now| has_ended(before, now)) {
            return Ok(KillOutcome::Killed);
        }
        if now.is_none() || begun.elapsed() >= ASK_FOR_ROLLBACK_AFTER {
            match (undone_by(connection, before.id).await?, &now) {
                (Undone::Rows(rows_modified), _) if begun.elapsed() >= ASK_FOR_ROLLBACK_AFTER => {
                    return Ok(KillOutcome::RollingBack { rows_modified });
                }
                (Undone::Nothing, None) => return Ok(KillOutcome::Killed),
                _ => {}
            }
        }
        *seen = now.as_ref().map_or_else(
            || "its transaction is still open".to_owned(),
            |now| format!("{} {}", clean(&now.command), clean(now.state.as_deref().unwrap_or_default())),
        );
        sleep(pause).await;
        pause *= 2;
    }
}

fn is_same(before: &Session, now: &Session) -> bool {
    before.user == now.user && before.host == now.host
}

/// Whether a statement ended, judged by its session.
fn has_ended(before: &Session, now: &Session) -> bool {
    !is_killed(now) && (is_idle(now) || before.statement != now.statement || now.seconds < before.seconds)
}

/// What a session still has to roll back. MySQL takes it off its list before that.
pub(super) enum Undone {
    /// Nothing, or nothing that the account may see.
    Nothing,
    /// It has a transaction, and has not begun.
    Waiting,
    /// Rows that are still changed.
    Rows(u64),
}

/// What the session of this id still has to roll back.
pub(super) async fn undone_by(connection: &mut Connection, id: u64) -> Result<Undone, Failure> {
    let read = transactions::read(connection).await.map_err(|error| connection.failed(&error))?;
    let (Transactions::Readable(all) | Transactions::FromStatus(all)) = read else { return Ok(Undone::Nothing) };
    let mut of_it = all.into_iter().filter(|transaction| transaction.session_id == id).peekable();
    if of_it.peek().is_none() {
        return Ok(Undone::Nothing);
    }
    let rolling_back = of_it.filter(|transaction| &*transaction.state == ROLLING_BACK);
    Ok(rolling_back.map(|transaction| transaction.rows_modified).max().map_or(Undone::Waiting, Undone::Rows))
}
