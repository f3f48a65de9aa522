//! Resources as policies name them: `service:region:domain:type:path` (spec section 4.4).

use crate::action::Target;
use crate::policy::model::Model;
use crate::policy::pattern::{self, Case};
use crate::request::Request;
use crate::work_budget::WorkBudget;

/// The resource of a request, as statements see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Urn<'a> {
    /// An instance, by its five parts.
    Instance([&'a str; 5]),
    /// The action takes no resource.
    None,
}

impl<'a> Urn<'a> {
    pub(super) fn of(model: Model, request: &Request<'a>) -> Self {
        if request.action.target != Target::Instance {
            return Self::None;
        }
        // All instances of a project: only what names every instance names them.
        let id = request.resource.instance.map_or("*", |instance| instance.id.as_str());
        Self::Instance([model.service(), request.resource.region, request.requester.domain_id.as_str(), "instance", id])
    }
}

/// A resource of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResourcePattern {
    /// `*`
    Any,
    /// A URN, each part with wildcards of its own: `*` never reaches over a colon.
    Urn([String; 5]),
    /// Something of another service in the form of old (spec section 4.5). It names nothing here.
    Foreign(String),
}

impl ResourcePattern {
    /// `*` or five parts.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let parts: Vec<String> = text.split(':').map(str::to_owned).collect();
        let parts: [String; 5] = parts.try_into().ok()?;
        let [service, _, _, kind, path] = &parts;
        // Region and domain may be left out by services that have none.
        let whole = !service.is_empty() && !kind.is_empty() && !path.is_empty();
        whole.then_some(Self::Urn(parts))
    }

    pub(super) fn matches(&self, urn: &Urn<'_>, budget: &WorkBudget) -> bool {
        match (self, urn) {
            (Self::Any, _) => true,
            (Self::Urn(patterns), Urn::Instance(parts)) => {
                patterns.iter().zip(parts).all(|(pattern, part)| pattern::matches(pattern, part, Case::Matters, budget))
            }
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
