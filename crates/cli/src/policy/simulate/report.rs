//! Formats a simulated request and its authorization decision as text and JSON.

use std::fmt::Write as _;

use clew_iam::decision::{
    AccessDecision, Action, DecisionExplanation, GrantSource, PolicyStatementOutcome, PolicyStatementRef,
};
use clew_model::Instance;
use clew_store::{Project, User};
use serde_json::{Value, json};

use crate::output::merge_json_objects;
use crate::text_table;

pub(super) struct PolicySimulation<'a> {
    pub(super) explanation: DecisionExplanation,
    pub(super) denial_reasons: Vec<String>,
    pub(super) action: Action,
    pub(super) user: &'a User,
    pub(super) project: Option<&'a Project>,
    pub(super) instance: Option<&'a Instance>,
}

impl PolicySimulation<'_> {
    pub(super) fn is_allowed(&self) -> bool {
        self.denial_reasons.is_empty() && self.explanation.decision.is_allowed()
    }

    pub(super) fn render_text(&self) -> String {
        let name_with_id = |name: &str, id: &str| format!("{name} ({id})");
        let mut text = format!("{}\n\n", text_table::sanitize_terminal_line(&self.format_authorization_decision()));
        text.push_str(&text_table::render_field_list(&[
            ("user", name_with_id(&self.user.name, self.user.id.as_str())),
            ("action", self.action.name.to_owned()),
            ("alias", self.action.alias.to_owned()),
            ("project", self.project.map_or(String::new(), |project| name_with_id(&project.name, project.id.as_str()))),
            (
                "instance",
                self.instance.map_or(String::new(), |instance| name_with_id(&instance.name, instance.id.as_str())),
            ),
            ("decided by", self.explanation.deciding.as_ref().map_or(String::new(), format_policy_statement)),
        ]));
        if self.explanation.statements.is_empty() {
            let _ = write!(text, "\nNo policy is attached to {} or to a group of the user.\n", self.user.name);
        }
        for (statement, why) in &self.explanation.statements {
            let matches = if why.matched { "matches" } else { "does not match" };
            let _ = write!(
                text,
                "\n{} ({:?}) {matches}\n",
                text_table::sanitize_terminal_line(&format_policy_statement(statement)),
                why.effect
            );
            for reason in &why.reasons {
                let _ = writeln!(text, "  - {}", text_table::sanitize_terminal_line(reason));
            }
        }
        text
    }

    fn format_authorization_decision(&self) -> String {
        match (&self.explanation.decision, self.denial_reasons.is_empty()) {
            (_, false) => format!("DENIED: {}", self.denial_reasons.join("; ")),
            (AccessDecision::Deny { reason }, true) => format!("DENIED: {reason}"),
            (AccessDecision::Allow, true) if self.user.administrator => {
                "ALLOWED: administrators have full access".to_owned()
            }
            (AccessDecision::Allow, true) => "ALLOWED".to_owned(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let reason = match (&self.explanation.decision, self.denial_reasons.is_empty()) {
            (_, false) => Some(self.denial_reasons.join("; ")),
            (AccessDecision::Deny { reason }, true) => Some(reason.to_string()),
            (AccessDecision::Allow, true) => None,
        };
        json!({
            "decision": if self.is_allowed() { "allow" } else { "deny" },
            "reason": reason,
            "user_id": self.user.id,
            "action": self.action.name,
            "project_id": self.project.map(|project| &project.id),
            "instance_id": self.instance.map(|instance| &instance.id),
            "administrator": self.user.administrator,
            "deciding": self.explanation.deciding.as_ref().map(policy_statement_to_json),
            "statements": self.explanation.statements.iter().map(policy_statement_outcome_to_json).collect::<Vec<_>>(),
        })
    }
}

fn format_policy_statement(statement: &PolicyStatementRef) -> String {
    let sid = statement.sid.as_ref().map_or(String::new(), |sid| format!(" {sid:?}"));
    let via = match &statement.via {
        GrantSource::User => "attached to the user".to_owned(),
        GrantSource::Group(group) => format!("attached to the group {group}"),
    };
    format!("statement {}{sid} of the policy {}, {via}", statement.statement, statement.policy)
}

/// Uses the field names of the HTTP API.
fn policy_statement_to_json(statement: &PolicyStatementRef) -> Value {
    let group = match &statement.via {
        GrantSource::User => None,
        GrantSource::Group(name) => Some(name),
    };
    json!({ "policy": statement.policy, "group": group, "statement": statement.statement, "sid": statement.sid })
}

fn policy_statement_outcome_to_json((statement, why): &(PolicyStatementRef, PolicyStatementOutcome)) -> Value {
    merge_json_objects(
        policy_statement_to_json(statement),
        json!({ "effect": why.effect, "matched": why.matched, "reasons": why.reasons }),
    )
}
