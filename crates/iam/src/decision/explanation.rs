//! Explanation of a decision by statement, for `policy simulate`.

use serde::Serialize;

use crate::action::Action;
use crate::decision::{Decision, Environment, GrantPath, Principal, Resource, check_scope, decide};
use crate::policy::Effect;

/// Reference to a statement of a policy that applies to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementRef {
    /// Name of the policy.
    pub policy: String,
    /// Attachment through which the policy applies to the user.
    pub via: GrantPath,
    /// Number of the statement, from 1.
    pub statement: usize,
    /// Sid of the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// Result of evaluating a statement, with reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementOutcome {
    /// Effect of the statement if it matches.
    pub effect: Effect,
    /// Whether the statement matched.
    pub matched: bool,
    /// Reasons in words: every mismatch, or else the matching elements.
    pub reasons: Vec<String>,
}

/// A decision with all evaluated statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Result of [`decide`].
    #[serde(flatten)]
    pub decision: Decision,
    /// Deciding statement: the first matching Deny, or else the first matching Allow. `None` if no statement matched.
    pub deciding: Option<StatementRef>,
    /// All statements that apply to the principal.
    pub statements: Vec<(StatementRef, StatementOutcome)>,
}

/// Decides like [`decide`], and explains for each statement why it did or did not match.
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
            let (mut matched, mut reasons) = statement.explain(grant.policy.model(), &request);
            if !grant.reaches(action, resource) {
                (matched, reasons) = (false, vec!["the policy is attached for another project only".to_owned()]);
            }
            let named = StatementRef {
                policy: grant.policy_name.clone(),
                via: grant.via.clone(),
                statement: index + 1,
                sid: statement.sid().map(str::to_owned),
            };
            statements.push((named, StatementOutcome { effect: statement.effect(), matched, reasons }));
        }
    }
    let decision = decide(principal, action, resource, environment);
    let by_policies = !principal.administrator && check_scope(principal, action, resource).is_ok();
    let effect = if decision.is_allowed() { Effect::Allow } else { Effect::Deny };
    let decided = |(_, why): &&(StatementRef, StatementOutcome)| by_policies && why.matched && why.effect == effect;
    let deciding = statements.iter().find(decided).map(|(named, _)| named.clone());
    Explanation { decision, deciding, statements }
}
