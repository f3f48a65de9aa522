//! Why a decision came out as it did, statement by statement: for `policy simulate`.

use serde::Serialize;

use crate::action::Action;
use crate::decision::{Decision, Environment, Principal, Resource, Via, check_scope, decide};
use crate::policy::Effect;

/// Names a statement among those that reach a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementRef {
    /// The policy's name.
    pub policy: String,
    /// How the policy reaches the user.
    pub via: Via,
    /// Which of its statements, from 1.
    pub statement: usize,
    /// The statement's Sid, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// Whether a statement matched, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// What it does if it matches.
    pub effect: Effect,
    /// True if it matched.
    pub matched: bool,
    /// The reasons in words: those for which it did not match, or else what it matched by.
    pub reasons: Vec<String>,
}

/// A decision with all that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The same as [`decide`] says.
    #[serde(flatten)]
    pub decision: Decision,
    /// The statement that decided: the first Deny that matched, or else the first Allow. Nothing if none did.
    pub deciding: Option<StatementRef>,
    /// Every statement that reaches the principal.
    pub statements: Vec<(StatementRef, Why)>,
}

/// The decision, and for each statement why it did or did not match.
#[must_use]
pub fn explain(
    principal: &Principal,
    action: Action,
    resource: &Resource<'_>,
    environment: &Environment,
) -> Explanation {
    let request = principal.request(action, resource, environment);
    let mut statements = Vec::new();
    for grant in principal.grants.iter() {
        for (index, statement) in grant.policy.statements().iter().enumerate() {
            let (mut matched, mut reasons) = statement.reasons(grant.policy.model(), &request);
            if !grant.reaches(action, resource) {
                (matched, reasons) = (false, vec!["the policy is attached for another project only".to_owned()]);
            }
            let named = StatementRef {
                policy: grant.policy_name.clone(),
                via: grant.via.clone(),
                statement: index + 1,
                sid: statement.sid().map(str::to_owned),
            };
            statements.push((named, Why { effect: statement.effect(), matched, reasons }));
        }
    }
    let decision = decide(principal, action, resource, environment);
    let by_policies = !principal.administrator && check_scope(principal, action, resource).is_ok();
    let effect = if decision.is_allowed() { Effect::Allow } else { Effect::Deny };
    let decided = |(_, why): &&(StatementRef, Why)| by_policies && why.matched && why.effect == effect;
    let deciding = statements.iter().find(decided).map(|(named, _)| named.clone());
    Explanation { decision, deciding, statements }
}
