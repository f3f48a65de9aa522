//! Finds root blockers that block the sessions selected for a kill but would survive the kill.

use std::collections::{BTreeMap, BTreeSet};

use clew_model::Language;

use super::graph::{WaitGraph, WaitParticipant};
use crate::terminal::bytes_to_single_line;

/// Root blocker that remains after a planned kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemainingBlocker {
    /// Blocking session or transaction.
    pub party: WaitParticipant,
    /// Account and client host of the blocker, or `None` if the session is unknown.
    pub account: Option<String>,
    /// Idle time of the blocking session in seconds, or `None` if the session is not idle.
    pub idle_seconds: Option<u64>,
    /// Number of sessions selected for the kill that the blocker blocks, directly or indirectly.
    pub waiting: usize,
    /// Total number of sessions selected for the kill.
    pub victims: usize,
}

impl WaitGraph {
    /// Returns the root blockers outside `victims` that block sessions in `victims`.
    /// The root blocker that blocks the most victims is the first element of the returned list.
    ///
    /// A root blocker that is not killed continues to block its remaining waiters and can block new statements.
    #[must_use]
    pub fn find_remaining_blockers(&self, victims: &[u64]) -> Vec<RemainingBlocker> {
        let victim_parties: BTreeSet<WaitParticipant> = victims.iter().copied().map(WaitParticipant::Session).collect();
        let mut waiting: BTreeMap<WaitParticipant, usize> = BTreeMap::new();
        for &victim in &victim_parties {
            for root in self.find_root_blockers(victim) {
                // Killing one member is sufficient to break a cycle.
                if root.parties.iter().any(|party| victim_parties.contains(party)) {
                    continue;
                }
                for &party in &root.parties {
                    *waiting.entry(party).or_default() += 1;
                }
            }
        }
        let mut blockers: Vec<RemainingBlocker> = waiting
            .into_iter()
            .map(|(party, waiting)| {
                let facts = self.participant_detail(party);
                let session = facts.and_then(|facts| facts.session.as_ref());
                RemainingBlocker {
                    party,
                    account: session.map(|one| {
                        format!("{}@{}", bytes_to_single_line(&one.user), bytes_to_single_line(one.host_without_port()))
                    }),
                    idle_seconds: session
                        .filter(|_| facts.is_some_and(super::graph::ParticipantDetail::is_idle))
                        .map(|one| one.seconds),
                    waiting,
                    victims: victim_parties.len(),
                }
            })
            .collect();
        blockers.sort_by_key(|blocker| std::cmp::Reverse(blocker.waiting));
        blockers
    }
}

impl RemainingBlocker {
    /// Formats a warning about a blocker that blocks sessions selected for a kill but is not selected itself.
    #[must_use]
    pub fn format_warning(&self, language: Language) -> String {
        let Self { waiting, victims, .. } = self;
        match language {
            Language::EnUs => {
                let mut blocker = self.party.to_string();
                if let Some(account) = &self.account {
                    blocker.extend([", ", account.as_str()]);
                }
                if let Some(seconds) = self.idle_seconds {
                    blocker.extend([", idle for ", &*super::display::format_duration(seconds)]);
                }
                format!("{waiting} of {victims} wait for {blocker}, which is not among the victims")
            }
            Language::ZhCn => {
                let mut blocker = match self.party {
                    WaitParticipant::Session(id) => format!("会话 {id}"),
                    WaitParticipant::Transaction(id) => format!("无会话的事务 {id}"),
                };
                let mut details: Vec<String> = self.account.iter().cloned().collect();
                details.extend(self.idle_seconds.map(|seconds| format!("空闲 {seconds} 秒")));
                if !details.is_empty() {
                    blocker.extend(["（", details.join("，").as_str(), "）"]);
                }
                format!("{victims} 个待 Kill 会话中有 {waiting} 个在等待{blocker}，而该阻塞源不在待 Kill 会话中")
            }
        }
    }
}
