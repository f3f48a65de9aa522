//! What rules would do to sessions, for eyes and for scripts.

use std::fmt::Write as _;

use clew_diagnose::{ProtectedAccounts, Spared, Verdict, changed_tables, clean};
use clew_model::Session;
use serde_json::{Value, json};

use super::rules::Rule;
use crate::listing;

/// Characters of a statement in a list.
const STATEMENT: usize = 60;

/// What each rule would do.
pub(super) struct Report<'a> {
    rules: &'a [Rule],
    total: usize,
    /// Sessions that would die, each with the position of the first rule that kills it.
    killed: Vec<(usize, &'a Session)>,
    /// Sessions that a rule looks for and that would live, each with the position of the first such rule.
    spared: Vec<(usize, &'a Session, Spared)>,
}

impl<'a> Report<'a> {
    pub(super) fn of(rules: &'a [Rule], sessions: &'a [Session], protected: &ProtectedAccounts) -> Self {
        let (mut killed, mut spared) = (Vec::new(), Vec::new());
        for session in sessions {
            // Why a session lives does not depend on the rule: the first that looks for it decides.
            let meant = rules.iter().map(|rule| rule.rule.judge(session, protected)).enumerate();
            match meant.into_iter().find(|(_, verdict)| *verdict != Verdict::Unmatched) {
                Some((at, Verdict::Killed)) => killed.push((at, session)),
                Some((at, Verdict::Spared(why))) => spared.push((at, session, why)),
                _ => {}
            }
        }
        Self { rules, total: sessions.len(), killed, spared }
    }

    pub(super) fn for_eyes(&self) -> String {
        let mut text = String::new();
        if !self.killed.is_empty() {
            let rows = self.killed.iter().map(|(at, session)| self.row(*at, session, statement(session)));
            text += "Would be killed:\n";
            text += &listing::list(
                ["RULE", "ID", "USER", "HOST", "DB", "COMMAND", "TIME", "STATEMENT"],
                rows.collect(),
                "",
            );
            text.push('\n');
        }
        if !self.spared.is_empty() {
            let rows = self.spared.iter().map(|(at, session, why)| self.row(*at, session, words(*why).to_owned()));
            text += "Would be spared:\n";
            text += &listing::list(["RULE", "ID", "USER", "HOST", "DB", "COMMAND", "TIME", "WHY"], rows.collect(), "");
            text.push('\n');
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let (kills, spares) = self.counts(at);
            let _ = writeln!(text, "{}: kills {kills}, spares {spares}", listing::one_line(&rule.name));
        }
        for rule in self.rules.iter().filter(|rule| rule.is_duration_only) {
            let name = listing::one_line(&rule.name);
            let _ = writeln!(text, "{name}: matches every user session: the only criterion is seconds");
        }
        let depend = self.killed.iter().filter(|(at, session)| self.depends_on_engine(*at, session)).count();
        if depend > 0 {
            let _ = writeln!(
                text,
                "{depend} of those that would be killed change tables: a kill task spares them where the engine has no transactions, as \
                 MyISAM, or is unknown, unless the rule has include_unsafe = true"
            );
        }
        let (killed, spared) = (self.killed.len(), self.spared.len());
        let _ = writeln!(text, "Of {} sessions {killed} would be killed, and {spared} spared", self.total);
        text
    }

    pub(super) fn for_scripts(&self) -> Value {
        let rule = |(at, rule): (usize, &Rule)| {
            let (killed, spared) = self.counts(at);
            json!({ "name": rule.name, "killed": killed, "spared": spared })
        };
        let killed = |(at, session): &(usize, &Session)| self.view(*at, session, None);
        let spared = |(at, session, why): &(usize, &Session, Spared)| self.view(*at, session, Some(*why));
        json!({
            "rules": self.rules.iter().enumerate().map(rule).collect::<Vec<_>>(),
            "killed": self.killed.iter().map(killed).collect::<Vec<_>>(),
            "spared": self.spared.iter().map(spared).collect::<Vec<_>>(),
            "totals": { "sessions": self.total, "killed": self.killed.len(), "spared": self.spared.len() },
        })
    }

    /// How many a rule kills, and how many it spares.
    fn counts(&self, rule: usize) -> (usize, usize) {
        let kills = self.killed.iter().filter(|(at, _)| *at == rule).count();
        (kills, self.spared.iter().filter(|(at, ..)| *at == rule).count())
    }

    /// Whether a kill task spares the session where the engine of a table that it changes has no transactions: a snapshot has no engines.
    fn depends_on_engine(&self, rule: usize, session: &Session) -> bool {
        let opted_in = self.rules.get(rule).is_some_and(|rule| rule.include_unsafe);
        let changes = |statement| changed_tables(statement, session.database.as_deref()).is_some();
        !opted_in && session.statement.as_deref().is_some_and(changes)
    }

    fn name(&self, rule: usize) -> &str {
        self.rules.get(rule).map_or("", |rule| &rule.name)
    }

    fn row(&self, rule: usize, session: &Session, last: String) -> [String; 8] {
        [
            self.name(rule).to_owned(),
            session.id.to_string(),
            clean(&session.user),
            clean(&session.host),
            session.database.as_deref().map(clean).unwrap_or_default(),
            clean(&session.command),
            session.seconds.to_string(),
            last,
        ]
    }

    fn view(&self, rule: usize, session: &Session, why: Option<Spared>) -> Value {
        let mut view = json!({
            "rule": self.name(rule), "session_id": session.id, "user": clean(&session.user), "host": clean(&session.host),
            "database_name": session.database.as_deref().map(clean), "command": clean(&session.command),
            "state_duration": session.seconds, "sql_statement": session.statement.as_deref().map(clean),
        });
        if let Some(fields) = view.as_object_mut() {
            match why {
                Some(why) => fields.insert("why".to_owned(), why.name().into()),
                None => fields.insert("depends_on_engine".to_owned(), self.depends_on_engine(rule, session).into()),
            };
        }
        view
    }
}

fn statement(session: &Session) -> String {
    let text = session.statement.as_deref().map(clean).unwrap_or_default();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= STATEMENT { line } else { line.chars().take(STATEMENT - 1).chain(['…']).collect() }
}

fn words(why: Spared) -> &'static str {
    match why {
        Spared::Internal => "internal: a thread of the server itself",
        Spared::Protected => "protected: the account is never killed",
        Spared::Dying => "dying: it was killed before",
    }
}
