//! What is said before the kill, and after it.

use std::fmt::Write as _;

use clew_diagnose::KillRisk;
use clew_diagnose::clean;
use clew_diagnose::terminal::{columns, cut, one_line};
use clew_model::{Failure, Session, Transaction};
use clew_mysql::{KillEffect, KillKind, KillOutcome};
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
            for warning in &costs.warnings {
                text.push_str(&wrapped("warning: ", warning, width));
            }
            text.push_str(&costs.notes);
        }
        text + match self.kind {
            KillKind::Connection => {
                "An open transaction is rolled back with its session, in tables whose engine has\n\
                 transactions. That can take as long as the changes took, cannot be undone, and\n\
                 its locks stay until it is done.\n"
            }
            KillKind::Query => {
                "The statement ends, and what it changed so far is rolled back, in tables whose\n\
                 engine has transactions. The session, its transaction and its locks stay.\n"
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
            for risk in self.risks(costs, session.id) {
                text.push_str(&wrapped("  risk: ", &risk.to_string(), width));
            }
        }
        text.push('\n');
    }

    fn risks<'c>(&self, costs: &'c Costs, id: u64) -> impl Iterator<Item = &'c KillRisk> {
        let kind = self.kind;
        let applies = move |risk: &&KillRisk| kind == KillKind::Connection || risk.applies_to_statement();
        costs.risks.get(&id).into_iter().flatten().filter(applies)
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
    pub(super) fn json(&self, done: Option<(&Outcomes, Option<&Result<KillEffect, Failure>>)>) -> Value {
        let (outcomes, effect) = done.map_or((None, None), |(outcomes, effect)| (Some(outcomes), effect));
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
        let effect = match effect {
            None => Value::Null,
            Some(Ok(effect)) => json!({
                "rows_rolled_back": effect.rows_rolled_back, "unblocked": effect.unblocked,
                "still_waiting": effect.still_waiting, "unknown": null,
            }),
            Some(Err(failure)) => json!({
                "rows_rolled_back": null, "unblocked": [], "still_waiting": [], "unknown": failure.to_string(),
            }),
        };
        let warnings = self.chosen.costs.as_ref().map(|costs| costs.warnings.as_slice()).unwrap_or_default();
        json!({
            "effect": effect, "warnings": warnings,
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
            "risks": self.risks(costs, session.id)
                .map(|risk| json!({ "kind": risk.kind(), "message": risk.to_string(), "unsafe": risk.is_unsafe() }))
                .collect::<Vec<_>>(),
        });
        joined(known, costs)
    }
}

fn transaction(open: &Transaction) -> Value {
    json!({
        "state": open.state, "seconds": open.seconds, "rows_locked": open.rows_locked, "rows_modified": open.rows_modified,
    })
}

/// A line for each session, and the effect on others.
pub(super) fn table(outcomes: &[(u64, KillOutcome)], effect: Option<&Result<KillEffect, Failure>>) -> String {
    let mut text = String::new();
    for (id, outcome) in outcomes {
        // A state of the server may be a part of it.
        let _ = writeln!(text, "session {id}: {}", one_line(outcome.to_string().as_bytes()));
    }
    match effect {
        None => {}
        Some(Ok(effect)) => text.push_str(&described(effect)),
        Some(Err(failure)) => {
            let _ = writeln!(text, "effect unknown: {failure}");
        }
    }
    text
}

/// `1 row rolled back; 2 sessions unblocked, 1 still waits`.
fn described(effect: &KillEffect) -> String {
    let count =
        |count: u64, one: &str, many: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {many}") };
    let rows = match effect.rows_rolled_back {
        Some(rows) => count(rows, "row rolled back", "rows rolled back"),
        None => "rolled back rows cannot be seen".to_owned(),
    };
    let unblocked = count(effect.unblocked.len() as u64, "session unblocked", "sessions unblocked");
    let waiting = match effect.still_waiting.len() as u64 {
        0 => String::new(),
        waiting => format!(", {}", count(waiting, "still waits", "still wait")),
    };
    format!("{rows}; {unblocked}{waiting}\n")
}

/// A text of words in lines of this width, which begin below each other behind the label.
fn wrapped(label: &str, words: &str, width: usize) -> String {
    let mut text = label.to_owned();
    let mut used = columns(label);
    let mut is_first = true;
    for word in words.split(' ') {
        if !is_first && used + 1 + columns(word) > width {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', columns(label)));
            used = columns(label);
        } else if !is_first {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += columns(word);
        is_first = false;
    }
    text.push('\n');
    text
}

fn doing(session: &Session) -> String {
    let state = one_line(session.state.as_deref().unwrap_or_default());
    let state = if state.is_empty() { state } else { format!(" ({state})") };
    format!("{}{state} for {} s", one_line(&session.command), session.seconds)
}
