//! Formats the output of `clew kill`: the preview, the outcome of each kill, and the measured effect.

use std::fmt::Write as _;

use clew_diagnose::KillRisk;
use clew_diagnose::bytes_to_text;
use clew_diagnose::terminal::{bytes_to_single_line, display_width, truncate_to_width};
use clew_model::{Failure, Session, Transaction};
use clew_mysql::{KillEffect, KillOutcome, KillTarget};
use serde_json::{Value, json};

use super::KillOutcomes;
use super::preview::{KillImpact, SelectedSessions};
use crate::output::merge_json_objects;

const MAX_DISPLAYED_STATEMENT_BYTES: usize = 4 << 10;

#[derive(Debug)]
pub(super) struct KillReport {
    pub(super) address: String,
    pub(super) kind: KillTarget,
    pub(super) reason: String,
    pub(super) selected: SelectedSessions,
}

impl KillReport {
    pub(super) fn render_kill_preview(&self, width: usize) -> String {
        let mut text = String::new();
        for session in &self.selected.sessions {
            self.render_session(&mut text, session, width);
        }
        for id in self.selected.missing_session_ids() {
            let _ = writeln!(text, "session {id}: already terminated\n");
        }
        if self.selected.sessions.is_empty() {
            return text + "There is nothing to kill.\n";
        }
        if let Some(impact) = &self.selected.impact {
            for warning in &impact.warnings {
                text.push_str(&wrap_text_after_label("warning: ", warning, width));
            }
            text.push_str(&impact.notes);
        }
        text + match self.kind {
            KillTarget::Connection => {
                "Killing a session rolls back its open transaction in transactional tables.\n\
                 The rollback can take as long as the changes took, and cannot be undone.\n\
                 Locks are held until the rollback completes.\n"
            }
            KillTarget::Query => {
                "Killing a statement rolls back its changes in transactional tables.\n\
                 The session keeps its transaction and its locks.\n"
            }
        }
    }

    fn render_session(&self, text: &mut String, session: &Session, width: usize) {
        let on =
            session.database.as_deref().map_or(String::new(), |name| format!(" on {}", bytes_to_single_line(name)));
        let (user, host) = (bytes_to_single_line(&session.user), bytes_to_single_line(&session.host));
        let head = format!("session {}, {user}@{host}{on}, {}", session.id, format_session_activity(session));
        let _ = writeln!(text, "{}", truncate_to_width(&head, width));
        if let Some(statement) = &session.statement {
            let start = statement.get(..MAX_DISPLAYED_STATEMENT_BYTES).unwrap_or(statement);
            let _ = writeln!(text, "{}", truncate_to_width(&format!("  runs: {}", bytes_to_single_line(start)), width));
        }
        if let Some(impact) = &self.selected.impact {
            let _ = writeln!(text, "  {}", self.format_open_transaction(impact, session.id));
            match impact.blocked_counts.get(&session.id) {
                Some(1) => text.push_str("  blocks 1 session\n"),
                Some(many) => {
                    let _ = writeln!(text, "  blocks {many} sessions");
                }
                None => {}
            }
            for risk in self.applicable_kill_risks(impact, session.id) {
                text.push_str(&wrap_text_after_label("  risk: ", &risk.to_string(), width));
            }
        }
        text.push('\n');
    }

