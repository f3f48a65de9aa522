//! The wait graph: who waits for whom, and who is at the root of it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use clew_model::{Limitation, Session};
use serde::Serialize;

use super::metadata::MetadataKind;
use super::observed::{SessionRole, TransactionFacts};

/// An end of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// A session, by its thread id.
    Session(u64),
    /// A transaction of no session, by its number: prepared by XA, or its session is gone.
    Transaction(u64),
}

impl Party {
    /// The session's thread id.
    #[must_use]
    pub fn session(self) -> Option<u64> {
        match self {
            Self::Session(id) => Some(id),
            Self::Transaction(_) => None,
        }
    }
}

/// Who waits for whom, joined from everything that was read. Equal for every order in which it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WaitGraph {
    /// Every wait, once for each pair, by waiter and blocker.
    pub waits: Vec<Wait>,
    /// Where the waits begin: the worst first.
    pub roots: Vec<Root>,
    /// Parties that wait for each other, whether or not somebody outside holds them all.
    pub cycles: Vec<Vec<Party>>,
    /// Everybody in the waits, in order.
    pub parties: Vec<PartyFacts>,
    /// Those of the parties that were gone when the sessions were read, or not yet there, or not to be seen.
    pub vanished: Vec<Party>,
    /// Sessions that wait by what the server says, and nobody is known for whom.
    pub unexplained: Vec<Unexplained>,
    /// What could not be read, and why.
    pub limitations: Vec<Limitation>,
}

/// One party waits for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// Who waits.
    pub waiter: Party,
    /// For whom.
    pub blocker: Party,
    /// For what.
    #[serde(serialize_with = "behind")]
    pub on: Arc<Resource>,
    /// The mode that the waiter asks for.
    pub wanted: Cow<'static, str>,
    /// The mode that stands in its way, where it is known.
    pub held: Option<Cow<'static, str>>,
    /// Whether the blocker waits for the same thing itself, and is only before the waiter in the queue.
    pub queued: bool,
    /// Whether this was concluded from the waiter's state and statement, because the server does not show its request.
    pub inferred: bool,
    /// Whole seconds since the waiter began to wait, where known.
    pub seconds: Option<u64>,
}

fn behind<S: serde::Serializer>(on: &Arc<Resource>, to: S) -> Result<S::Ok, S::Error> {
    on.as_ref().serialize(to)
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Resource {
    /// Kind of thing.
    pub kind: ResourceKind,
    /// Its schema.
    pub schema: Option<String>,
    /// Its name: of a table, a routine, a user lock.
    pub name: Option<String>,
    /// The index, for a lock on a record.
    pub index: Option<String>,
    /// The locked record, as the server prints it.
    pub data: Option<String>,
}

/// Kinds of things that are waited for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A record, or the gap before it.
    Row,
    /// A table, by InnoDB's own lock.
    InnoDbTable,
    /// A definition, a scope or a name.
    Metadata(MetadataKind),
    /// That everybody closes a table that was flushed.
    TableFlush,
    /// A table of an engine that locks tables as a whole, as MyISAM does.
    TableLevelLock,
}

/// The kind in words: `row`.
impl fmt::Display for ResourceKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row => out.write_str("row"),
            Self::InnoDbTable => out.write_str("table lock of InnoDB"),
            Self::Metadata(MetadataKind::Table) => out.write_str("table metadata"),
            Self::Metadata(kind) => kind.fmt(out),
            Self::TableFlush => out.write_str("table flush"),
            Self::TableLevelLock => out.write_str("table lock"),
        }
    }
}

/// Where waits begin: a party that waits for nobody, or a cycle whose members wait only for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Root {
    /// The root blocker; the members of the cycle.
    pub parties: Vec<Party>,
    /// How many wait for it, directly or not; in a cycle, its other members too.
    pub holds: usize,
    /// Maximum number of waiters that the end of this root unblocks: those that wait for no other root. The first of them to get the lock
    /// may block the rest.
    pub frees: usize,
    /// The longest that any of those waits, in whole seconds; 0 where unknown.
    pub longest_seconds: u64,
}

