//! A simulated request for eyes and for scripts.

use std::fmt::Write as _;

use clew_iam::decision::{Action, Decision, Explanation, StatementRef, Via, Why};
use clew_model::Instance;
use clew_store::{Project, User};
use serde_json::{Value, json};

use crate::listing;
use crate::output::joined;

/// A request and what would come of it.
pub(super) struct Simulated<'a> {
    pub(super) explanation: Explanation,
    /// What stands before every decision.
    pub(super) obstacles: Vec<String>,
    pub(super) action: Action,
    pub(super) user: &'a User,
    pub(super) project: Option<&'a Project>,
    pub(super) instance: Option<&'a Instance>,
}

impl Simulated<'_> {
    pub(super) fn is_allowed(&self) -> bool {
        self.obstacles.is_empty() && self.explanation.decision.is_allowed()
    }

    pub(super) fn text(&self) -> String {
        let named = |name: &str, id: &str| format!("{name} ({id})");
        let mut text = format!("{}\n\n", listing::one_line(&self.verdict()));
        text.push_str(&listing::facts(&[
            ("user", named(&self.user.name, self.user.id.as_str())),
            ("action", self.action.name.to_owned()),
            ("alias", self.action.alias.to_owned()),
            ("project", self.project.map_or(String::new(), |project| named(&project.name, project.id.as_str()))),
            ("instance", self.instance.map_or(String::new(), |instance| named(&instance.name, instance.id.as_str()))),
            ("decided by", self.explanation.deciding.as_ref().map_or(String::new(), in_words)),
        ]));
        if self.explanation.statements.is_empty() {
            let _ = write!(text, "\nNo policy is attached to {} or a group of theirs.\n", self.user.name);
        }
        for (statement, why) in &self.explanation.statements {
            let matches = if why.matched { "matches" } else { "does not match" };
            let _ = write!(text, "\n{} ({:?}) {matches}\n", listing::one_line(&in_words(statement)), why.effect);
            for reason in &why.reasons {
                let _ = writeln!(text, "  - {}", listing::one_line(reason));
            }
        }
        text
    }

    fn verdict(&self) -> String {
        match (&self.explanation.decision, self.obstacles.is_empty()) {
            (_, false) => format!("DENIED: {}", self.obstacles.join("; ")),
            (Decision::Deny { reason }, true) => format!("DENIED: {reason}"),
            (Decision::Allow, true) if self.user.administrator => {
                "ALLOWED: an administrator may do everything".to_owned()
            }
            (Decision::Allow, true) => "ALLOWED".to_owned(),
        }
    }

    pub(super) fn value(&self) -> Value {
        let reason = match (&self.explanation.decision, self.obstacles.is_empty()) {
            (_, false) => Some(self.obstacles.join("; ")),
            (Decision::Deny { reason }, true) => Some(reason.to_string()),
            (Decision::Allow, true) => None,
        };
        json!({
            "decision": if self.is_allowed() { "allow" } else { "deny" },
            "reason": reason,
            "user_id": self.user.id,
            "action": self.action.name,
            "project_id": self.project.map(|project| &project.id),
            "instance_id": self.instance.map(|instance| &instance.id),
            "administrator": self.user.administrator,
            "deciding": self.explanation.deciding.as_ref().map(name),
            "statements": self.explanation.statements.iter().map(statement).collect::<Vec<_>>(),
        })
    }
}

fn in_words(statement: &StatementRef) -> String {
    let sid = statement.sid.as_ref().map_or(String::new(), |sid| format!(" {sid:?}"));
    let via = match &statement.via {
        Via::User => "attached to the user".to_owned(),
        Via::Group(group) => format!("attached to the group {group}"),
    };
    format!("statement {}{sid} of the policy {}, {via}", statement.statement, statement.policy)
}

/// Names a statement for scripts, as the API does.
fn name(statement: &StatementRef) -> Value {
    let group = match &statement.via {
        Via::User => None,
        Via::Group(name) => Some(name),
    };
    json!({ "policy": statement.policy, "group": group, "statement": statement.statement, "sid": statement.sid })
}

/// A statement and what became of it, in one object.
fn statement((statement, why): &(StatementRef, Why)) -> Value {
    joined(name(statement), json!({ "effect": why.effect, "matched": why.matched, "reasons": why.reasons }))
}
