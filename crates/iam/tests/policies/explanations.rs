//! Explanations of decisions.

use std::sync::Arc;

use clew_iam::decision::{Action, CredentialScope, DecisionExplanation, Grant, GrantSource, explain_decision};
use clew_iam::policy::Policy;
use serde_json::{Value, json};

use crate::facts::Facts;

fn policy(statements: &Value) -> Policy {
    Policy::parse(&json!({"Version": "5.0", "Statement": statements}).to_string()).unwrap()
}

fn explanation(facts: &Facts, policies: &[Policy]) -> DecisionExplanation {
    let principal = facts.principal(policies);
    facts.with(|action, resource, environment| explain_decision(&principal, action, resource, environment))
}

fn tagged(env: &str) -> Facts {
    Facts { tags: [("env".to_owned(), env.to_owned())].into(), ..Facts::default() }
}

/// Reasons of each statement; the flag is true if the statement matched.
fn reasons(explanation: &DecisionExplanation) -> Vec<(bool, String)> {
    explanation.statements.iter().map(|(_, why)| (why.matched, why.reasons.join(" | "))).collect()
}

#[test]
fn each_statement_has_reasons() {
    let policy = policy(&json!([
        {"Effect": "Allow", "Action": ["gaussdbformysql:instance:get", "ecs:*:*"]},
        {"Effect": "Allow", "NotAction": ["gaussdbformysql:instance:list*"]},
        {"Effect": "Allow", "Action": ["*"], "Resource": ["gaussdbformysql:us-1:*:instance:*"], "Condition": {
            "StringEquals": {"g:ResourceTag/env": ["test", "dev"]}, "Bool": {"g:MFAPresent": "true"}}},
        {"Sid": "night", "Effect": "Deny", "Action": ["*"], "NotResource": ["gaussdbformysql:eu-1:*:instance:*"]},
        {"Effect": "Allow", "Action": ["gaussdbformysql:instance:list*"], "Condition": {"IpAddress": {"g:SourceIp": "10.0.0.0/8"}}},
    ]));
    let explanation = explanation(&tagged("prod"), &[policy]);
    let action = "the action is gaussdbformysql:instance:listProcesses, ";
    let urn = "gaussdbformysql:eu-1:ABCDEFGHIJKLMNOPQRST123456789012:instance:d54b974caa7cf2a3272c0136aafc1501in07";
    let expected = [
        (false, format!("{action}the statement lists \"gaussdbformysql:instance:get\", \"ecs:*:*\"")),
        (false, format!("{action}the statement excludes \"gaussdbformysql:instance:list*\"")),
        (
            false,
            format!(
                "the resource is {urn}, the statement lists \"gaussdbformysql:us-1:*:instance:*\" | \
                 g:MFAPresent is missing, Bool requires \"true\" | \
                 g:ResourceTag/env is \"prod\", StringEquals requires \"test\", \"dev\""
            ),
        ),
        (false, format!("the resource is {urn}, the statement excludes \"gaussdbformysql:eu-1:*:instance:*\"")),
        (
            true,
            format!(
                "{action}the statement lists \"gaussdbformysql:instance:list*\" | the resource is {urn}, the statement applies to all resources | \
                 g:SourceIp is \"10.1.2.3\", IpAddress requires \"10.0.0.0/8\""
            ),
        ),
    ];
    for (found, expected) in reasons(&explanation).into_iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert!(explanation.decision.is_allowed());
    assert_eq!(explanation.deciding.unwrap().statement, 5);
    assert_eq!(explanation.statements[3].0.sid.as_deref(), Some("night"));
}

#[test]
fn deny_overrides_an_earlier_allow() {
    let allow = policy(&json!([{"Effect": "Allow", "Action": ["*"]}]));
    let deny = policy(&json!([{"Effect": "Allow", "Action": ["*"]}, {"Effect": "Deny", "Action": ["*"]}]));
    let explanation = explanation(&Facts::default(), &[allow, deny]);
    let deciding = explanation.deciding.clone().unwrap();
    assert_eq!((deciding.policy.as_str(), deciding.statement), ("policy-2", 2));
    let written = serde_json::to_value(&explanation).unwrap();
    assert_eq!(written["decision"], "deny");
    assert_eq!(written["reason"], "statement 2 of the policy \"policy-2\" denies the action");
    assert_eq!(written["statements"].as_array().unwrap().len(), 3);
}

#[test]
fn unsupported_condition_is_explained() {
    let policy = policy(
        &json!([{"Effect": "Allow", "Action": ["*"], "Condition": {"StringEquals": {"g:ResourceTag/env": "x"}}}]),
    );
    let facts = Facts { action: Action::MODIFY_INSTANCE.name.to_owned(), ..Facts::default() };
    let explanation = explanation(&facts, &[policy]);
    let expected = "gaussdbformysql:instance:modify does not support conditions on g:ResourceTag/env, so an Allow with such a condition does not match";
    assert_eq!(reasons(&explanation), [(false, expected.to_owned())]);
    assert_eq!(explanation.deciding, None);
}

#[test]
fn no_statement_is_deciding_without_policy_evaluation() {
    let policy = policy(&json!([{"Effect": "Allow", "Action": ["*"]}]));
    let facts = Facts::default();
    let mut principal = facts.principal(std::slice::from_ref(&policy));
    principal.administrator = true;
    let explain_it = |principal: &_| {
        facts.with(|action, resource, environment| explain_decision(principal, action, resource, environment))
    };
    let administrator = explain_it(&principal);
    assert!(administrator.decision.is_allowed() && administrator.deciding.is_none());
    principal.scope = CredentialScope::Domain;
    let refused = explain_it(&principal);
    assert!(!refused.decision.is_allowed() && refused.deciding.is_none());
}

#[test]
fn grant_for_another_project_is_explained() {
    let facts = Facts::default();
    let mut principal = facts.principal(&[]);
    let policy = Arc::new(policy(&json!([{"Effect": "Allow", "Action": ["*"]}])));
    let elsewhere = Some("ffffffffffffffffffffffffffffffff".parse().unwrap());
    let via = GrantSource::Group("night shift".to_owned());
    principal.grants = [Grant { policy, policy_name: "p".to_owned(), via: via.clone(), project: elsewhere }].into();
    let explanation =
        facts.with(|action, resource, environment| explain_decision(&principal, action, resource, environment));
    assert_eq!(reasons(&explanation), [(false, "the policy applies only to another project".to_owned())]);
    assert_eq!(explanation.statements[0].0.via, via);
    assert!(!explanation.decision.is_allowed());
}
