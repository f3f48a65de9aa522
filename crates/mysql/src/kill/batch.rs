//! Kills many victims over one connection. Each victim is checked against a recent process list.

use std::time::Duration;

use clew_diagnose::{ProtectedAccounts, is_internal, to_valid_utf8};
use clew_model::{Failure, Session};

use super::confirm::{PendingKill, confirm};
use super::process_view::{ProcessView, read_clew_sessions, require_complete_list};
use super::risk::EngineLookup;
use super::rollback_state::RollbackState;
use super::send::send_kill;
use super::victim::{is_idle, is_killed};
use super::{KillKind, KillOutcome, Refusal, UnsafeVictims, Victim};
use crate::connection::Connection;

/// Maximum age of a process view when a kill is sent. A kill takes less than 1 ms, a list up to 50 ms.
const MAX_VIEW_AGE: Duration = Duration::from_millis(20);
/// Victims per process view. Reading the ages of more sessions takes longer than [`MAX_VIEW_AGE`].
const CHUNK_SIZE: usize = 100;

/// Victims with the state of each kill.
pub(super) struct Batch<'a> {
    policy: KillPolicy<'a>,
    victims: Vec<(&'a Victim, Stage)>,
}

/// Target of the kills and protection rules.
#[derive(Clone, Copy)]
struct KillPolicy<'a> {
    kind: KillKind,
    protected: &'a ProtectedAccounts,
    unsafe_victims: UnsafeVictims,
}

/// State of a kill.
enum Stage {
    /// Not checked against a process list yet.
    Queued,
    /// Kill sent, response pending.
    Sending,
    /// Kill accepted by the server, effect not confirmed yet.
    Sent(PendingKill),
    Finished(KillOutcome),
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        victims: &'a [Victim],
        kind: KillKind,
        protected: &'a ProtectedAccounts,
        unsafe_victims: UnsafeVictims,
    ) -> Self {
        let victims = victims.iter().map(|victim| (victim, Stage::Queued)).collect();
        Self { policy: KillPolicy { kind, protected, unsafe_victims }, victims }
    }

    /// Sends a kill to each listed victim that is not protected.
    /// A connection error ends the batch: the remaining victims are not killed.
    pub(super) async fn send(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let server = connection.read_instance().await?;
        let own = read_clew_sessions(connection).await?;
        let policy = self.policy;
        let mut list_is_complete = false;
        for chunk in self.victims.chunks_mut(CHUNK_SIZE) {
            let ids: Vec<u64> = chunk.iter().map(|(victim, _)| victim.id).collect();
            let mut view = ProcessView::read(connection, &ids, policy.kind).await?;
            let mut engines = EngineLookup::default();
            if policy.unsafe_victims == UnsafeVictims::Spare {
                engines.load(connection, view.sessions.values()).await?;
            }
            for (at, (victim, stage)) in chunk.iter_mut().enumerate() {
                if view.age() > MAX_VIEW_AGE {
                    view = ProcessView::read(connection, ids.get(at..).unwrap_or_default(), policy.kind).await?;
                }
                // A balancer may route a repeated list to another server.
                let wrong_server = if view.is_direct {
                    (victim.read.server != server).then_some(Refusal::AnotherServer)
                } else {
                    Some(Refusal::Proxied)
                };
                if let Some(refusal) = wrong_server {
                    *stage = Stage::Finished(KillOutcome::Refused(refusal));
                    continue;
                }
                let Some(now) = view.sessions.get(&victim.id) else {
                    if !list_is_complete {
                        require_complete_list(connection).await?;
                        list_is_complete = true;
                    }
                    *stage = Stage::Finished(match view.rollback_state(connection, victim.id).await? {
                        RollbackState::RollingBack(rows_modified) => KillOutcome::RollingBack { rows_modified },
                        RollbackState::NotStarted | RollbackState::NoTransaction => KillOutcome::AlreadyGone,
                    });
                    continue;
                };
                let is_own = own.contains(&victim.id) || view.own.contains(&victim.id);
                let refusal = policy
                    .refusal_by_identity(victim, now, is_own)
                    .or_else(|| policy.refusal_by_state(victim, now, &view, &engines));
                if let Some(refusal) = refusal {
                    *stage = Stage::Finished(KillOutcome::Refused(refusal));
                    continue;
                }
                *stage = Stage::Sending;
                *stage = if is_killed(now) {
                    Stage::Sent(PendingKill::new(now.clone()))
                } else {
                    let query = view.queries.get(&victim.id).copied();
                    match send_kill(connection, victim.id, policy.kind, query).await? {
                        Ok(true) => Stage::Sent(PendingKill::new(now.clone())),
                        Ok(false) => Stage::Finished(KillOutcome::AlreadyGone),
                        Err(denied) => Stage::Finished(KillOutcome::Failed(denied)),
                    }
                };
            }
        }
        Ok(())
    }

    /// Waits until all accepted kills had their effect, or until the confirmation timeout.
    pub(super) async fn confirm(&mut self, connection: Connection) -> Result<(), Failure> {
        let sent = self.victims.iter_mut().filter_map(|(_, stage)| match stage {
            Stage::Sent(pending) => Some(pending),
            _ => None,
        });
        confirm(connection, sent.collect(), self.policy.kind).await
    }

    pub(super) fn nothing_sent(&self) -> bool {
        !self.victims.iter().any(|(_, stage)| matches!(stage, Stage::Sending | Stage::Sent(_)))
    }

    /// Sets the outcome of each unfinished kill. `failure` is the reason, if there is one.
    pub(super) fn finish(&mut self, failure: Option<&Failure>) {
        for (_, stage) in &mut self.victims {
            let outcome = match (&mut *stage, failure) {
                (Stage::Finished(_), _) => continue,
                (Stage::Sent(pending), failure) => pending.finish(failure),
                (Stage::Queued, Some(failure)) => KillOutcome::Failed(failure.clone()),
                (Stage::Sending, Some(failure)) => KillOutcome::Failed(Failure::new(
                    failure.kind,
                    format!("{}; the kill was under way, and the server may still do it", failure.detail),
                )),
                // Unreachable: without a failure each kill was sent or is finished.
                (Stage::Queued | Stage::Sending, None) => KillOutcome::AlreadyGone,
            };
            *stage = Stage::Finished(outcome);
        }
    }

    /// Returns the outcome of each finished kill.
    pub(super) fn outcomes(self) -> Vec<(u64, KillOutcome)> {
        let outcome = |(victim, stage): (&Victim, Stage)| match stage {
            Stage::Finished(outcome) => Some((victim.id, outcome)),
            _ => None,
        };
        self.victims.into_iter().filter_map(outcome).collect()
    }
}

