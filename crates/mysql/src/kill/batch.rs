//! Kills a batch of sessions over one connection after checking each session in a recent process list.

use std::time::Duration;

use clew_diagnose::bytes_to_text;
use clew_model::{Failure, Session};

use super::confirmation::{PendingKill, poll_until_kills_confirmed};
use super::kill_command::send_kill;
use super::process_list_snapshot::{
    ProcessListSnapshot, RollbackState, read_clew_session_ids, require_complete_process_list,
};
use super::risk::StorageEngineCache;
use super::victim::has_pending_kill;
use super::{KillOptions, KillOutcome, KillRefusal, KillTarget, Victim};
use crate::connection::Connection;

/// Maximum age of the process list that Clew uses to check a session before killing it.
/// A recent process list makes it unlikely that a session changes before the server executes the kill.
const MAX_PROCESS_LIST_AGE: Duration = Duration::from_millis(20);
/// Maximum number of victims checked with one process list read. Larger reads could exceed [`MAX_PROCESS_LIST_AGE`].
const MAX_VICTIMS_PER_PROCESS_LIST: usize = 100;

pub(super) struct KillBatch<'a> {
    options: KillOptions<'a>,
    victims: Vec<(&'a Victim, KillStage)>,
}

enum KillStage {
    Queued,
    Sending,
    Sent(PendingKill),
    Finished(KillOutcome),
}

impl<'a> KillBatch<'a> {
    pub(super) fn new(victims: &'a [Victim], options: KillOptions<'a>) -> Self {
        Self { options, victims: victims.iter().map(|victim| (victim, KillStage::Queued)).collect() }
    }

    /// Sends the `KILL` statements of the batch. If the connection fails, sends no further `KILL` statements.
    pub(super) async fn send_kills(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let server = connection.read_server_instance().await?;
        let own = read_clew_session_ids(connection).await?;
        let options = self.options;
        let mut list_is_complete = false;
        for chunk in self.victims.chunks_mut(MAX_VICTIMS_PER_PROCESS_LIST) {
            let ids: Vec<u64> = chunk.iter().map(|(victim, _)| victim.id).collect();
            let mut view = ProcessListSnapshot::read(connection, &ids, options.kind).await?;
            let mut engines = StorageEngineCache::default();
            if !options.include_unsafe {
                engines.load_storage_engines(connection, view.sessions.values()).await?;
            }
            for (at, (victim, stage)) in chunk.iter_mut().enumerate() {
                if view.listed_at.elapsed() > MAX_PROCESS_LIST_AGE {
                    view =
                        ProcessListSnapshot::read(connection, ids.get(at..).unwrap_or_default(), options.kind).await?;
                }
                // A load balancer may route the repeated read to another server.
                let wrong_server = if view.is_direct {
                    (victim.read.server != server).then_some(KillRefusal::AnotherServer)
                } else {
                    Some(KillRefusal::Proxied)
                };
                if let Some(refusal) = wrong_server {
                    *stage = KillStage::Finished(KillOutcome::Refused(refusal));
                    continue;
                }
                let Some(now) = view.sessions.get(&victim.id) else {
                    if !list_is_complete {
                        require_complete_process_list(connection).await?;
                        list_is_complete = true;
                    }
                    *stage = KillStage::Finished(match view.rollback_state(connection, victim.id).await? {
                        RollbackState::RollingBack(rows_modified) => KillOutcome::RollingBack { rows_modified },
                        RollbackState::NotStarted | RollbackState::NoTransaction => KillOutcome::AlreadyGone,
                    });
                    continue;
                };
                let is_own = own.contains(&victim.id) || view.own.contains(&victim.id);
                if let Some(refusal) = options.find_kill_refusal(victim, now, is_own, &view, &engines) {
                    *stage = KillStage::Finished(KillOutcome::Refused(refusal));
                    continue;
                }
                *stage = KillStage::Sending;
                *stage = if has_pending_kill(now) {
                    KillStage::Sent(PendingKill::new(now.clone()))
                } else {
                    let query = view.queries.get(&victim.id).copied();
                    match send_kill(connection, victim.id, options.kind, query).await? {
                        Ok(true) => KillStage::Sent(PendingKill::new(now.clone())),
                        Ok(false) => KillStage::Finished(KillOutcome::AlreadyGone),
                        Err(denied) => KillStage::Finished(KillOutcome::Failed(denied)),
                    }
                };
            }
        }
        Ok(())
    }

    pub(super) async fn wait_until_kills_take_effect(&mut self, connection: Connection) -> Result<(), Failure> {
        let sent = self.victims.iter_mut().filter_map(|(_, stage)| match stage {
            KillStage::Sent(pending) => Some(pending),
            _ => None,
        });
        poll_until_kills_confirmed(connection, sent.collect(), self.options.kind).await
    }

    pub(super) fn has_sent_kill(&self) -> bool {
        self.victims.iter().any(|(_, stage)| matches!(stage, KillStage::Sending | KillStage::Sent(_)))
    }

    /// Returns the session id and outcome of each kill.
    /// `failure` is the error that interrupted the batch of kills, or `None` if the batch finished.
    pub(super) fn into_kill_outcomes(self, failure: Option<&Failure>) -> Vec<(u64, KillOutcome)> {
        let outcome = |stage: KillStage| match (stage, failure) {
            (KillStage::Finished(outcome), _) => outcome,
            (KillStage::Sent(pending), failure) => pending.final_outcome(failure),
            (KillStage::Queued, Some(failure)) => KillOutcome::Failed(failure.clone()),
            (KillStage::Sending, Some(failure)) => KillOutcome::Failed(Failure::new(
                failure.kind,
                format!("{}; the kill was already sent, and the server may still execute it", failure.detail),
            )),
            // Unreachable: without a failure, each kill was sent or is finished.
            (KillStage::Queued | KillStage::Sending, None) => KillOutcome::AlreadyGone,
        };
        self.victims.into_iter().map(|(victim, stage)| (victim.id, outcome(stage))).collect()
    }
}

impl KillOptions<'_> {
    /// Returns the reason why Clew must not kill `victim`, such as a session id that now belongs to another session.
    /// Returns `None` if the session is already being killed; the caller then does not send a second kill.
    fn find_kill_refusal(
        &self,
        victim: &Victim,
        now: &Session,
        is_own: bool,
        view: &ProcessListSnapshot,
        engines: &StorageEngineCache,
    ) -> Option<KillRefusal> {
        if !victim.matches_session(now) {
            return Some(KillRefusal::AnotherSession {
                user: bytes_to_text(&now.user),
                host: bytes_to_text(&now.host),
            });
        }
        if let Some(refusal) = KillRefusal::for_protected_session(now, is_own, self.protected) {
            return Some(refusal);
        }
        if view.appliers.contains(&victim.id) {
            return Some(KillRefusal::Internal);
        }
        if has_pending_kill(now) {
            return None;
        }
        if self.kind == KillTarget::Query && now.is_idle() {
            return Some(KillRefusal::Idle);
        }
        if !victim.runs_expected_statement(now) {
            return Some(KillRefusal::AnotherStatement);
        }
        let was_selected_by_elapsed_time = self.kind == KillTarget::Connection && victim.expected.is_some();
        if was_selected_by_elapsed_time && view.unchecked.contains(&victim.id) {
            return Some(KillRefusal::UnreliableAge);
        }
        (!self.include_unsafe).then(|| engines.assess_risk_to_changed_tables(now)).flatten().map(KillRefusal::Unsafe)
    }
}
