//! Many victims on one connection: each is checked against a recent list, and killed at once.

use std::time::Duration;

use clew_diagnose::{ProtectedAccounts, clean, is_internal};
use clew_model::{Failure, Session};

use super::confirm::{Undone, Watched, confirm};
use super::look::{Look, clew_sessions, lists_all};
use super::risk::Engines;
use super::send::send;
use super::{KillKind, KillOutcome, Refusal, UnsafeVictims, Victim};
use crate::connection::Connection;

/// How old a list may be when a kill is sent by it: most kills take a fraction of a millisecond, a list up to 0.05 s.
const LOOK_IS_GOOD_FOR: Duration = Duration::from_millis(20);
/// Victims that are looked up together: the ages of more take longer than a list is good for.
const CHUNK: usize = 100;

/// Victims, and how far each of them is.
pub(super) struct Batch<'a> {
    rules: Rules<'a>,
    members: Vec<(&'a Victim, Stage)>,
}

/// What is ended, and what is spared.
#[derive(Clone, Copy)]
struct Rules<'a> {
    kind: KillKind,
    protected: &'a ProtectedAccounts,
    unsafe_victims: UnsafeVictims,
}

/// How far a kill has come.
enum Stage {
    /// Not yet found in a list.
    Waiting,
    /// Kill sent, response pending.
    Sending,
    /// The server took the kill.
    Sent(Watched),
    Over(KillOutcome),
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        victims: &'a [Victim],
        kind: KillKind,
        protected: &'a ProtectedAccounts,
        unsafe_victims: UnsafeVictims,
    ) -> Self {
        let members = victims.iter().map(|victim| (victim, Stage::Waiting)).collect();
        Self { rules: Rules { kind, protected, unsafe_victims }, members }
    }

    /// Sends a kill to each listed victim that no rule protects. Fails on a connection error; the remaining victims are untouched then.
    pub(super) async fn send(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let server = connection.instance().await?;
        let own = clew_sessions(connection).await?;
        let rules = self.rules;
        let mut all_is_listed = false;
        for chunk in self.members.chunks_mut(CHUNK) {
            let ids: Vec<u64> = chunk.iter().map(|(victim, _)| victim.id).collect();
            let mut look = Look::take(connection, &ids, rules.kind).await?;
            let mut engines = Engines::default();
            if rules.unsafe_victims == UnsafeVictims::Spare {
                engines.load(connection, look.sessions.values()).await?;
            }
            for (at, (victim, stage)) in chunk.iter_mut().enumerate() {
                if look.age() > LOOK_IS_GOOD_FOR {
                    look = Look::take(connection, ids.get(at..).unwrap_or_default(), rules.kind).await?;
                }
                // A balancer of statements may lead a repeated list elsewhere.
                let elsewhere = if look.is_direct {
                    (victim.read.server != server).then_some(Refusal::AnotherServer)
                } else {
                    Some(Refusal::Indirect)
                };
                if let Some(refusal) = elsewhere {
                    *stage = Stage::Over(KillOutcome::Refused(refusal));
                    continue;
                }
                let Some(now) = look.sessions.get(&victim.id) else {
                    if !all_is_listed {
                        lists_all(connection).await?;
                        all_is_listed = true;
                    }
                    *stage = Stage::Over(match look.undone_by(connection, victim.id).await? {
                        Undone::Rows(rows_modified) => KillOutcome::RollingBack { rows_modified },
                        Undone::Waiting | Undone::Nothing => KillOutcome::AlreadyGone,
                    });
                    continue;
                };
                let is_own = own.contains(&victim.id) || look.own.contains(&victim.id);
                let refusal = rules.refusal(victim, now, is_own).or_else(|| rules.doubt(victim, now, &look, &engines));
                if let Some(refusal) = refusal {
                    *stage = Stage::Over(KillOutcome::Refused(refusal));
                    continue;
                }
                *stage = Stage::Sending;
                *stage = if is_killed(now) {
                    Stage::Sent(Watched::new(now.clone()))
                } else {
                    let query = look.queries.get(&victim.id).copied();
                    match send(connection, victim.id, rules.kind, query).await? {
                        Ok(true) => Stage::Sent(Watched::new(now.clone())),
                        Ok(false) => Stage::Over(KillOutcome::AlreadyGone),
                        Err(denied) => Stage::Over(KillOutcome::Failed(denied)),
                    }
                };
            }
        }
        Ok(())
    }

    /// Looks after those that were sent a kill until all had their effect, or it took too long.
    pub(super) async fn confirm(&mut self, connection: Connection) -> Result<(), Failure> {
        let sent = self.members.iter_mut().filter_map(|(_, stage)| match stage {
            Stage::Sent(watched) => Some(watched),
            _ => None,
        });
        confirm(connection, sent.collect(), self.rules.kind).await
    }

    pub(super) fn nothing_was_sent(&self) -> bool {
        !self.members.iter().any(|(_, stage)| matches!(stage, Stage::Sending | Stage::Sent(_)))
    }

    /// Ends what is not over yet; with the reason, if there is one.
    pub(super) fn end(&mut self, failure: Option<&Failure>) {
        for (_, stage) in &mut self.members {
            let outcome = match (&mut *stage, failure) {
                (Stage::Over(_), _) => continue,
                (Stage::Sent(watched), failure) => watched.end(failure),
                (Stage::Waiting, Some(failure)) => KillOutcome::Failed(failure.clone()),
                (Stage::Sending, Some(failure)) => KillOutcome::Failed(Failure::new(
                    failure.kind,
                    format!("{}; the kill was under way, and the server may still do it", failure.detail),
                )),
                // Unreachable: without a failure each was sent or is over.
                (Stage::Waiting | Stage::Sending, None) => KillOutcome::AlreadyGone,
            };
            *stage = Stage::Over(outcome);
        }
    }

    /// The outcome of each victim that is over.
    pub(super) fn outcomes(self) -> Vec<(u64, KillOutcome)> {
        let outcome = |(victim, stage): (&Victim, Stage)| match stage {
            Stage::Over(outcome) => Some((victim.id, outcome)),
            _ => None,
        };
        self.members.into_iter().filter_map(outcome).collect()
    }
}

