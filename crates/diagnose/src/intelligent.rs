//! Intelligent kill: which groups of sessions weigh most on a server (spec sections 2.4 to 2.7).
//!
//! The preview and the kill ask the same function, so that nobody is killed whom the preview would not show at that moment.
//! `docs/decisions/0011-intelligent-kill.md` says what the spec leaves open.

mod keyword;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use clew_model::{Session, SlowThreshold};

use crate::internal::{ProtectedAccounts, may_be_killed};
use crate::template::template;

/// Groups that each ranking chooses.
const BEST: usize = 3;
/// Commands of a session that runs a statement.
const RUNNING: [&[u8]; 2] = [b"Query", b"Execute"];

/// By what groups are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// By their longest session.
    Time,
    /// By how many sessions they have.
    Count,
    /// By the mean time of their sessions.
    AverageTime,
}

impl Strategy {
    /// All of them, in the order of the preview.
    pub const ALL: [Self; 3] = [Self::Time, Self::Count, Self::AverageTime];

    /// As it stands in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "top3_time",
            Self::Count => "top3_count",
            Self::AverageTime => "top3_avg_time",
        }
    }
}

/// Sessions that run the same statement, but for its literals. There is always at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionGroup {
    /// Template of the statement.
    pub template: Vec<u8>,
    /// By id.
    pub sessions: Vec<Session>,
}

impl SessionGroup {
    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.sessions.len() as u64
    }

    /// Seconds of all of them together.
    #[must_use]
    pub fn total_seconds(&self) -> u64 {
        self.sessions.iter().map(|session| session.seconds).sum()
    }

    /// Seconds of the longest.
    #[must_use]
    pub fn longest_seconds(&self) -> u64 {
        self.sessions.iter().map(|session| session.seconds).max().unwrap_or_default()
    }

    /// The template's words, joined by `~`: a throttling pattern that hits the first session's statement (spec section 2.10). Nothing where the
    /// template has no word that may stand in one.
    #[must_use]
    pub fn keyword(&self) -> Option<String> {
        let first = self.sessions.first().and_then(|session| session.statement.as_deref());
        keyword::of(&self.template, first.unwrap_or_default())
    }

    /// Mean seconds, times a million: whole, so that groups which are alike are alike.
    fn mean_micros(&self) -> u128 {
        u128::from(self.total_seconds()) * 1_000_000 / u128::from(self.count().max(1))
    }
}

/// The groups that an intelligent kill chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    groups: Vec<SessionGroup>,
    /// Which groups each ranking chooses, the best first.
    best: Vec<(Strategy, Vec<usize>)>,
}

impl Chosen {
    /// What an intelligent kill chooses of these sessions. Who qualifies: sessions of users that run a statement and have done so for
    /// the threshold or longer, and whose account is not protected. Whoever knows Clew's own sessions leaves them out before.
    ///
    /// Groups that are alike in a ranking come by their total time, then by their template.
    #[must_use]
    pub fn of(sessions: Vec<Session>, threshold: SlowThreshold, protected: &ProtectedAccounts) -> Self {
        let mut by_template: BTreeMap<Vec<u8>, Vec<Session>> = BTreeMap::new();
        for session in sessions {
            if let Some(template) = qualifying(&session, threshold, protected) {
                by_template.entry(template).or_default().push(session);
            }
        }
        let group = |(template, mut sessions): (Vec<u8>, Vec<Session>)| {
            sessions.sort_by_key(|session| session.id);
            SessionGroup { template, sessions }
        };
        let groups: Vec<SessionGroup> = by_template.into_iter().map(group).collect();
        let best = Strategy::ALL.map(|strategy| (strategy, best(&groups, strategy))).into();
        Self { groups, best }
    }

    /// The best groups of each ranking, the best first. A group that several rankings choose is there once for each.
    pub fn entries(&self) -> impl Iterator<Item = (Strategy, &SessionGroup)> {
        let of = |at: &usize| self.groups.get(*at);
        self.best.iter().flat_map(move |(strategy, best)| best.iter().filter_map(of).map(|group| (*strategy, group)))
    }

    /// Every session of these groups, once, by id.
    #[must_use]
    pub fn into_victims(self) -> Vec<Session> {
        let chosen: BTreeSet<usize> = self.best.iter().flat_map(|(_, best)| best).copied().collect();
        let groups = self.groups.into_iter().enumerate().filter(|(at, _)| chosen.contains(at));
        let mut victims: Vec<Session> = groups.flat_map(|(_, group)| group.sessions).collect();
        victims.sort_by_key(|session| session.id);
        victims
    }
}

/// The template of what a session runs, if it may be chosen. What shows no statement belongs to no group.
fn qualifying(session: &Session, threshold: SlowThreshold, protected: &ProtectedAccounts) -> Option<Vec<u8>> {
    let runs = RUNNING.iter().any(|command| session.command.eq_ignore_ascii_case(command));
    if !runs || session.seconds < threshold.seconds() || !may_be_killed(session, protected) {
        return None;
    }
    Some(template(session.statement.as_deref()?)).filter(|template| !template.is_empty())
}

fn best(groups: &[SessionGroup], strategy: Strategy) -> Vec<usize> {
    let weight = |group: &SessionGroup| match strategy {
        Strategy::Time => u128::from(group.longest_seconds()),
        Strategy::Count => u128::from(group.count()),
        Strategy::AverageTime => group.mean_micros(),
    };
    // Groups stand by their templates, and the sort keeps that among those that are alike.
    let mut order: Vec<(usize, &SessionGroup)> = groups.iter().enumerate().collect();
    order.sort_by_key(|(_, group)| Reverse((weight(group), group.total_seconds())));
    order.into_iter().take(BEST).map(|(at, _)| at).collect()
}
