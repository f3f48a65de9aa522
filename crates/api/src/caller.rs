//! Who asks for what: the checks before every handler, in one order: project, ids, instance, policies, node.
//!
//! What is not there and what the caller may not touch are told apart only for those who may touch whatever would be there: the
//! policies are asked with the facts that are known, and an instance that is not there has none.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use clew_iam::decision::{
    self, Action, Decision, DenyReason, Environment, InstanceFacts, Principal, ProjectFacts, Resource, check_scope,
    could_ever_allow, decide,
};
use clew_model::{AccessKeyId, Actor, ErrorEntry, Instance, InstanceId, Node, NodeId, Origin, ProjectId, Tag};
use clew_store::{Project, TokenOrigin, View};
use http::request::Parts;
use jiff::Timestamp;
use tracing::debug;

use crate::Service;
use crate::audit::Trail;
use crate::connection::Connection;
use crate::grants::evaluate;
use crate::query::shown;
use crate::refusal::Refusal;

/// When a request may be repeated whose policies took more work than the principal has left.
const OVERDRAWN_RETRY: Duration = Duration::from_secs(1);

/// How a caller was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// By a token.
    Token,
    /// By the signature of a permanent access key.
    AccessKey,
    /// By the signature of a temporary access key, with its security token.
    TemporaryKey,
}

/// What a caller has shown, by which it can be looked at again.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// A token.
    Token(Arc<SignedIn>),
    /// A signature with this access key.
    Key(AccessKeyId),
}

/// A token that is good.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// How it was issued.
    pub(crate) origin: TokenOrigin,
    /// What it is kept under.
    pub(crate) hash: [u8; 32],
    /// In seconds since 1970 (UTC).
    pub(crate) expires_at: i64,
    /// What a page that was signed in with it proves itself with.
    pub(crate) csrf: String,
}

/// Who asks, from where, and in which request. [`crate::authentication`] finds it out; handlers take it as an argument.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who.
    pub(crate) principal: Principal,
    /// By which credentials.
    pub(crate) credentials: Credentials,
    /// By which of them.
    pub(crate) proof: Proof,
    /// When the credentials end, in seconds since 1970 (UTC); nothing for a permanent access key.
    pub(crate) expires_at: Option<i64>,
    /// From where. None where a test calls the router itself.
    pub(crate) connection: Option<Connection>,
    /// Name of the request, as in `X-Request-Id`.
    pub(crate) request_id: String,
    /// What the audit shall know of the request.
    pub(crate) trail: Trail,
    /// What is known, as of a moment after the request came.
    pub(crate) view: View,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let caller = parts.extensions.remove::<Self>();
        caller.ok_or_else(|| Refusal::internal(&"a handler that needs to know its caller has a route for everyone"))
    }
}

