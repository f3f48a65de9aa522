//! What is said before the kill, and after it.

use std::fmt::Write as _;

use clew_diagnose::clean;
use clew_diagnose::terminal::{cut, one_line};
use clew_model::{Session, Transaction};
use clew_mysql::{KillKind, KillOutcome};
use serde_json::{Value, json};

use super::Outcomes;
use super::preview::{Chosen, Costs};
use crate::output::joined;

/// Bytes of a statement that one line can show.
const STATEMENT_SHOWN: usize = 4 << 10;

/// A kill, as it is told.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) address: String,
    pub(super) kind: KillKind,
    pub(super) reason: String,
    pub(super) chosen: Chosen,
}

impl Report {
    /// What would end, what that costs, and the risk.
    pub(super) fn preview(&self, width: usize) -> String {
        let mut text = String::new();
        for session in &self.chosen.sessions {
            self.describe(&mut text, session, width);
        }
        for id in self.chosen.gone() {
            let _ = writeln!(text, "session {id}: already gone\n");
        }
        if self.chosen.sessions.is_empty() {
            return text + "There is nothing to end.\n";
        }
        if let Some(costs) = &self.chosen.costs {
            text.push_str(&costs.notes);
        }
        text + match self.kind {
            KillKind::Connection => {
                "An open transaction is rolled back with its session. That can take as long as\n\
                 the changes took, cannot be undone, and its locks stay until it is done.\n"
            }
            KillKind::Query => {
                "The statement ends, and what it changed so far is rolled back. The session, its\n\
                 transaction and its locks stay.\n"
            }
        }
    }

    fn describe(&self, text: &mut String, session: &Session, width: usize) {
        let on = session.database.as_deref().map_or(String::new(), |name| format!(" on {}", one_line(name)));
        let (user, host) = (one_line(&session.user), one_line(&session.host));
        let head = format!("session {}, {user}@{host}{on}, {}", session.id, doing(session));
        let _ = writeln!(text, "{}", cut(&head, width));
        if let Some(statement) = &session.statement {
            let start = statement.get(..STATEMENT_SHOWN).unwrap_or(statement);
            let _ = writeln!(text, "{}", cut(&format!("  runs: {}", one_line(start)), width));
        }
        if let Some(costs) = &self.chosen.costs {
            let _ = writeln!(text, "  {}", self.rollback(costs, session.id));
            match costs.holds_up.get(&session.id) {
                Some(1) => text.push_str("  holds up 1 session\n"),
                Some(many) => {
                    let _ = writeln!(text, "  holds up {many} sessions");
                }
                None => {}
            }
        }
        text.push('\n');
    }

    fn rollback(&self, costs: &Costs, id: u64) -> String {
        let Some(transactions) = &costs.transactions else {
            return "whether it has changed anything cannot be seen".to_owned();
        };
        match transactions.get(&id) {
            None => "no open transaction".to_owned(),
            Some(open) if open.rows_modified == 0 => {
                format!("transaction open for {} s, nothing changed", open.seconds)
            }
            Some(open) => {
                let (seconds, rows) = (open.seconds, open.rows_modified);
                let fate = if self.kind == KillKind::Connection { ": they are rolled back" } else { "" };
                format!("transaction open for {seconds} s, {rows} rows changed{fate}")
            }
        }
    }

    /// What the answer to "go on?" is about.
    pub(super) fn question(&self) -> String {
        let what = match (self.kind, self.chosen.sessions.len()) {
            (KillKind::Connection, 1) => "end 1 session".to_owned(),
            (KillKind::Connection, many) => format!("end {many} sessions"),
            (KillKind::Query, 1) => "end what 1 session runs".to_owned(),
            (KillKind::Query, many) => format!("end what {many} sessions run"),
        };
        format!("{what} on {}", self.address)
    }

    /// What became of everybody who was typed: those who were gone before, too.
    pub(super) fn of_all(&self, outcomes: &[(u64, KillOutcome)]) -> Outcomes {
        let outcome = |id: u64| outcomes.iter().find(|(known, _)| *known == id).map(|(_, outcome)| outcome.clone());
        self.chosen.ids.iter().map(|&id| (id, outcome(id).unwrap_or(KillOutcome::AlreadyGone))).collect()
    }

    /// The same for scripts; without outcomes, what would be ended.
    pub(super) fn json(&self, outcomes: Option<&Outcomes>) -> Value {
        let one = |id: &u64| {
            let session = self.chosen.sessions.iter().find(|session| session.id == *id);
            let known = session.map_or_else(|| json!({ "session_id": id }), |session| self.fields(session));
            let outcome =
                outcomes.and_then(|all| all.iter().find(|(known, _)| known == id).map(|(_, outcome)| outcome));
            let end = outcome.map_or_else(
                || json!({}),
                |outcome| json!({ "outcome": outcome.name(), "detail": outcome.to_string() }),
            );
            joined(joined(known, json!({ "there": session.is_some() })), end)
        };
        json!({
            "server": self.address, "kind": self.kind.name(), "reason": self.reason, "dry_run": outcomes.is_none(),
            "sessions": self.chosen.ids.iter().map(one).collect::<Vec<_>>(),
        })
    }

    fn fields(&self, session: &Session) -> Value {
        let text = |text: &Option<Vec<u8>>| text.as_deref().map(clean);
        let known = json!({
            "session_id": session.id, "user": clean(&session.user), "host": clean(&session.host),
            "db": text(&session.database), "command": clean(&session.command), "seconds": session.seconds,
            "state": text(&session.state), "statement": text(&session.statement),
        });
        let Some(costs) = &self.chosen.costs else { return known };
        let open = costs.transactions.as_ref().and_then(|all| all.get(&session.id));
        let costs = json!({
            "transactions_seen": costs.transactions.is_some(), "transaction": open.map_or(Value::Null, transaction),
            "holds_up": costs.holds_up.get(&session.id).copied().unwrap_or(0),
        });
        joined(known, costs)
    }
}

fn transaction(open: &Transaction) -> Value {
    json!({
        "state": open.state, "seconds": open.seconds, "rows_locked": open.rows_locked, "rows_modified": open.rows_modified,
    })
}

/// A line for each.
pub(super) fn table(outcomes: &[(u64, KillOutcome)]) -> String {
    let mut text = String::new();
    for (id, outcome) in outcomes {
        let _ = writeln!(text, "session {id}: {outcome}");
    }
    text
}

fn doing(session: &Session) -> String {
    let state = one_line(session.state.as_deref().unwrap_or_default());
    let state = if state.is_empty() { state } else { format!(" ({state})") };
    format!("{}{state} for {} s", one_line(&session.command), session.seconds)
}
