//! Intelligent kill: selects the groups of sessions that load a server most (spec sections 2.4 to 2.7).
//!
//! The preview and the kill call the same function.
//! So a kill ends only sessions that a preview at the same moment would list.
//! `docs/decisions/0011-intelligent-kill.md` documents the choices that the spec leaves open.

mod throttling_pattern;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use clew_model::{Session, SlowThreshold};

use crate::protected_accounts::{ProtectedAccounts, is_killable};
use crate::template::template;

/// Number of groups that each ranking selects.
const GROUPS_PER_RANKING: usize = 3;
/// Commands of sessions that execute a statement.
const STATEMENT_COMMANDS: [&[u8]; 2] = [b"Query", b"Execute"];

/// Ranking criterion of session groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RankingStrategy {
    /// Longest session of the group.
    Time,
    /// Number of sessions.
    Count,
    /// Mean duration of the sessions.
    AverageTime,
}

impl RankingStrategy {
    /// All strategies, in the order of the preview.
    pub const ALL: [Self; 3] = [Self::Time, Self::Count, Self::AverageTime];

    /// Name in API responses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "top3_time",
            Self::Count => "top3_count",
            Self::AverageTime => "top3_avg_time",
        }
    }
}

/// Sessions that execute the same statement with different literals. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionGroup {
    /// Template of the statement.
    pub template: Vec<u8>,
    /// Sessions of the group, sorted by id.
    pub sessions: Vec<Session>,
}

impl SessionGroup {
    /// Number of sessions.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.sessions.len() as u64
    }

    /// Sum of the durations of all sessions, in seconds.
    #[must_use]
    pub fn total_seconds(&self) -> u64 {
        self.sessions.iter().map(|session| session.seconds).sum()
    }

    /// Duration of the longest session, in seconds.
    #[must_use]
    pub fn max_seconds(&self) -> u64 {
        self.sessions.iter().map(|session| session.seconds).max().unwrap_or_default()
    }

    /// Throttling pattern for the statement: words of the template, joined by `~` (spec section 2.10).
    ///
    /// The pattern matches the statement of the first session.
    /// `None` if the template has no word that is valid in a pattern.
    #[must_use]
    pub fn throttling_pattern(&self) -> Option<String> {
        let first = self.sessions.first().and_then(|session| session.statement.as_deref());
        throttling_pattern::build_pattern(&self.template, first.unwrap_or_default())
    }

    /// Mean duration in microseconds; an integer, so that equal groups compare as equal.
    fn mean_micros(&self) -> u128 {
        u128::from(self.total_seconds()) * 1_000_000 / u128::from(self.count().max(1))
    }
}

/// Groups that an intelligent kill selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillPlan {
    groups: Vec<SessionGroup>,
    /// Indexes of the groups that each ranking selects, best first.
    rankings: Vec<(RankingStrategy, Vec<usize>)>,
}

impl KillPlan {
    /// Selects the groups that an intelligent kill ends.
    ///
    /// A session qualifies if it has executed a statement for at least `threshold`.
    /// Internal sessions and sessions of protected accounts never qualify.
    /// The caller removes Clew's own sessions first.
    ///
    /// Groups with equal rank are ordered by total time (descending), then by template.
    #[must_use]
    pub fn select(sessions: Vec<Session>, threshold: SlowThreshold, protected: &ProtectedAccounts) -> Self {
        let mut by_template: BTreeMap<Vec<u8>, Vec<Session>> = BTreeMap::new();
        for session in sessions {
            if let Some(template) = qualifying_template(&session, threshold, protected) {
                by_template.entry(template).or_default().push(session);
            }
        }
        let group = |(template, mut sessions): (Vec<u8>, Vec<Session>)| {
            sessions.sort_by_key(|session| session.id);
            SessionGroup { template, sessions }
        };
        let groups: Vec<SessionGroup> = by_template.into_iter().map(group).collect();
        let rankings = RankingStrategy::ALL.map(|strategy| (strategy, best_groups(&groups, strategy))).into();
        Self { groups, rankings }
    }

    /// Best groups of each ranking, best first. A group that several rankings select occurs once for each of them.
    pub fn entries(&self) -> impl Iterator<Item = (RankingStrategy, &SessionGroup)> {
        let group_at = |at: &usize| self.groups.get(*at);
        self.rankings
            .iter()
            .flat_map(move |(strategy, best)| best.iter().filter_map(group_at).map(|group| (*strategy, group)))
    }

    /// All sessions of the selected groups, without duplicates, sorted by id.
    #[must_use]
    pub fn into_victims(self) -> Vec<Session> {
        let chosen: BTreeSet<usize> = self.rankings.iter().flat_map(|(_, best)| best).copied().collect();
        let groups = self.groups.into_iter().enumerate().filter(|(at, _)| chosen.contains(at));
        let mut victims: Vec<Session> = groups.flat_map(|(_, group)| group.sessions).collect();
        victims.sort_by_key(|session| session.id);
        victims
    }
}

/// Template of a session's statement, if the session qualifies. A session without a statement is in no group.
fn qualifying_template(session: &Session, threshold: SlowThreshold, protected: &ProtectedAccounts) -> Option<Vec<u8>> {
    let is_executing = STATEMENT_COMMANDS.iter().any(|command| session.command.eq_ignore_ascii_case(command));
    if !is_executing || session.seconds < threshold.seconds() || !is_killable(session, protected) {
        return None;
    }
    Some(template(session.statement.as_deref()?)).filter(|template| !template.is_empty())
}

fn best_groups(groups: &[SessionGroup], strategy: RankingStrategy) -> Vec<usize> {
    let weight = |group: &SessionGroup| match strategy {
        RankingStrategy::Time => u128::from(group.max_seconds()),
        RankingStrategy::Count => u128::from(group.count()),
        RankingStrategy::AverageTime => group.mean_micros(),
    };
    // The groups are sorted by template; a stable sort keeps that order for groups of equal rank.
    let mut order: Vec<(usize, &SessionGroup)> = groups.iter().enumerate().collect();
    order.sort_by_key(|(_, group)| Reverse((weight(group), group.total_seconds())));
    order.into_iter().take(GROUPS_PER_RANKING).map(|(at, _)| at).collect()
}