impl Caller {
    /// Who does something, for the audit.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            actor: Actor::User {
                id: self.principal.user_id.clone(),
                name: self.principal.user_name.clone(),
                domain_id: self.principal.domain_id.clone(),
            },
            peer: self.connection.map(|connection| connection.peer),
            request_id: self.request_id.clone(),
        }
    }

    /// The circumstances, for the policies.
    pub(crate) fn environment(&self) -> Environment {
        Environment {
            now: Timestamp::now(),
            source_ip: self.connection.map(|connection| connection.peer),
            secure_transport: self.connection.is_some_and(|connection| connection.tls),
        }
    }

    /// Refuses credentials that end by themselves, where a request creates or changes what does not end with them: users, keys,
    /// policies. The page is excepted: its session began with a password and cannot be read by scripts.
    pub(crate) fn check_may_outlive(&self) -> Result<(), Refusal> {
        let may = match &self.proof {
            Proof::Token(token) => token.origin == TokenOrigin::Console,
            Proof::Key(_) => self.credentials == Credentials::AccessKey,
        };
        if may { Ok(()) } else { Err(Refusal::because(ErrorEntry::IAM_FORBIDDEN_SCOPE, "iam-outlives", Vec::new())) }
    }

    /// Refuses a temporary access key where a request starts work that goes on by itself for longer than the key is valid; `seconds` is
    /// its duration, nothing for work without an end.
    pub(crate) fn check_may_work_for(&self, seconds: Option<u64>) -> Result<(), Refusal> {
        let (Credentials::TemporaryKey, Some(expires_at)) = (self.credentials, self.expires_at) else { return Ok(()) };
        let left = u64::try_from(expires_at - Timestamp::now().as_second()).unwrap_or_default();
        if seconds.is_some_and(|seconds| seconds <= left) {
            return Ok(());
        }
        let arguments = vec![("seconds", left.to_string())];
        Err(Refusal::because(ErrorEntry::FOREIGN_PROJECT, "kill-task-outlives", arguments))
    }

    /// Refuses what the caller may not do in their domain.
    pub(crate) fn domain_action(&self, service: &Service, action: Action) -> Result<(), Refusal> {
        let resource = Resource { project: None, region: service.store.region(), instance: None, request_tags: &[] };
        match self.decide(action, &resource) {
            Decision::Allow => Ok(()),
            Decision::Deny { reason } => Err(self.refuse(action, &reason)),
        }
    }

    /// The project of a path whose instances the caller may see some of: with [`Caller::may`] it is found out which.
    pub(crate) async fn project(&self, action: Action, id: &str) -> Result<Arc<Project>, Refusal> {
        let project = self.own_project(action, id).await?;
        if evaluate(&self.principal, || could_ever_allow(&self.principal, action, &project.id)) {
            return Ok(project);
        }
        let exhausted = self.principal.budget.is_exhausted();
        Err(self.refuse(action, if exhausted { &DenyReason::WorkBudget } else { &DenyReason::NoPolicy }))
    }

    /// The project of a path, if the caller may do the action to it as a whole: policies cannot tell its instances apart there.
    pub(crate) async fn whole_project(
        &self,
        service: &Service,
        action: Action,
        id: &str,
    ) -> Result<Arc<Project>, Refusal> {
        let project = self.own_project(action, id).await?;
        let facts = ProjectFacts { id: &project.id, name: &project.name, domain_id: Some(&project.domain_id) };
        let region = service.store.region();
        let resource = Resource { project: Some(facts), region, instance: None, request_tags: &[] };
        match self.decide(action, &resource) {
            Decision::Allow => Ok(project),
            Decision::Deny { reason } => Err(self.refuse(action, &reason)),
        }
    }

    /// The instance of a path `/{project}/instances/{instance}/…`, if the caller may do the action to its project as a whole.
    pub(crate) async fn instance_of_whole_project(
        &self,
        service: &Service,
        action: Action,
        (project, instance): (&str, &str),
    ) -> Result<(Arc<Project>, Arc<Instance>), Refusal> {
        let project = self.whole_project(service, action, project).await?;
        let id = instance_id(instance)?;
        let instance = self.view.instance(&project.id, &id).await?;
        Ok((project, instance.ok_or_else(|| Refusal::new(ErrorEntry::UNKNOWN_INSTANCE))?))
    }

    /// The instance of a path, if the caller may do the action to it. `tags` are those that the request would add or remove.
    pub(crate) async fn instance(
        &self,
        service: &Service,
        action: Action,
        (project, instance): (&str, &str),
        tags: &[Tag],
    ) -> Result<(Arc<Project>, Arc<Instance>), Refusal> {
        let project = self.own_project(action, project).await?;
        let id = instance_id(instance)?;
        let instance = self.view.instance(&project.id, &id).await?;
        let facts = InstanceFacts {
            id: &id,
            enterprise_project_id: instance.as_ref().map(|instance| instance.enterprise_project_id.as_str()),
            tags: instance.as_ref().map_or(&[], |instance| &instance.tags),
        };
        let resource = Resource { request_tags: tags, ..resource(service, &project, facts) };
        if let Decision::Deny { reason } = self.decide(action, &resource) {
            return Err(self.refuse(action, &reason));
        }
        let instance = instance.ok_or_else(|| Refusal::new(ErrorEntry::UNKNOWN_INSTANCE))?;
        Ok((project, instance))
    }

    /// Whether the caller may do the action to this instance. Fails where the policies take too much work to tell: a list that leaves
    /// instances out for that would pass for the whole.
    pub(crate) fn may(
        &self,
        service: &Service,
        action: Action,
        project: &Project,
        instance: &Instance,
    ) -> Result<bool, Refusal> {
        let facts = InstanceFacts {
            id: &instance.id,
            enterprise_project_id: Some(&instance.enterprise_project_id),
            tags: &instance.tags,
        };
        match self.decide(action, &resource(service, project, facts)) {
            Decision::Deny { reason: reason @ DenyReason::WorkBudget } => Err(self.refuse(action, &reason)),
            decision => Ok(decision.is_allowed()),
        }
    }

    /// Whether the caller sees SQL templates instead of statements of the instance: always without the permission to list sessions, and
    /// where the project masks statements.
    pub(crate) fn sees_templates(&self, service: &Service, project: &Project, instance: &Instance) -> bool {
        !self.may(service, Action::LIST_PROCESSES, project, instance).unwrap_or(false)
            || self.is_masked_by_project(service, project, instance)
    }

    /// Whether the project masks statements of the instance for the caller. Sufficient only behind an action that itself permits reading
    /// statements: listing sessions, or collecting them.
    fn is_masked_by_project(&self, service: &Service, project: &Project, instance: &Instance) -> bool {
        project.masking && !self.may(service, Action::GET_REALTIME_SESSION_TEXT, project, instance).unwrap_or(false)
    }

    /// The project of a path, if the caller's credentials are good for it. What they may do there is another question.
    async fn own_project(&self, action: Action, id: &str) -> Result<Arc<Project>, Refusal> {
        let foreign = || Refusal::new(ErrorEntry::FOREIGN_PROJECT);
        let id: ProjectId = id.parse().map_err(|_| foreign())?;
        let project = self.view.project(&id).await?;
        let facts = ProjectFacts {
            id: &id,
            name: project.as_ref().map_or("", |project| &project.name),
            domain_id: project.as_ref().map(|project| &project.domain_id),
        };
        let resource = Resource { project: Some(facts), region: "", instance: None, request_tags: &[] };
        check_scope(&self.principal, action, &resource).map_err(|reason| self.refuse(action, &reason))?;
        let project = project.ok_or_else(foreign)?;
        if project.enabled { Ok(project) } else { Err(Refusal::new(ErrorEntry::PROJECT_UNAVAILABLE)) }
    }

    fn decide(&self, action: Action, resource: &Resource<'_>) -> Decision {
        evaluate(&self.principal, || decide(&self.principal, action, resource, &self.environment()))
    }

    /// Says why not, but never which foreign projects exist.
    fn refuse(&self, action: Action, reason: &DenyReason) -> Refusal {
        debug!(user.id = %self.principal.user_id, action = action.name, %reason, "denied");
        if *reason == DenyReason::WorkBudget && self.principal.budget.is_overdrawn() {
            return Refusal::too_often(OVERDRAWN_RETRY);
        }
        let id = match reason {
            DenyReason::UnknownProject | DenyReason::ForeignProject | DenyReason::OtherProject => "",
            DenyReason::DomainToken => "denied-domain-token",
            DenyReason::ProjectToken => "denied-project-token",
            DenyReason::NoPolicy => "denied-no-policy",
            DenyReason::ExplicitDeny { .. } => "denied-by-policy",
            DenyReason::WorkBudget => "denied-work-budget",
        };
        let entry = match (action.target, reason) {
            (
                decision::Target::Domain,
                DenyReason::NoPolicy | DenyReason::ExplicitDeny { .. } | DenyReason::WorkBudget,
            ) => ErrorEntry::IAM_POLICY,
            (decision::Target::Domain, _) => ErrorEntry::IAM_FORBIDDEN_SCOPE,
            _ => ErrorEntry::FOREIGN_PROJECT,
        };
        Refusal::because(entry, id, vec![("action", action.name.to_owned())])
    }
}