    fn applicable_kill_risks<'c>(&self, impact: &'c KillImpact, id: u64) -> impl Iterator<Item = &'c KillRisk> {
        let kind = self.kind;
        let applies = move |risk: &&KillRisk| kind == KillTarget::Connection || risk.applies_to_kill_query();
        impact.risks.get(&id).into_iter().flatten().filter(applies)
    }

    fn format_open_transaction(&self, impact: &KillImpact, id: u64) -> String {
        let Some(transactions) = &impact.transactions else {
            return "uncommitted changes unknown: the account cannot list transactions".to_owned();
        };
        match transactions.get(&id) {
            None => "no open transaction".to_owned(),
            Some(open) if open.rows_modified == 0 => {
                format!("transaction open for {} s, no rows changed", open.seconds)
            }
            Some(open) => {
                let (seconds, rows) = (open.seconds, open.rows_modified);
                let noun = if rows == 1 { "row" } else { "rows" };
                let rollback = if self.kind == KillTarget::Connection { ", to be rolled back" } else { "" };
                format!("transaction open for {seconds} s, {rows} {noun} changed{rollback}")
            }
        }
    }

    pub(super) fn describe_planned_kill(&self) -> String {
        let what = match (self.kind, self.selected.sessions.len()) {
            (KillTarget::Connection, 1) => "kill 1 session".to_owned(),
            (KillTarget::Connection, many) => format!("kill {many} sessions"),
            (KillTarget::Query, 1) => "kill the statement of 1 session".to_owned(),
            (KillTarget::Query, many) => format!("kill the statements of {many} sessions"),
        };
        format!("{what} on {}", self.address)
    }

    pub(super) fn kill_outcomes_by_session_id(&self, outcomes: &[(u64, KillOutcome)]) -> KillOutcomes {
        let outcome = |id: u64| outcomes.iter().find(|(other, _)| *other == id).map(|(_, outcome)| outcome.clone());
        self.selected.ids.iter().map(|&id| (id, outcome(id).unwrap_or(KillOutcome::AlreadyGone))).collect()
    }

    pub(super) fn to_json(&self, result: Option<(&KillOutcomes, Option<&Result<KillEffect, Failure>>)>) -> Value {
        let (outcomes, effect) = result.map_or((None, None), |(outcomes, effect)| (Some(outcomes), effect));
        let session_json = |id: &u64| {
            let session = self.selected.sessions.iter().find(|session| session.id == *id);
            let fields = session.map_or_else(|| json!({ "session_id": id }), |session| self.session_to_json(session));
            let outcome =
                outcomes.and_then(|all| all.iter().find(|(other, _)| other == id).map(|(_, outcome)| outcome));
            let outcome_fields = outcome.map_or_else(
                || json!({}),
                |outcome| json!({ "outcome": outcome.name(), "detail": outcome.to_string() }),
            );
            merge_json_objects(merge_json_objects(fields, json!({ "there": session.is_some() })), outcome_fields)
        };
        let effect = match effect {
            None => Value::Null,
            Some(Ok(effect)) => json!({
                "rows_rolled_back": effect.rows_rolled_back, "unblocked": effect.unblocked,
                "still_waiting": effect.still_waiting, "hidden_waits": effect.hides_waits, "unknown": null,
            }),
            Some(Err(failure)) => json!({
                "rows_rolled_back": null, "unblocked": [], "still_waiting": [], "unknown": failure.to_string(),
            }),
        };
        let warnings = self.selected.impact.as_ref().map(|impact| impact.warnings.as_slice()).unwrap_or_default();
        json!({
            "effect": effect, "warnings": warnings,
            "server": self.address, "kind": self.kind.name(), "reason": self.reason, "dry_run": outcomes.is_none(),
            "sessions": self.selected.ids.iter().map(session_json).collect::<Vec<_>>(),
        })
    }

    fn session_to_json(&self, session: &Session) -> Value {
        let statement = session.statement.as_deref().map(bytes_to_text);
        let fields = merge_json_objects(
            session_fields_to_json(session),
            json!({ "session_id": session.id, "statement": statement }),
        );
        let Some(impact) = &self.selected.impact else { return fields };
        let open = impact.transactions.as_ref().and_then(|all| all.get(&session.id));
        let impact = json!({
            "transactions_seen": impact.transactions.is_some(), "transaction": open.map_or(Value::Null, transaction_to_json),
            "holds_up": impact.blocked_counts.get(&session.id).copied().unwrap_or(0),
            "risks": self.applicable_kill_risks(impact, session.id)
                .map(|risk| json!({ "kind": risk.kind(), "message": risk.to_string(), "unsafe": risk.is_unsafe() }))
                .collect::<Vec<_>>(),
        });
        merge_json_objects(fields, impact)
    }
}

/// Uses the field names of the kill audit events of the API.
pub(super) fn session_fields_to_json(session: &Session) -> Value {
    let text = |text: &Option<Vec<u8>>| text.as_deref().map(bytes_to_text);
    json!({
        "user": bytes_to_text(&session.user), "host": bytes_to_text(&session.host), "db": text(&session.database),
        "command": bytes_to_text(&session.command), "seconds": session.seconds, "state": text(&session.state),
    })
}

fn transaction_to_json(open: &Transaction) -> Value {
    json!({
        "state": open.state, "seconds": open.seconds, "rows_locked": open.rows_locked, "rows_modified": open.rows_modified,
    })
}

pub(super) fn render_kill_outcomes(
    outcomes: &[(u64, KillOutcome)],
    effect: Option<&Result<KillEffect, Failure>>,
) -> String {
    let mut text = String::new();
    for (id, outcome) in outcomes {
        // An outcome can contain state text from the server.
        let _ = writeln!(text, "session {id}: {}", bytes_to_single_line(outcome.to_string().as_bytes()));
    }
    match effect {
        None => {}
        Some(Ok(effect)) => {
            let is_rolling_back =
                outcomes.iter().any(|(_, outcome)| matches!(outcome, KillOutcome::RollingBack { .. }));
            text.push_str(&format_kill_effect(effect, is_rolling_back));
            if effect.hides_waits {
                text.push_str("note: some waiting sessions are not visible; clew locks shows the reason\n");
            }
        }
        Some(Err(failure)) => {
            let _ = writeln!(text, "effect unknown: {failure}");
        }
    }
    text
}

/// `is_rolling_back` must be true if the server is still rolling back changes of the killed sessions.
fn format_kill_effect(effect: &KillEffect, is_rolling_back: bool) -> String {
    let count =
        |count: u64, one: &str, many: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {many}") };
    let rows = match effect.rows_rolled_back {
        Some(rows) if is_rolling_back => count(rows, "row rolled back so far", "rows rolled back so far"),
        Some(rows) => count(rows, "row rolled back", "rows rolled back"),
        None => "number of rolled-back rows unknown".to_owned(),
    };
    let unblocked = count(effect.unblocked.len() as u64, "session unblocked", "sessions unblocked");
    let waiting = match effect.still_waiting.len() as u64 {
        0 => String::new(),
        waiting => format!(", {waiting} still waiting"),
    };
    format!("{rows}; {unblocked}{waiting}\n")
}

/// Indents continuation lines by the width of `label`.
fn wrap_text_after_label(label: &str, words: &str, width: usize) -> String {
    let mut text = label.to_owned();
    let mut used = display_width(label);
    let mut is_first = true;
    for word in words.split(' ') {
        if !is_first && used + 1 + display_width(word) > width {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', display_width(label)));
            used = display_width(label);
        } else if !is_first {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += display_width(word);
        is_first = false;
    }
    text.push('\n');
    text
}

fn format_session_activity(session: &Session) -> String {
    let state = bytes_to_single_line(session.state.as_deref().unwrap_or_default());
    let state = if state.is_empty() { state } else { format!(" ({state})") };
    format!("{}{state} for {} s", bytes_to_single_line(&session.command), session.seconds)
}
