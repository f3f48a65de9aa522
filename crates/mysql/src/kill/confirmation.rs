//! Confirms kills by polling the process list until it shows the effect of each kill.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use clew_diagnose::bytes_to_text;
use clew_model::{Failure, LocalizedText, Session};
use tokio::time::{sleep, timeout};

use super::process_list_snapshot::{
    RollbackState, SessionList, read_matching_sessions, read_rollback_states, read_sessions_and_elapsed_times,
};
use super::victim::has_pending_kill;
use super::{KillOutcome, KillTarget};
use crate::connection::Connection;
use crate::elapsed_times::ElapsedTimeCheckScope;

/// Timeout for confirming all kills of a batch.
const KILL_CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(1);
/// Delay between the first and the second poll of the process list. The delay doubles after each poll.
const INITIAL_POLL_DELAY: Duration = Duration::from_millis(5);
/// Delay before Clew reads the rollback states of killed sessions that are still in the process list.
/// Most killed sessions end before [`ROLLBACK_CHECK_DELAY`] has elapsed.
const ROLLBACK_CHECK_DELAY: Duration = Duration::from_millis(100);

pub(super) struct PendingKill {
    before: Session,
    /// Latest known outcome of the kill; [`KillOutcome::Ending`] until the outcome is confirmed.
    outcome: KillOutcome,
}

impl PendingKill {
    /// Creates a kill that is not confirmed yet. `before` is the session's process list entry immediately before the kill.
    pub(super) fn new(before: Session) -> Self {
        Self { before, outcome: KillOutcome::Ending(LocalizedText::new("not confirmed", "会话状态未知")) }
    }

    /// Returns the outcome of the kill. If the kill is unconfirmed, the outcome contains the error message of `failure`, if any.
    pub(super) fn final_outcome(&self, failure: Option<&Failure>) -> KillOutcome {
        match failure {
            Some(failure) if !self.is_confirmed() => KillOutcome::Ending(LocalizedText::new(
                failure.to_string(),
                format!("无法确认会话是否已结束：{}", failure.detail),
            )),
            _ => self.outcome.clone(),
        }
    }

    fn is_confirmed(&self) -> bool {
        !matches!(self.outcome, KillOutcome::Ending(_))
    }

    fn update_kill_outcome(
        &mut self,
        now: Option<&Session>,
        is_checked: bool,
        rollback: Option<RollbackState>,
        kind: KillTarget,
        late: bool,
    ) {
        self.outcome = match (rollback, now) {
            (_, Some(now)) if kind == KillTarget::Query && has_statement_ended(&self.before, now, is_checked) => {
                KillOutcome::Killed
            }
            (Some(RollbackState::RollingBack(rows_modified)), _) if late => KillOutcome::RollingBack { rows_modified },
            (Some(RollbackState::NoTransaction), None) => KillOutcome::Killed,
            (_, Some(now)) => {
                let state = bytes_to_text(now.state.as_deref().unwrap_or_default());
                let state = format!("{} {state}", bytes_to_text(&now.command));
                KillOutcome::Ending(LocalizedText::untranslated(state))
            }
            (_, None) => KillOutcome::Ending(LocalizedText::new(
                "the transaction of the session is still open",
                "会话的事务尚未结束",
            )),
        };
    }
}

/// Clew considers a kill confirmed if the kill has taken effect or the transaction is being rolled back.
pub(super) async fn poll_until_kills_confirmed(
    mut connection: Connection,
    mut kills: Vec<&mut PendingKill>,
    kind: KillTarget,
) -> Result<(), Failure> {
    // On timeout, dropping the connection kills a running poll statement.
    let Ok(polled) = timeout(KILL_CONFIRMATION_TIMEOUT, poll_kill_effects(&mut connection, &mut kills, kind)).await
    else {
        return Ok(());
    };
    polled?;
    connection.close().await;
    Ok(())
}

async fn poll_kill_effects(
    connection: &mut Connection,
    kills: &mut [&mut PendingKill],
    kind: KillTarget,
) -> Result<(), Failure> {
    let started = Instant::now();
    let mut pause = INITIAL_POLL_DELAY;
    loop {
        let all = kills.iter_mut().map(|kill| &mut **kill);
        let mut pending: Vec<&mut PendingKill> = all.filter(|kill| !kill.is_confirmed()).collect();
        if pending.is_empty() {
            return Ok(());
        }
        let ids: HashSet<u64> = pending.iter().map(|kill| kill.before.id).collect();
        let wanted = |session: &Session| ids.contains(&session.id);
        // Sessions' elapsed times are needed only to detect the end of a statement.
        let SessionList { sessions: listed, unchecked, .. } = match kind {
            KillTarget::Query => {
                read_sessions_and_elapsed_times(connection, ElapsedTimeCheckScope::Busy, wanted).await?
            }
            KillTarget::Connection => read_matching_sessions(connection, wanted).await?,
        };
        let listed: HashMap<u64, Session> = listed.into_iter().map(|session| (session.id, session)).collect();
        let is_same_client = |before: &Session, now: &Session| before.user == now.user && before.host == now.host;
        let now = |before: &Session| listed.get(&before.id).filter(|now| is_same_client(before, now));
        let late = started.elapsed() >= ROLLBACK_CHECK_DELAY;
        let read_rollbacks = late || pending.iter().any(|kill| now(&kill.before).is_none());
        let rollbacks = if read_rollbacks { Some(read_rollback_states(connection).await?) } else { None };
        for kill in &mut pending {
            let rollback =
                rollbacks.as_ref().map(|all| all.get(&kill.before.id).copied().unwrap_or(RollbackState::NoTransaction));
            let now = now(&kill.before);
            let is_checked = !unchecked.contains(&kill.before.id);
            kill.update_kill_outcome(now, is_checked, rollback, kind, late);
        }
        if pending.iter().all(|kill| kill.is_confirmed()) {
            return Ok(());
        }
        sleep(pause).await;
        pause *= 2;
    }
}

/// `is_checked` is true if Clew verified `now.seconds` with a timer that `SET timestamp` does not affect.
fn has_statement_ended(before: &Session, now: &Session, is_checked: bool) -> bool {
    let is_younger = is_checked && now.seconds < before.seconds;
    !has_pending_kill(now) && (now.is_idle() || before.statement != now.statement || is_younger)
}
