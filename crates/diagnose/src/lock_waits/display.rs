//! Formats waiters, blockers, lock resources and waits as text.

use std::fmt;

use super::graph::{LockWait, ParticipantDetail, WaitParticipant};
use super::lock_snapshot::{LockResource, LockResourceKind, SessionRole};
use super::metadata_locks::MetadataLockObjectKind;
use crate::terminal::bytes_to_single_line;

impl fmt::Display for WaitParticipant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(out, "session {id}"),
            Self::Transaction(id) => write!(out, "transaction {id} without a session"),
        }
    }
}

impl fmt::Display for LockResource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = [self.schema.as_deref(), self.name.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(".");
        match (&self.kind, self.data.as_deref()) {
            (LockResourceKind::Row, Some(data)) => write!(out, "row {data} of {name}")?,
            (LockResourceKind::Row, None) => write!(out, "a row of {name}")?,
            (LockResourceKind::InnoDbTable, _) => write!(out, "table {name} (InnoDB)")?,
            (LockResourceKind::Metadata(MetadataLockObjectKind::Table), _) => write!(out, "definition of {name}")?,
            (LockResourceKind::Metadata(kind), _) if name.is_empty() => kind.name().fmt(out)?,
            (LockResourceKind::Metadata(kind), _) => write!(out, "{} {name}", kind.name())?,
            (LockResourceKind::TableFlush, _) => write!(out, "flush of {name}")?,
            (LockResourceKind::TableLevelLock, _) => write!(out, "table lock of {name}")?,
        }
        self.index.as_deref().map_or(Ok(()), |index| write!(out, " ({index})"))
    }
}

/// Example output: `session 12, app@10.0.0.7, idle for 15 min`.
pub(super) fn format_wait_participant(facts: &ParticipantDetail, wait: Option<&LockWait>) -> String {
    let mut text = facts.party.to_string();
    if let Some(session) = &facts.session {
        text.extend([
            ", ",
            &*bytes_to_single_line(&session.user),
            "@",
            &*bytes_to_single_line(session.host_without_port()),
        ]);
    } else if facts.is_missing_from_snapshot() {
        text += ", not listed by the server";
    }
    match (wait.and_then(|wait| wait.seconds), &facts.session) {
        (Some(seconds), _) => text.extend([", waits ", &*format_duration(seconds)]),
        (None, Some(session)) if facts.is_idle() => text.extend([", idle for ", &*format_duration(session.seconds)]),
        (None, Some(session)) => {
            text.extend([", ", &*bytes_to_single_line(&session.command), " ", &*format_duration(session.seconds)]);
        }
        (None, None) => {}
    }
    match facts.role {
        SessionRole::User => {}
        SessionRole::Applier => text += " (replication applier)",
        SessionRole::Internal => text += " (internal)",
        SessionRole::Clew => text += " (Clew's own)",
    }
    text
}

pub(super) fn format_transaction(facts: &ParticipantDetail) -> Option<String> {
    let open = facts.transaction.as_ref()?;
    let transaction = &open.transaction;
    let mut text = format!(
        "open for {}, {} {} locked, {} changed",
        format_duration(transaction.seconds),
        transaction.rows_locked,
        if transaction.rows_locked == 1 { "row" } else { "rows" },
        transaction.rows_modified,
    );
    if facts.party.session_id().is_some() && transaction.id != 0 {
        text = format!("transaction {}, {text}", transaction.id);
    }
    if facts.is_rolling_back() {
        text += ", rolling back";
    }
    if let Some(xid) = &open.xid {
        text.extend([", XA ", &*bytes_to_single_line(xid.as_bytes())]);
    }
    Some(text)
}

/// Example output: `for row 42 of shop.orders (PRIMARY): X against S`.
pub(super) fn format_lock_wait(wait: &LockWait) -> String {
    let mut text = format!("for {}: {}", bytes_to_single_line(wait.on.to_string().as_bytes()), wait.wanted);
    match (&wait.held, wait.queued) {
        (Some(held), false) if *held == wait.wanted => {}
        (Some(held), false) => text.extend([" against ", &**held]),
        (Some(held), true) => text.extend([" behind ", &**held]),
        (None, _) => {}
    }
    if wait.inferred {
        text += " (inferred from state)";
    }
    text
}

pub(super) fn format_duration(seconds: u64) -> String {
    let two = |large: u64, name: &str, small: u64, rest: &str| match small {
        0 => format!("{large} {name}"),
        _ => format!("{large} {name} {small} {rest}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (900, "15 min"), (901, "15 min 1 s"), (7_500, "2 h 5 min"), (273_600, "3 d 4 h")]
        {
            assert_eq!(format_duration(seconds), text);
        }
    }
}