fn resource<'a>(service: &'a Service, project: &'a Project, instance: InstanceFacts<'a>) -> Resource<'a> {
    let project = ProjectFacts { id: &project.id, name: &project.name, domain_id: Some(&project.domain_id) };
    Resource { project: Some(project), region: service.store.region(), instance: Some(instance), request_tags: &[] }
}

pub(crate) fn instance_id(text: &str) -> Result<InstanceId, Refusal> {
    text.parse().map_err(|error: clew_model::IdError| wrong_id(text, error.expected))
}

fn node_id(text: &str) -> Result<NodeId, Refusal> {
    text.parse().map_err(|error: clew_model::IdError| wrong_id(text, error.expected))
}

fn wrong_id(given: &str, expected: &'static str) -> Refusal {
    Refusal::because(ErrorEntry::INVALID_ID, "id-form", vec![("given", shown(given)), ("expected", expected.into())])
}

/// A node of an instance, with the password that it is read with.
pub(crate) async fn node_to_read(service: &Service, instance: &Instance, node: &str) -> Result<Node, Refusal> {
    let node = service.store.node_to_read(&known_node(instance, node)?).await?;
    let node = node.ok_or_else(|| Refusal::new(ErrorEntry::UNKNOWN_NODE))?;
    must_reach(service, &node)?;
    Ok(node)
}