impl Rules<'_> {
    /// Why the session that is listed under the victim's id is not the victim, or must not be killed.
    fn refusal(&self, victim: &Victim, now: &Session, is_own: bool) -> Option<Refusal> {
        if !victim.matches(now) {
            return Some(Refusal::AnotherSession { user: clean(&now.user), host: clean(&now.host) });
        }
        if is_internal(now) {
            return Some(Refusal::Internal);
        }
        if is_own {
            return Some(Refusal::Own);
        }
        if self.protected.protects(&now.user) {
            return Some(Refusal::Protected { user: clean(&now.user) });
        }
        None
    }

    /// Why the victim is spared for what it does. An earlier kill is pending: nothing is sent.
    fn doubt(&self, victim: &Victim, now: &Session, look: &Look, engines: &Engines) -> Option<Refusal> {
        if look.appliers.contains(&victim.id) {
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
        if victim.is_chosen_by_age(self.kind) && look.unchecked.contains(&victim.id) {
            return Some(Refusal::UnreliableAge);
        }
        let spares = self.unsafe_victims == UnsafeVictims::Spare;
        spares.then(|| engines.unsafe_risk(now)).flatten().map(Refusal::Unsafe)
    }
}

pub(super) fn is_idle(session: &Session) -> bool {
    session.command.eq_ignore_ascii_case(b"Sleep")
}

/// Whether an earlier kill is pending.
pub(super) fn is_killed(session: &Session) -> bool {
    session.command.eq_ignore_ascii_case(b"Killed")
}
