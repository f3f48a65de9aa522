//! Waits that no table of the server lists: for a flushed table, and for tables that their engine locks as a whole. Who uses the
//! table shows in its metadata locks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::found::{Edges, Reason};
use crate::waits::graph::{Party, Resource, ResourceKind};
use crate::waits::lookup::Lookup;
use crate::waits::metadata::{LockStatus, MetadataKind, MetadataMode, MetadataObject};
use crate::waits::observed::{SessionFacts, SessionRole};
use crate::waits::state::StateWait;
use crate::waits::statement::{Flushed, Statement};

type Holders<'a> = HashMap<&'a MetadataObject, Vec<(u64, MetadataMode)>>;

pub(super) fn add(edges: &mut Edges, lookup: &Lookup<'_>) {
    let waits = |wait: &StateWait| matches!(wait, StateWait::TableFlush | StateWait::TableLevelLock);
    if !lookup.states.values().any(waits) {
        return;
    }
    let holders = holders(lookup);
    let own = own_tables(&holders);
    for (&session, wait) in lookup.states.iter().filter(|(_, wait)| waits(wait)) {
        let Some(facts) = lookup.sessions.get(&session) else { continue };
        let own = own.get(&session).map(Vec::as_slice).unwrap_or_default();
        match wait {
            StateWait::TableFlush => flush(edges, lookup, &holders, facts, own),
            _ => table_level(edges, lookup, &holders, facts, own),
        }
    }
}

/// Held locks on tables, by table.
fn holders<'a>(lookup: &Lookup<'a>) -> Holders<'a> {
    let mut holders = Holders::new();
    for lock in &lookup.observed.metadata_locks {
        if let (MetadataKind::Table, LockStatus::Granted, Some(session)) =
            (&lock.object.kind, lock.status, lock.session)
        {
            holders.entry(&lock.object).or_default().push((session, lock.mode));
        }
    }
    holders
}

fn own_tables<'a>(holders: &Holders<'a>) -> HashMap<u64, Vec<&'a MetadataObject>> {
    let mut own: HashMap<u64, Vec<&MetadataObject>> = HashMap::new();
    for (&object, locks) in holders {
        let sessions: HashSet<u64> = locks.iter().map(|&(session, _)| session).collect();
        for session in sessions {
            own.entry(session).or_default().push(object);
        }
    }
    own
}

/// A flush waits until every statement that runs has closed its tables, and for `LOCK TABLES`; so does whoever opens a flushed
/// table anew. An open transaction that is idle keeps no table open.
fn flush(
    edges: &mut Edges,
    lookup: &Lookup<'_>,
    holders: &Holders<'_>,
    waiter: &SessionFacts,
    own: &[&MetadataObject],
) {
    let statement =
        waiter.session.statement.as_deref().map(|text| Statement::new(text, waiter.session.database.as_deref()));
    let flushed = statement.and_then(|statement| statement.flushed());
    let is_meant = |object: &MetadataObject| match &flushed {
        Some(Flushed::All) => true,
        Some(Flushed::Named(tables)) => tables.iter().any(|(schema, table)| is_table(object, schema.as_deref(), table)),
        None => own.contains(&object),
    };
    let kept_open = |session: u64, mode: MetadataMode| {
        let locked_tables = matches!(mode, MetadataMode::SharedReadOnly | MetadataMode::SharedNoReadWrite);
        (locked_tables || is_running(lookup, session)) && lookup.states.get(&session) != Some(&StateWait::TableFlush)
    };
    for (object, locks) in holders.iter().filter(|(object, _)| is_meant(object)) {
        let on = Arc::new(resource(ResourceKind::TableFlush, object));
        for &(session, mode) in locks.iter().filter(|&&(session, mode)| kept_open(session, mode)) {
            let reason = Reason {
                on: on.clone(),
                wanted: "FLUSH".into(),
                held: Some(mode.name().into()),
                strength: mode as usize,
                queued: false,
                inferred: true,
                seconds: lookup.seconds(waiter.session.id),
            };
            edges.add(Party::Session(waiter.session.id), Party::Session(session), reason);
        }
    }
}

/// Writers exclude each other and readers. Whoever waits for a table lock itself holds none; if nobody runs, an idle session has
/// `LOCK TABLES`.
fn table_level(
    edges: &mut Edges,
    lookup: &Lookup<'_>,
    holders: &Holders<'_>,
    waiter: &SessionFacts,
    own: &[&MetadataObject],
) {
    let id = waiter.session.id;
    for &object in own {
        let locks = holders.get(object).map(Vec::as_slice).unwrap_or_default();
        let writes = locks.iter().any(|&(session, mode)| session == id && is_write(mode));
        let others = locks.iter().filter(|&&(session, mode)| {
            session != id
                && (writes || is_write(mode))
                && lookup.states.get(&session) != Some(&StateWait::TableLevelLock)
        });
        let (running, idle): (Vec<_>, Vec<_>) = others.partition(|(session, _)| is_running(lookup, *session));
        let on = Arc::new(resource(ResourceKind::TableLevelLock, object));
        for &(session, mode) in if running.is_empty() { idle } else { running } {
            let reason = Reason {
                on: on.clone(),
                wanted: if writes { "WRITE" } else { "READ" }.into(),
                held: Some(if is_write(mode) { "WRITE" } else { "READ" }.into()),
                strength: mode as usize,
                queued: false,
                inferred: true,
                seconds: lookup.seconds(id),
            };
            edges.add(Party::Session(id), Party::Session(session), reason);
        }
    }
}

fn is_table(object: &MetadataObject, schema: Option<&str>, table: &str) -> bool {
    let same = |left: Option<&str>, right: &str| left.is_some_and(|left| left.eq_ignore_ascii_case(right));
    same(object.name.as_deref(), table) && schema.is_none_or(|schema| same(object.schema.as_deref(), schema))
}

fn is_write(mode: MetadataMode) -> bool {
    use MetadataMode::{Exclusive, SharedNoReadWrite, SharedNoWrite, SharedWrite, SharedWriteLowPrio};
    matches!(mode, SharedWrite | SharedWriteLowPrio | SharedNoWrite | SharedNoReadWrite | Exclusive)
}

/// Clew's own reads end at once and are nobody's cause.
fn is_running(lookup: &Lookup<'_>, session: u64) -> bool {
    lookup
        .sessions
        .get(&session)
        .is_some_and(|facts| facts.role != SessionRole::Clew && !facts.session.command.eq_ignore_ascii_case(b"Sleep"))
}

fn resource(kind: ResourceKind, object: &MetadataObject) -> Resource {
    Resource { kind, schema: object.schema.clone(), name: object.name.clone(), index: None, data: None }
}