impl KillPolicy<'_> {
    /// Refuses a listed session that is not the victim, or that is internal, Clew's own or protected.
    fn refusal_by_identity(&self, victim: &Victim, now: &Session, is_own: bool) -> Option<Refusal> {
        if !victim.matches(now) {
            return Some(Refusal::AnotherSession { user: to_valid_utf8(&now.user), host: to_valid_utf8(&now.host) });
        }
        if is_internal(now) {
            return Some(Refusal::Internal);
        }
        if is_own {
            return Some(Refusal::OwnSession);
        }
        if self.protected.protects(&now.user) {
            return Some(Refusal::Protected { user: to_valid_utf8(&now.user) });
        }
        None
    }

    /// Refuses a victim because of its current state.
    /// A session that is already being killed is not refused; no second kill is sent.
    fn refusal_by_state(
        &self,
        victim: &Victim,
        now: &Session,
        view: &ProcessView,
        engines: &EngineLookup,
    ) -> Option<Refusal> {
        if view.appliers.contains(&victim.id) {
            return Some(Refusal::Internal);
        }
        if is_killed(now) {
            return None;
        }
        if self.kind == KillKind::Query && is_idle(now) {
            return Some(Refusal::Idle);
        }
        if !victim.still_running(now) {
            return Some(Refusal::AnotherStatement);
        }
        if victim.is_chosen_by_age(self.kind) && view.unchecked.contains(&victim.id) {
            return Some(Refusal::UnreliableAge);
        }
        let spares = self.unsafe_victims == UnsafeVictims::Spare;
        spares.then(|| engines.unsafe_risk(now)).flatten().map(Refusal::Unsafe)
    }
}
