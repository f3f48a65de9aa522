//! Evaluation budget: expensive policies are counted and bounded.

use clew_iam::decision::{
    AccessDecision, Action, DenyReason, EvaluationBudget, decide_access, explain_decision, policies_may_allow_action,
};
use clew_iam::policy::{MAX_POLICY_DOCUMENT_BYTES, Policy};
use clew_model::ProjectId;
use serde_json::json;

use crate::facts::{Facts, PROJECT};

/// Size of each policy, in bytes.
const POLICY_BYTES: usize = 62 << 10;
const POLICIES: usize = 80;

/// A policy of 62 KiB with patterns that almost match names of many `a`: `*aaa…b` partially matches at every position.
fn expensive_policy(star: &str) -> Policy {
    let pattern = format!("{star}{}b", "a".repeat(31));
    let count = POLICY_BYTES / (pattern.len() + 3);
    let document = json!({
        "Version": "5.0",
        "Statement": [{ "Effect": "Deny", "Action": ["*"], "Condition": { "StringMatch": { "g:UserName": vec![pattern; count] } } }]
    });
    Policy::parse(&document.to_string()).unwrap()
}

/// Request of a user with a name of maximum length.
fn facts() -> Facts {
    Facts { user: "a".repeat(64), ..Facts::default() }
}

fn principal_with(policies: usize, star: &str) -> clew_iam::decision::Principal {
    let allow = r#"{"Version":"5.0","Statement":[{"Effect":"Allow","Action":["*"]}]}"#;
    let mut all = vec![expensive_policy(star); policies];
    all.push(Policy::parse(allow).unwrap());
    facts().principal(&all)
}

#[test]
fn expensive_patterns_stay_within_the_budget() {
    let principal = principal_with(POLICIES, "*");
    let decision =
        facts().with(|action, resource, environment| decide_access(&principal, action, resource, environment));
    assert_eq!(decision, AccessDecision::Allow);
    let (spent, bytes) = (principal.budget.consumed_work_units(), principal.total_policy_bytes() as u64);
    assert!(bytes > 4_900_000, "{bytes}");
    assert!(spent < 5 * bytes, "{spent} units for {bytes} bytes: not linear");
}

#[test]
fn exhausted_budget_denies_with_a_reason() {
    let mut principal = principal_with(POLICIES, "*?");
    principal.budget = EvaluationBudget::new(8 << 20).into();
    let decision =
        facts().with(|action, resource, environment| decide_access(&principal, action, resource, environment));
    assert_eq!(decision, AccessDecision::Deny { reason: DenyReason::EvaluationBudget });
    assert!(principal.budget.is_exhausted());
    // All further decisions of the request are denied too.
    let again = facts().with(|action, resource, environment| decide_access(&principal, action, resource, environment));
    assert_eq!(again, AccessDecision::Deny { reason: DenyReason::EvaluationBudget });
    let project: ProjectId = PROJECT.parse().unwrap();
    assert!(!policies_may_allow_action(&principal, Action::LIST_INSTANCES, &project));
    principal.budget = EvaluationBudget::new(8 << 20).into();
    let explained =
        facts().with(|action, resource, environment| explain_decision(&principal, action, resource, environment));
    assert_eq!(explained.decision, AccessDecision::Deny { reason: DenyReason::EvaluationBudget });
    // An administrator is not subject to policies.
    principal.administrator = true;
    let decision =
        facts().with(|action, resource, environment| decide_access(&principal, action, resource, environment));
    assert_eq!(decision, AccessDecision::Allow);
}

#[test]
fn every_comparison_is_charged() {
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
        let decision =
            facts().with(|action, resource, environment| decide_access(&principal, action, resource, environment));
        assert_eq!(decision, AccessDecision::Deny { reason: DenyReason::NoPolicy }, "{operator}");
        assert!(
            principal.budget.consumed_work_units() > 16_000,
            "{operator}: {}",
            principal.budget.consumed_work_units()
        );
    }
    for element in ["Action", "NotAction", "Resource", "NotResource"] {
        let value = if element.ends_with("Action") { "clew:x:y" } else { "x:*:*:instance:y" };
        let mut statement = json!({ "Effect": "Allow", element: vec![value; 1_000] });
        if !element.ends_with("Action") {
            statement["Action"] = json!(["*"]);
        }
        let document = json!({ "Version": "5.0", "Statement": [statement] });
        let principal = facts().principal(&[Policy::parse(&document.to_string()).unwrap()]);
        facts().with(|action, resource, environment| decide_access(&principal, action, resource, environment));
        assert!(
            principal.budget.consumed_work_units() > 16_000,
            "{element}: {}",
            principal.budget.consumed_work_units()
        );
    }
}

#[test]
fn reports_are_limited_to_100() {
    let document_with = |action: &str| {
        let count = (MAX_POLICY_DOCUMENT_BYTES - 100) / (action.len() + 3);
        let document = json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": vec![action; count] }] });
        document.to_string()
    };
    let unknown = document_with("clew:a:b");
    assert_eq!(Policy::parse(&unknown).unwrap().warnings().len(), 100);
    assert_eq!(Policy::parse_stored_document(&unknown).unwrap().warnings().len(), 0);
    assert_eq!(Policy::parse(&document_with("a b")).unwrap_err().diagnostics().len(), 100);
}
