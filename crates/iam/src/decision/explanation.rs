//! Explains how each policy statement contributes to an authorization decision.
//!
//! `clew policy simulate` prints the explanation of the simulated authorization decision.

use serde::Serialize;

use crate::action::Action;
use crate::decision::{
    AccessDecision, GrantSource, Principal, RequestEnvironment, Resource, check_credential_scope, decide_access,
};
use crate::policy::Effect;

/// Reference to a policy statement that applies to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyStatementRef {
    /// Name of the policy.
    pub policy: String,
    /// User or group to which the policy is attached.
    pub via: GrantSource,
    /// Position of the statement in the policy document, counted from 1.
    pub statement: usize,
    /// `Sid` element of the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// Outcome of evaluating a policy statement, with human-readable reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyStatementOutcome {
    /// Effect of the statement: Allow or Deny.
    pub effect: Effect,
    /// True if the statement matched.
    pub matched: bool,
    /// Reasons why the policy statement matched or did not match the request.
    pub reasons: Vec<String>,
}

/// Authorization decision with the outcome of every policy statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionExplanation {
    /// Result of [`decide_access`].
    #[serde(flatten)]
    pub decision: AccessDecision,
    /// Statement that determined the decision: the first matching Deny, or the first matching Allow if no Deny matches.
    /// `deciding` is `None` if the decision is not based on a matching policy statement.
    pub deciding: Option<PolicyStatementRef>,
    /// All policy statements that apply to the principal, each with its outcome.
    pub statements: Vec<(PolicyStatementRef, PolicyStatementOutcome)>,
}

/// Makes the same decision as [`decide_access`], and explains why each policy statement matched or did not match.
#[must_use]
pub fn explain_decision(
    principal: &Principal,
    action: Action,
    resource: &Resource<'_>,
    environment: &RequestEnvironment,
) -> DecisionExplanation {
    let request = principal.build_access_request(action, resource, environment);
    let mut statements = Vec::new();
    for grant in principal.grants.iter() {
        for (index, statement) in grant.policy.statements().iter().enumerate() {
            let (mut matched, mut reasons) = statement.explain_match(grant.policy.permission_model(), &request);
            if !grant.applies_to_action(action, resource) {
                (matched, reasons) = (false, vec!["the policy applies only to another project".to_owned()]);
            }
            let named = PolicyStatementRef {
                policy: grant.policy_name.clone(),
                via: grant.via.clone(),
                statement: index + 1,
                sid: statement.sid().map(str::to_owned),
            };
            statements.push((named, PolicyStatementOutcome { effect: statement.effect(), matched, reasons }));
        }
    }
    let decision = decide_access(principal, action, resource, environment);
    let by_policies = !principal.administrator && check_credential_scope(principal, action, resource).is_ok();
    let effect = if decision.is_allowed() { Effect::Allow } else { Effect::Deny };
    let decided =
        |(_, why): &&(PolicyStatementRef, PolicyStatementOutcome)| by_policies && why.matched && why.effect == effect;
    let deciding = statements.iter().find(decided).map(|(named, _)| named.clone());
    DecisionExplanation { decision, deciding, statements }
}
