//! Uniform resource names (URNs) in policies: `service:region:domain:type:path` (TaurusDB API spec, section 4.4).

use crate::access_request::AccessRequest;
use crate::action::ActionResourceType;
use crate::evaluation_budget::EvaluationBudget;
use crate::policy::pattern::{self, CaseSensitivity};
use crate::policy::permission_model::PermissionModel;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Urn<'a> {
    Instance([&'a str; 5]),
    /// Actions on a project or on the domain have no URN.
    None,
}

impl<'a> Urn<'a> {
    pub(super) fn from_access_request(model: PermissionModel, request: &AccessRequest<'a>) -> Self {
        if request.action.target != ActionResourceType::Instance {
            return Self::None;
        }
        // Without a specific instance, only patterns for all instances match.
        let id = request.resource.instance.map_or("*", |instance| instance.id.as_str());
        Self::Instance([
            model.service_name(),
            request.resource.region,
            request.caller.domain_id.as_str(),
            "instance",
            id,
        ])
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResourcePattern {
    Any,
    /// A wildcard matches only within one of the five parts.
    Urn([String; 5]),
    /// Legacy pattern that is not a URN and never matches a Clew resource (TaurusDB API spec, section 4.5).
    Foreign(String),
}

impl ResourcePattern {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let parts: Vec<String> = text.split(':').map(str::to_owned).collect();
        let parts: [String; 5] = parts.try_into().ok()?;
        let [service, _, _, kind, path] = &parts;
        // Region and domain may be empty for services without them.
        let is_complete = !service.is_empty() && !kind.is_empty() && !path.is_empty();
        is_complete.then_some(Self::Urn(parts))
    }

    pub(super) fn matches_urn(&self, urn: &Urn<'_>, budget: &EvaluationBudget) -> bool {
        match (self, urn) {
            (Self::Any, _) => true,
            (Self::Urn(patterns), Urn::Instance(parts)) => patterns
                .iter()
                .zip(parts)
                .all(|(pattern, part)| pattern::matches_pattern(pattern, part, CaseSensitivity::Sensitive, budget)),
            (Self::Urn(_), Urn::None) | (Self::Foreign(_), _) => false,
        }
    }
}

impl std::fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Urn(parts) => f.write_str(&parts.join(":")),
            Self::Foreign(text) => f.write_str(text),
        }
    }
}
