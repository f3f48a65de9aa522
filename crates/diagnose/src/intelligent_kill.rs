//! Selects the sessions that an intelligent kill terminates (TaurusDB API spec, sections 2.4 to 2.7).
//!
//! Intelligent kills and their previews both use this module to select sessions.
//! See `docs/decisions/0011-intelligent-kill.md` for behavior that the TaurusDB API spec leaves undefined.

mod throttling_pattern;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use clew_model::{Session, SlowSessionThreshold};

use crate::protected_accounts::{ProtectedAccounts, is_killable_session};
use crate::template::build_statement_template;

const SESSION_GROUPS_PER_RANKING: usize = 3;
const STATEMENT_EXECUTION_COMMANDS: [&[u8]; 2] = [b"Query", b"Execute"];

clew_model::named_enum! {
    /// Criterion for ranking the session groups of an intelligent kill. Previews use the order of the enum variants.
    #[derive(PartialOrd, Ord)]
    pub enum RankingStrategy {
        /// Duration of the longest-running statement in the group.
        Time = "top3_time",
        /// Number of sessions in the group.
        Count = "top3_count",
        /// Mean statement duration in the group.
        AverageTime = "top3_avg_time",
    }
}

/// Non-empty group of sessions whose running statements have the same template (normalized statement without literals).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionGroup {
    /// Statement template.
    pub template: Vec<u8>,
    /// Sessions of the group, sorted by id.
    pub sessions: Vec<Session>,
}

impl SessionGroup {
    /// Returns the number of sessions.
    #[must_use]
    pub fn session_count(&self) -> u64 {
        self.sessions.len() as u64
    }

    /// Returns the total duration of all running statements in the group, in seconds.
    #[must_use]
    pub fn total_statement_seconds(&self) -> u64 {
        self.sessions.iter().map(|session| session.seconds).sum()
    }

    /// Returns the duration of the longest-running statement in the group, in seconds.
    #[must_use]
    pub fn longest_statement_seconds(&self) -> u64 {
        self.sessions.iter().map(|session| session.seconds).max().unwrap_or_default()
    }

    /// Returns the SQL throttling pattern of the session group: words joined by `~` (TaurusDB API spec, section 2.10).
    ///
    /// The throttling pattern is built from the statement of the session with the lowest id in the group.
    /// Returns `None` if no word of the SQL template can be used in a throttling pattern.
    #[must_use]
    pub fn throttling_pattern(&self) -> Option<String> {
        let first = self.sessions.first().and_then(|session| session.statement.as_deref());
        throttling_pattern::build_throttling_pattern(&self.template, first.unwrap_or_default())
    }

    /// Uses integer microseconds, because `f64` does not implement `Ord`.
    fn mean_statement_micros(&self) -> u128 {
        u128::from(self.total_statement_seconds()) * 1_000_000 / u128::from(self.session_count().max(1))
    }
}

/// Plan of an intelligent kill: the session groups that each ranking strategy selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntelligentKillPlan {
    groups: Vec<SessionGroup>,
    /// For each ranking strategy, the indexes of the selected session groups in `groups`, highest-ranked first.
    rankings: Vec<(RankingStrategy, Vec<usize>)>,
}

impl IntelligentKillPlan {
    /// Groups sessions by SQL template and selects the highest-ranked groups for each ranking strategy.
    ///
    /// The plan contains only sessions whose statement has been running for at least `threshold`.
    /// The kill plan excludes internal sessions and sessions of protected accounts.
    /// The caller must exclude Clew's own sessions from `sessions`.
    ///
    /// Session groups with equal rank are sorted by total statement duration (descending), then by SQL template.
    #[must_use]
    pub fn from_sessions(
        sessions: Vec<Session>,
        threshold: SlowSessionThreshold,
        protected: &ProtectedAccounts,
    ) -> Self {
        let mut by_template: BTreeMap<Vec<u8>, Vec<Session>> = BTreeMap::new();
        for session in sessions {
            if let Some(template) = build_template_if_kill_candidate(&session, threshold, protected) {
                by_template.entry(template).or_default().push(session);
            }
        }
        let group = |(template, mut sessions): (Vec<u8>, Vec<Session>)| {
            sessions.sort_by_key(|session| session.id);
            SessionGroup { template, sessions }
        };
        let groups: Vec<SessionGroup> = by_template.into_iter().map(group).collect();
        let rankings =
            RankingStrategy::ALL.map(|strategy| (strategy, find_top_session_groups(&groups, strategy))).into();
        Self { groups, rankings }
    }

    /// Returns the session groups that each ranking strategy selects, highest-ranked group first.
    ///
    /// If several ranking strategies select the same session group, the group is returned once for each strategy.
    pub fn ranked_session_groups(&self) -> impl Iterator<Item = (RankingStrategy, &SessionGroup)> {
        let group_at = |at: &usize| self.groups.get(*at);
        self.rankings
            .iter()
            .flat_map(move |(strategy, best)| best.iter().filter_map(group_at).map(|group| (*strategy, group)))
    }

    /// Returns the sessions of all selected groups without duplicates, sorted by id.
    #[must_use]
    pub fn into_selected_sessions(self) -> Vec<Session> {
        let selected: BTreeSet<usize> = self.rankings.iter().flat_map(|(_, best)| best).copied().collect();
        let groups = self.groups.into_iter().enumerate().filter(|(at, _)| selected.contains(at));
        let mut victims: Vec<Session> = groups.flat_map(|(_, group)| group.sessions).collect();
        victims.sort_by_key(|session| session.id);
        victims
    }
}

fn build_template_if_kill_candidate(
    session: &Session,
    threshold: SlowSessionThreshold,
    protected: &ProtectedAccounts,
) -> Option<Vec<u8>> {
    let is_executing = STATEMENT_EXECUTION_COMMANDS.iter().any(|command| session.command.eq_ignore_ascii_case(command));
    if !is_executing || session.seconds < threshold.seconds() || !is_killable_session(session, protected) {
        return None;
    }
    Some(build_statement_template(session.statement.as_deref()?)).filter(|template| !template.is_empty())
}

fn find_top_session_groups(groups: &[SessionGroup], strategy: RankingStrategy) -> Vec<usize> {
    let weight = |group: &SessionGroup| match strategy {
        RankingStrategy::Time => u128::from(group.longest_statement_seconds()),
        RankingStrategy::Count => u128::from(group.session_count()),
        RankingStrategy::AverageTime => group.mean_statement_micros(),
    };
    // A stable sort keeps groups of equal rank sorted by template.
    let mut order: Vec<(usize, &SessionGroup)> = groups.iter().enumerate().collect();
    order.sort_by_key(|(_, group)| Reverse((weight(group), group.total_statement_seconds())));
    order.into_iter().take(SESSION_GROUPS_PER_RANKING).map(|(at, _)| at).collect()
}
