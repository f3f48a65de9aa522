//! Requests in the notation of the decision tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use clew_iam::decision::{
    AccessDecision, Action, CredentialScope, Grant, GrantSource, Principal, RequestEnvironment, Resource,
    TargetInstance, TargetProject, decide_access,
};
use clew_iam::policy::Policy;
use clew_model::{DomainId, InstanceId, ProjectId, Tag};
use serde::Deserialize;

pub(crate) const DOMAIN: &str = "ABCDEFGHIJKLMNOPQRST123456789012";
pub(crate) const PROJECT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const USER: &str = "fedcba9876543210fedcba9876543210";
pub(crate) const INSTANCE: &str = "d54b974caa7cf2a3272c0136aafc1501in07";

/// A request. Missing fields have the values of [`Facts::default`].
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Facts {
    pub(crate) action: String,
    pub(crate) user: String,
    pub(crate) project: String,
    pub(crate) region: String,
    pub(crate) instance: Option<String>,
    pub(crate) enterprise_project: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) request_tags: BTreeMap<String, String>,
    pub(crate) time: String,
    pub(crate) ip: Option<String>,
    pub(crate) tls: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            action: Action::LIST_PROCESSES.name.to_owned(),
            user: "ada".to_owned(),
            project: "eu-1".to_owned(),
            region: "eu-1".to_owned(),
            instance: Some(INSTANCE.to_owned()),
            enterprise_project: Some("0".to_owned()),
            tags: BTreeMap::new(),
            request_tags: BTreeMap::new(),
            time: "2026-06-12T12:00:00Z".to_owned(),
            ip: Some("10.1.2.3".to_owned()),
            tls: true,
        }
    }
}

impl Facts {
    /// Calls a function with the action, resource and environment of the request.
    pub(crate) fn with<T>(&self, call: impl FnOnce(Action, &Resource<'_>, &RequestEnvironment) -> T) -> T {
        let tags = |map: &BTreeMap<String, String>| -> Vec<Tag> {
            map.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
        };
        let (tags, request_tags) = (tags(&self.tags), tags(&self.request_tags));
        let (project, domain): (ProjectId, DomainId) = (PROJECT.parse().unwrap(), DOMAIN.parse().unwrap());
        let instance: Option<InstanceId> = self.instance.as_ref().map(|id| id.parse().unwrap());
        let resource = Resource {
            project: Some(TargetProject { id: &project, name: &self.project, domain_id: Some(&domain) }),
            region: &self.region,
            instance: instance.as_ref().map(|id| TargetInstance {
                id,
                enterprise_project_id: self.enterprise_project.as_deref(),
                tags: &tags,
            }),
            request_tags: &request_tags,
        };
        let environment = RequestEnvironment {
            now: self.time.parse().unwrap(),
            source_ip: self.ip.as_ref().map(|address| address.parse().unwrap()),
            secure_transport: self.tls,
        };
        let action = Action::find_action_by_name(&self.action).unwrap_or_else(|| panic!("no action {:?}", self.action));
        call(action, &resource, &environment)
    }

    /// Principal of the request, with these policies attached.
    pub(crate) fn principal(&self, policies: &[Policy]) -> Principal {
        let grant = |(index, policy): (usize, &Policy)| Grant {
            policy: Arc::new(policy.clone()),
            policy_name: format!("policy-{}", index + 1),
            via: GrantSource::User,
            project: None,
        };
        Principal {
            user_id: USER.parse().unwrap(),
            user_name: self.user.clone(),
            domain_id: DOMAIN.parse().unwrap(),
            domain_name: "acme".to_owned(),
            scope: CredentialScope::AccessKey,
            administrator: false,
            grants: policies.iter().enumerate().map(grant).collect(),
            budget: Arc::default(),
        }
    }

    pub(crate) fn decide(&self, policies: &[Policy]) -> AccessDecision {
        let principal = self.principal(policies);
        self.with(|action, resource, environment| decide_access(&principal, action, resource, environment))
    }
}
