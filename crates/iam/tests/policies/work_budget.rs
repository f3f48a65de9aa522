//! Policies that are made to be expensive: the work is counted and bounded.

use clew_iam::decision::{Action, Decision, DenyReason, WorkBudget, could_ever_allow, decide, explain};
use clew_iam::policy::{MAX_BYTES, Policy};
use clew_model::ProjectId;
use serde_json::json;

use crate::facts::{Facts, PROJECT};

/// Size of each policy, in bytes.
const POLICY_BYTES: usize = 62 << 10;
const POLICIES: usize = 80;

/// A policy of 62 KiB whose patterns almost match names made of many `a`: each `*aaa…b` begins at every place.
fn expensive_policy(star: &str) -> Policy {
    let pattern = format!("{star}{}b", "a".repeat(31));
    let count = POLICY_BYTES / (pattern.len() + 3);
    let document = json!({
        "Version": "5.0",
        "Statement": [{ "Effect": "Deny", "Action": ["*"], "Condition": { "StringMatch": { "g:UserName": vec![pattern; count] } } }]
    });
    Policy::parse(&document.to_string()).unwrap()
}

/// The user of the longest name, with these policies.
fn facts() -> Facts {
    Facts { user: "a".repeat(64), ..Facts::default() }
}

fn reached_by(policies: usize, star: &str) -> clew_iam::decision::Principal {
    let allow = r#"{"Version":"5.0","Statement":[{"Effect":"Allow","Action":["*"]}]}"#;
    let mut all = vec![expensive_policy(star); policies];
    all.push(Policy::parse(allow).unwrap());
    facts().principal(&all)
}

#[test]
fn eighty_policies_of_almost_matching_patterns_stay_within_the_budget() {
    let principal = reached_by(POLICIES, "*");
    let decision = facts().with(|action, resource, environment| decide(&principal, action, resource, environment));
    assert_eq!(decision, Decision::Allow);
    let (spent, bytes) = (principal.budget.spent(), principal.policy_bytes() as u64);
    assert!(bytes > 4_900_000, "{bytes}");
    assert!(spent < 5 * bytes, "{spent} units for {bytes} bytes: not linear");
}

#[test]
fn an_exhausted_budget_denies_and_says_so() {
    let mut principal = reached_by(POLICIES, "*?");
    principal.budget = WorkBudget::new(8 << 20).into();
    let decision = facts().with(|action, resource, environment| decide(&principal, action, resource, environment));
    assert_eq!(decision, Decision::Deny { reason: DenyReason::WorkBudget });
    assert!(principal.budget.is_exhausted());
    // The rest of the request is denied too, whatever it asks.
    let again = facts().with(|action, resource, environment| decide(&principal, action, resource, environment));
    assert_eq!(again, Decision::Deny { reason: DenyReason::WorkBudget });
    let project: ProjectId = PROJECT.parse().unwrap();
    assert!(!could_ever_allow(&principal, Action::LIST_INSTANCES, &project));
    principal.budget = WorkBudget::new(8 << 20).into();
    let explained = facts().with(|action, resource, environment| explain(&principal, action, resource, environment));
    assert_eq!(explained.decision, Decision::Deny { reason: DenyReason::WorkBudget });
    // An administrator is not subject to policies.
    principal.administrator = true;
    let decision = facts().with(|action, resource, environment| decide(&principal, action, resource, environment));
    assert_eq!(decision, Decision::Allow);
}

#[test]
fn every_kind_of_comparison_is_paid_for() {
    for (operator, key, value) in [
        ("StringEquals", "g:UserName", "x"),
        ("StringEqualsIgnoreCase", "g:UserName", "x"),
        ("StringStartWith", "g:UserName", "x"),
        ("StringEndWith", "g:UserName", "x"),
        ("StringMatch", "g:UserName", "x*"),
        ("StringMatch", "g:UserName", "x?"),
        ("NumberEquals", "g:UserName", "7"),
        ("DateLessThan", "g:CurrentTime", "2000-01-01T00:00:00Z"),
        ("Bool", "g:SecureTransport", "false"),
        ("IpAddress", "g:SourceIp", "192.0.2.0/24"),
    ] {
        let values = vec![value; 1_000];
        let document = json!({
            "Version": "5.0",
            "Statement": [{ "Effect": "Allow", "Action": ["*"], "Condition": { operator: { key: values } } }]
        });
        let principal = facts().principal(&[Policy::parse(&document.to_string()).unwrap()]);
        let decision = facts().with(|action, resource, environment| decide(&principal, action, resource, environment));
        assert_eq!(decision, Decision::Deny { reason: DenyReason::NoPolicy }, "{operator}");
        assert!(principal.budget.spent() > 16_000, "{operator}: {}", principal.budget.spent());
    }
    for element in ["Action", "NotAction", "Resource", "NotResource"] {
        let value = if element.ends_with("Action") { "clew:x:y" } else { "x:*:*:instance:y" };
        let mut statement = json!({ "Effect": "Allow", element: vec![value; 1_000] });
        if !element.ends_with("Action") {
            statement["Action"] = json!(["*"]);
        }
        let document = json!({ "Version": "5.0", "Statement": [statement] });
        let principal = facts().principal(&[Policy::parse(&document.to_string()).unwrap()]);
        facts().with(|action, resource, environment| decide(&principal, action, resource, environment));
        assert!(principal.budget.spent() > 16_000, "{element}: {}", principal.budget.spent());
    }
}

#[test]
fn a_document_of_mistakes_and_oddities_reports_a_hundred() {
    let odd = |action: &str| {
        let count = (MAX_BYTES - 100) / (action.len() + 3);
        let document = json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": vec![action; count] }] });
        document.to_string()
    };
    let unknown = odd("clew:a:b");
    assert_eq!(Policy::parse(&unknown).unwrap().warnings().len(), 100);
    assert_eq!(Policy::parse_stored(&unknown).unwrap().warnings().len(), 0);
    assert_eq!(Policy::parse(&odd("a b")).unwrap_err().findings().len(), 100);
}