/// A party of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyFacts {
    /// Which.
    pub party: Party,
    /// The session, unless there is none or it was not to be seen.
    pub session: Option<Session>,
    /// Whose it is.
    pub role: SessionRole,
    /// Its open transaction.
    pub transaction: Option<TransactionFacts>,
    /// The latest statements of its transaction, oldest first, if it is idle and the server kept them.
    pub last_statements: Vec<Vec<u8>>,
}

/// A session that waits for nobody knows whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unexplained {
    /// The session.
    pub session: u64,
    /// What it waits for, in the server's words.
    pub state: String,
    /// Why its blocker is not known.
    pub why: String,
}

impl PartyFacts {
    /// Whether it stands in a wait, but was not among the sessions or transactions that were read.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self.party {
            Party::Session(_) => self.session.is_none(),
            Party::Transaction(_) => self.transaction.is_none(),
        }
    }

    /// The statement that its session runs.
    #[must_use]
    pub fn statement(&self) -> Option<&[u8]> {
        self.session.as_ref()?.statement.as_deref()
    }

    /// Whether it is a session that runs nothing.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.command.eq_ignore_ascii_case(b"Sleep"))
    }

    /// Whether its transaction is being undone: nothing ends that sooner.
    #[must_use]
    pub fn is_rolling_back(&self) -> bool {
        self.transaction.as_ref().is_some_and(|facts| facts.transaction.is_rolling_back())
    }
}

impl WaitGraph {
    /// What is known of a party.
    #[must_use]
    pub fn facts(&self, party: Party) -> Option<&PartyFacts> {
        let place = self.parties.binary_search_by_key(&party, |facts| facts.party).ok()?;
        self.parties.get(place)
    }

    /// For whom a party waits, and for what.
    #[must_use]
    pub fn waits_of(&self, waiter: Party) -> &[Wait] {
        let start = self.waits.partition_point(|wait| wait.waiter < waiter);
        let end = self.waits.partition_point(|wait| wait.waiter <= waiter);
        self.waits.get(start..end).unwrap_or_default()
    }

    /// The roots that a party hangs on, the worst first; none if it does not wait.
    #[must_use]
    pub fn roots_of(&self, waiter: Party) -> Vec<&Root> {
        let mut met: BTreeSet<Party> = BTreeSet::from([waiter]);
        let mut open = vec![waiter];
        while let Some(party) = open.pop() {
            open.extend(self.waits_of(party).iter().map(|wait| wait.blocker).filter(|&blocker| met.insert(blocker)));
        }
        if self.waits_of(waiter).is_empty() {
            return Vec::new();
        }
        self.roots.iter().filter(|root| root.parties.iter().any(|party| met.contains(party))).collect()
    }

    /// How many wait for a party, directly or behind others who do.
    #[must_use]
    pub fn held_up_by(&self, blocker: Party) -> usize {
        self.waiters_behind(&[blocker]).len()
    }

    /// Parties that wait for any of these, directly or behind others who do; without these themselves.
    #[must_use]
    pub fn waiters_behind(&self, blockers: &[Party]) -> BTreeSet<Party> {
        let mut waiters: HashMap<Party, Vec<Party>> = HashMap::new();
        for wait in &self.waits {
            waiters.entry(wait.blocker).or_default().push(wait.waiter);
        }
        let mut met: BTreeSet<Party> = blockers.iter().copied().collect();
        let mut open: Vec<Party> = blockers.to_vec();
        while let Some(party) = open.pop() {
            open.extend(waiters.get(&party).into_iter().flatten().filter(|waiter| met.insert(**waiter)));
        }
        for blocker in blockers {
            met.remove(blocker);
        }
        met
    }

    /// Sessions at a root that run nothing: what they ran last tells what they are about.
    #[must_use]
    pub fn idle_roots(&self) -> Vec<u64> {
        let roots = self.roots.iter().flat_map(|root| &root.parties);
        roots
            .filter(|&&party| self.facts(party).is_some_and(PartyFacts::is_idle))
            .filter_map(|party| party.session())
            .collect()
    }
}
