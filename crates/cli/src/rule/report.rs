//! Lists, as text or JSON, which sessions the kill rules would kill and which sessions they exclude.

use std::fmt::Write as _;

use clew_diagnose::{ExclusionReason, KillVerdict, ProtectedAccounts, bytes_to_text, parse_changed_tables};
use clew_model::Session;
use serde_json::{Value, json};

use super::rules_file::NamedKillRule;
use crate::text_table;

const MAX_DISPLAYED_STATEMENT_CHARS: usize = 60;

pub(super) struct RuleTestReport<'a> {
    rules: &'a [NamedKillRule],
    total: usize,
    /// The index identifies the first matching rule of each session.
    killed: Vec<(usize, &'a Session)>,
    spared: Vec<(usize, &'a Session, ExclusionReason)>,
}

impl<'a> RuleTestReport<'a> {
    pub(super) fn new(rules: &'a [NamedKillRule], sessions: &'a [Session], protected: &ProtectedAccounts) -> Self {
        let (mut killed, mut spared) = (Vec::new(), Vec::new());
        for session in sessions {
            // The first matching rule decides; the reason for sparing a session is the same for all rules.
            let mut verdicts = rules.iter().map(|rule| rule.rule.evaluate_session(session, protected)).enumerate();
            match verdicts.find(|(_, verdict)| *verdict != KillVerdict::Unmatched) {
                Some((rule, KillVerdict::Killed)) => killed.push((rule, session)),
                Some((rule, KillVerdict::Excluded(reason))) => spared.push((rule, session, reason)),
                _ => {}
            }
        }
        Self { rules, total: sessions.len(), killed, spared }
    }

    pub(super) fn render_text(&self) -> String {
        let mut text = String::new();
        let killed_row =
            |(rule, session): &(usize, &Session)| self.format_table_row(*rule, session, truncate_statement(session));
        let spared_row = |(rule, session, reason): &(usize, &Session, ExclusionReason)| {
            self.format_table_row(*rule, session, describe_exclusion_reason(*reason).to_owned())
        };
        for (title, last_heading, rows) in [
            ("Would be killed", "STATEMENT", self.killed.iter().map(killed_row).collect::<Vec<_>>()),
            ("Would be spared", "REASON", self.spared.iter().map(spared_row).collect()),
        ] {
            if !rows.is_empty() {
                let headings = ["RULE", "ID", "USER", "HOST", "DB", "COMMAND", "TIME", last_heading];
                let _ = writeln!(text, "{title}:\n{}", text_table::render_table(headings, rows, ""));
            }
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let (kills, spares) = self.count_killed_and_spared_sessions(index);
            let _ =
                writeln!(text, "{}: kills {kills}, spares {spares}", text_table::sanitize_terminal_line(&rule.name));
        }
        for rule in self.rules.iter().filter(|rule| rule.has_only_duration_criterion) {
            let name = text_table::sanitize_terminal_line(&rule.name);
            let _ = writeln!(text, "{name}: seconds is the only criterion, so the rule matches every user session");
        }
        let dependent =
            self.killed.iter().filter(|(rule, session)| self.requires_storage_engine_check(*rule, session)).count();
        if dependent > 0 {
            let _ = writeln!(
                text,
                "Sessions to be killed that change tables: {dependent}. A kill task spares them if the storage engine is unknown or has no \
                 transactions (such as MyISAM), unless the rule has include_unsafe = true"
            );
        }
        let (killed, spared) = (self.killed.len(), self.spared.len());
        let _ = writeln!(text, "Of {} sessions, {killed} would be killed and {spared} would be spared", self.total);
        text
    }

    pub(super) fn to_json(&self) -> Value {
        let rule = |(index, rule): (usize, &NamedKillRule)| {
            let (killed, spared) = self.count_killed_and_spared_sessions(index);
            json!({ "name": rule.name, "killed": killed, "spared": spared })
        };
        let killed = |(rule, session): &(usize, &Session)| self.session_to_json(*rule, session, None);
        let spared = |(rule, session, reason): &(usize, &Session, ExclusionReason)| {
            self.session_to_json(*rule, session, Some(*reason))
        };
        json!({
            "rules": self.rules.iter().enumerate().map(rule).collect::<Vec<_>>(),
            "killed": self.killed.iter().map(killed).collect::<Vec<_>>(),
            "spared": self.spared.iter().map(spared).collect::<Vec<_>>(),
            "totals": { "sessions": self.total, "killed": self.killed.len(), "spared": self.spared.len() },
        })
    }

    fn count_killed_and_spared_sessions(&self, rule: usize) -> (usize, usize) {
        let kills = self.killed.iter().filter(|(index, _)| *index == rule).count();
        (kills, self.spared.iter().filter(|(index, ..)| *index == rule).count())
    }

    /// A rule test skips the storage engine check, because a snapshot does not contain storage engines.
    fn requires_storage_engine_check(&self, rule: usize, session: &Session) -> bool {
        let opted_in = self.rules.get(rule).is_some_and(|rule| rule.include_unsafe);
        let changes = |statement| parse_changed_tables(statement, session.database.as_deref()).is_some();
        !opted_in && session.statement.as_deref().is_some_and(changes)
    }

    fn rule_name(&self, rule: usize) -> &str {
        self.rules.get(rule).map_or("", |rule| &rule.name)
    }

    fn format_table_row(&self, rule: usize, session: &Session, last: String) -> [String; 8] {
        [
            self.rule_name(rule).to_owned(),
            session.id.to_string(),
            bytes_to_text(&session.user),
            bytes_to_text(&session.host),
            session.database.as_deref().map(bytes_to_text).unwrap_or_default(),
            bytes_to_text(&session.command),
            session.seconds.to_string(),
            last,
        ]
    }

    fn session_to_json(&self, rule: usize, session: &Session, reason: Option<ExclusionReason>) -> Value {
        let mut json = json!({
            "rule": self.rule_name(rule), "session_id": session.id, "user": bytes_to_text(&session.user), "host": bytes_to_text(&session.host),
            "database_name": session.database.as_deref().map(bytes_to_text), "command": bytes_to_text(&session.command),
            "state_duration": session.seconds, "sql_statement": session.statement.as_deref().map(bytes_to_text),
        });
        if let Some(fields) = json.as_object_mut() {
            match reason {
                Some(reason) => fields.insert("why".to_owned(), reason.name().into()),
                None => fields
                    .insert("depends_on_engine".to_owned(), self.requires_storage_engine_check(rule, session).into()),
            };
        }
        json
    }
}

fn truncate_statement(session: &Session) -> String {
    let text = session.statement.as_deref().map(bytes_to_text).unwrap_or_default();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX_DISPLAYED_STATEMENT_CHARS {
        line
    } else {
        line.chars().take(MAX_DISPLAYED_STATEMENT_CHARS - 1).chain(['…']).collect()
    }
}

fn describe_exclusion_reason(reason: ExclusionReason) -> &'static str {
    match reason {
        ExclusionReason::Internal => "internal: a server thread",
        ExclusionReason::Protected => "protected: sessions of the account are never killed",
        ExclusionReason::Terminating => "dying: the session was already killed",
    }
}