/// Fails where the node is in a zone that this server is not in: only who is reads it.
pub(crate) fn must_reach(service: &Service, node: &Node) -> Result<(), Refusal> {
    crate::nodes::reachable(service, node).map_err(crate::nodes::failed)
}

/// The id of a node of an instance.
fn known_node(instance: &Instance, node: &str) -> Result<NodeId, Refusal> {
    let id = node_id(node)?;
    let known = instance.nodes.iter().any(|node| node.id == id);
    if known { Ok(id) } else { Err(Refusal::new(ErrorEntry::UNKNOWN_NODE)) }
}

/// A node that a request is about: its id, or all of it with the password that it is read with.
#[derive(Debug)]
pub(crate) struct Target<N = NodeId> {
    pub(crate) project: Arc<Project>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) node: N,
}

/// Ids of project, instance and node, of a path `/{project}/instances/{instance}/nodes/{node}/…`.
type NodePath = (String, String, String);

impl Target {
    /// The node of a path, if the caller may do the action to its instance.
    pub(crate) async fn resolve(
        service: &Service,
        caller: &Caller,
        action: Action,
        (project, instance, node): &NodePath,
    ) -> Result<Self, Refusal> {
        let (project, instance) = caller.instance(service, action, (project, instance), &[]).await?;
        let node = known_node(&instance, node)?;
        Ok(Self { project, instance, node })
    }
}

impl Target<Node> {
    /// The same, to be read.
    pub(crate) async fn to_read(
        service: &Service,
        caller: &Caller,
        action: Action,
        path: &NodePath,
    ) -> Result<Self, Refusal> {
        let Target { project, instance, .. } = Target::resolve(service, caller, action, path).await?;
        let node = node_to_read(service, &instance, &path.2).await?;
        Ok(Self { project, instance, node })
    }
}

impl<N> Target<N> {
    /// Whether the caller sees SQL templates instead of statements of this node.
    pub(crate) fn is_masked_for(&self, service: &Service, caller: &Caller) -> bool {
        caller.sees_templates(service, &self.project, &self.instance)
    }

    /// The same behind an action that itself permits reading statements: listing sessions, or collecting them.
    pub(crate) fn is_masked_by_project_for(&self, service: &Service, caller: &Caller) -> bool {
        caller.is_masked_by_project(service, &self.project, &self.instance)
    }
}
