//! Test tables in `cases/`. A row contains policies, and requests that the policies allow, deny or do not match.
//!
//! `condition` abbreviates a statement that allows everything under the condition.
//! `statements` abbreviates a policy with these statements (default version 5.0).
//! A request is an object of facts (see `facts.rs`), or one of these abbreviations:
//! - a string: an instance with this value of the tag `env`
//! - null: an instance without tags
//! - a list: a request that adds tags with these keys

use clew_iam::decision::{AccessDecision, Action, DenyReason};
use clew_iam::policy::Policy;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::facts::Facts;

const TABLES: &[(&str, &str)] = &[
    ("strings", include_str!("cases/strings.json")),
    ("numbers, dates, booleans, networks", include_str!("cases/values.json")),
    ("modifiers", include_str!("cases/modifiers.json")),
    ("keys", include_str!("cases/keys.json")),
    ("actions", include_str!("cases/actions.json")),
    ("resources", include_str!("cases/resources.json")),
    ("effects", include_str!("cases/effects.json")),
    ("versions", include_str!("cases/versions.json")),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    condition: Option<Value>,
    #[serde(default)]
    statements: Option<Value>,
    #[serde(default)]
    policies: Vec<Value>,
    /// Allowed requests.
    #[serde(default)]
    allow: Vec<Value>,
    /// Requests without a matching statement.
    #[serde(default)]
    none: Vec<Value>,
    /// Requests that a statement denies.
    #[serde(default)]
    deny: Vec<Value>,
}

fn policy(document: &Value) -> Policy {
    Policy::parse(&document.to_string()).unwrap_or_else(|errors| panic!("{document}: {errors}"))
}

fn conditional_policy(version: &str, effect: &str, condition: &Value) -> Policy {
    let statement = json!({"Effect": effect, "Action": ["*:*:*"], "Condition": condition});
    policy(&json!({"Version": version, "Statement": [statement]}))
}

impl Row {
    fn version(&self) -> &str {
        self.version.as_deref().unwrap_or("5.0")
    }

    fn policies(&self) -> Vec<Policy> {
        match (&self.condition, &self.statements) {
            (Some(condition), None) => vec![conditional_policy(self.version(), "Allow", condition)],
            (None, Some(statements)) => vec![policy(&json!({"Version": self.version(), "Statement": statements}))],
            (None, None) => self.policies.iter().map(policy).collect(),
            (Some(_), Some(_)) => panic!("{}: a condition and statements", self.name),
        }
    }
}

fn facts(request: &Value) -> Facts {
    match request {
        Value::String(env) => Facts { tags: [("env".to_owned(), env.clone())].into(), ..Facts::default() },
        Value::Null => Facts::default(),
        Value::Array(keys) => Facts {
            action: Action::TAG_INSTANCE.name.to_owned(),
            request_tags: keys.iter().map(|key| (key.as_str().unwrap().to_owned(), "value".to_owned())).collect(),
            ..Facts::default()
        },
        _ => serde_json::from_value(request.clone()).unwrap_or_else(|error| panic!("{request}: {error}")),
    }
}

#[test]
fn decisions_match_the_tables() {
    let mut decisions = 0;
    for (table, text) in TABLES {
        let rows: Vec<Row> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{table}: {error}"));
        for row in rows {
            let policies = row.policies();
            for (requests, expected) in [(&row.allow, "allow"), (&row.none, "none"), (&row.deny, "deny")] {
                for request in requests {
                    let decision = facts(request).decide(&policies);
                    let outcome = match &decision {
                        AccessDecision::Allow => "allow",
                        AccessDecision::Deny { reason: DenyReason::NoPolicy } => "none",
                        AccessDecision::Deny { reason: DenyReason::ExplicitDeny { .. } } => "deny",
                        AccessDecision::Deny { reason } => panic!("{table}: {}: {request}: {reason}", row.name),
                    };
                    assert_eq!(outcome, expected, "{table}: {}: {request}", row.name);
                    decisions += 1;
                }
            }
            assert!(!(row.allow.is_empty() && row.none.is_empty() && row.deny.is_empty()), "{}: no request", row.name);
        }
    }
    assert!(decisions >= 400, "only {decisions} decisions");
}

/// A condition under which an Allow matches also makes a Deny match.
#[test]
fn conditions_apply_equally_to_deny() {
    for (table, text) in TABLES {
        let rows: Vec<Row> = serde_json::from_str(text).unwrap();
        for row in &rows {
            let Some(condition) = &row.condition else { continue };
            let everything = policy(&json!({"Version": "5.0", "Statement": [{"Effect": "Allow", "Action": ["*"]}]}));
            let policies = [everything, conditional_policy(row.version(), "Deny", condition)];
            for (requests, allowed) in [(&row.allow, false), (&row.none, true)] {
                for request in requests {
                    let request_facts = facts(request);
                    // For an unsupported key, an Allow does not match and a Deny may; covered by `effects.json`.
                    if !Action::find_action_by_name(&request_facts.action).unwrap().keys.is_empty() {
                        let decision = request_facts.decide(&policies);
                        assert_eq!(decision.is_allowed(), allowed, "{table}: {}: {request}", row.name);
                    }
                }
            }
        }
    }
}
