//! Confirmation of kills: all sessions are listed together, round after round.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use clew_diagnose::clean;
use clew_model::{Failure, Session};
use tokio::time::{sleep, timeout};

use super::batch::{is_idle, is_killed};
use super::look::{List, look, look_with_ages};
use super::{KillKind, KillOutcome};
use crate::connection::Connection;
use crate::statement_ages::Checked;
use crate::transactions::{self, Transactions};

/// How long the effect of kills is waited for, however many there are.
const CONFIRM: Duration = Duration::from_secs(1);
/// Between two looks: twice as long each time.
const FIRST_LOOK: Duration = Duration::from_millis(5);
/// Delay before rollbacks are read: until then, most sessions are gone.
const ASK_FOR_ROLLBACK_AFTER: Duration = Duration::from_millis(100);

/// A session that was sent a kill.
pub(super) struct Watched {
    before: Session,
    seen: String,
    outcome: Option<KillOutcome>,
}

impl Watched {
    /// A session as it was just before its kill.
    pub(super) fn new(before: Session) -> Self {
        Self { before, seen: "not confirmed".to_owned(), outcome: None }
    }

    /// The outcome. Where it was not confirmed: what the last list showed, or why there was none.
    pub(super) fn end(&mut self, failure: Option<&Failure>) -> KillOutcome {
        let unseen = || KillOutcome::Ending(failure.map_or_else(|| self.seen.clone(), Failure::to_string));
        self.outcome.take().unwrap_or_else(unseen)
    }

    fn look_at(&mut self, now: Option<&Session>, is_checked: bool, undone: Option<Undone>, kind: KillKind, late: bool) {
        self.outcome = match (undone, now) {
            (_, Some(now)) if kind == KillKind::Query && has_ended(&self.before, now, is_checked) => {
                Some(KillOutcome::Killed)
            }
            (Some(Undone::Rows(rows_modified)), _) if late => Some(KillOutcome::RollingBack { rows_modified }),
            (Some(Undone::Nothing), None) => Some(KillOutcome::Killed),
            _ => None,
        };
        self.seen = now.map_or_else(
            || "its transaction is still open".to_owned(),
            |now| format!("{} {}", clean(&now.command), clean(now.state.as_deref().unwrap_or_default())),
        );
    }
}

/// Lists at growing intervals until each kill had its effect, a rollback is listed, or the time is over.
pub(super) async fn confirm(
    mut connection: Connection,
    mut watched: Vec<&mut Watched>,
    kind: KillKind,
) -> Result<(), Failure> {
    // What was under way when the time was over is killed with the connection.
    let Ok(seen) = timeout(CONFIRM, watch(&mut connection, &mut watched, kind)).await else { return Ok(()) };
    seen?;
    connection.close().await;
    Ok(())
}

async fn watch(connection: &mut Connection, watched: &mut [&mut Watched], kind: KillKind) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut pause = FIRST_LOOK;
    loop {
        let all = watched.iter_mut().map(|one| &mut **one);
        let mut open: Vec<&mut Watched> = all.filter(|one| one.outcome.is_none()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let ids: HashSet<u64> = open.iter().map(|one| one.before.id).collect();
        let wanted = |session: &Session| ids.contains(&session.id);
        // Only the end of a statement is judged by seconds.
        let (List { sessions: listed, .. }, unchecked) = match kind {
            KillKind::Query => look_with_ages(connection, Checked::Busy, wanted).await?,
            KillKind::Connection => (look(connection, wanted).await?, HashSet::new()),
        };
        let listed: HashMap<u64, Session> = listed.into_iter().map(|session| (session.id, session)).collect();
        let now = |before: &Session| listed.get(&before.id).filter(|now| is_same(before, now));
        let late = begun.elapsed() >= ASK_FOR_ROLLBACK_AFTER;
        let ask = late || open.iter().any(|one| now(&one.before).is_none());
        let undone = if ask { Some(read_undone(connection).await?) } else { None };
        for one in &mut open {
            let undone = undone.as_ref().map(|all| all.get(&one.before.id).copied().unwrap_or(Undone::Nothing));
            let now = now(&one.before);
            let is_checked = !unchecked.contains(&one.before.id);
            one.look_at(now, is_checked, undone, kind, late);
        }
        if open.iter().all(|one| one.outcome.is_some()) {
            return Ok(());
        }
        sleep(pause).await;
        pause *= 2;
    }
}

fn is_same(before: &Session, now: &Session) -> bool {
    before.user == now.user && before.host == now.host
}

/// Whether a statement ended, by what the list shows of its session. `is_checked` says that the session cannot have set its seconds.
fn has_ended(before: &Session, now: &Session, is_checked: bool) -> bool {
    let is_younger = is_checked && now.seconds < before.seconds;
    !is_killed(now) && (is_idle(now) || before.statement != now.statement || is_younger)
}

/// What a session still has to roll back. MySQL takes it off its list before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undone {
    /// Nothing, or nothing that the account may see.
    Nothing,
    /// It has a transaction, and has not begun.
    Waiting,
    /// Rows that are still changed.
    Rows(u64),
}

/// What each session with an open transaction still has to roll back.
pub(super) async fn read_undone(connection: &mut Connection) -> Result<HashMap<u64, Undone>, Failure> {
    let read = transactions::read(connection).await.map_err(|error| connection.failed(&error))?;
    let (Transactions::Readable(all) | Transactions::FromStatus(all)) = read else { return Ok(HashMap::new()) };
    let mut undone = HashMap::new();
    for transaction in all {
        let of_it = undone.entry(transaction.session_id).or_insert(Undone::Waiting);
        if transaction.is_rolling_back() {
            let rows = transaction.rows_modified;
            *of_it = Undone::Rows(match *of_it {
                Undone::Rows(more) => more.max(rows),
                Undone::Waiting | Undone::Nothing => rows,
            });
        }
    }
    Ok(undone)
}
