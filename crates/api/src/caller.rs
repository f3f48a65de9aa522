//! Who asks for what: the checks before every handler, in one order: project, ids, instance, node.

use clew_iam::decision::{Action, Decision, Environment, Principal, ProjectFacts, Resource, decide};
use clew_model::{ErrorEntry, Instance, InstanceId, Node, NodeId, ProjectId};
use jiff::Timestamp;
use tracing::debug;

use crate::Service;
use crate::query::shown;
use crate::refusal::Refusal;

/// The project of a path, if the principal may do the action there.
pub(crate) async fn project(
    service: &Service,
    principal: &Principal,
    action: Action,
    id: &str,
) -> Result<ProjectId, Refusal> {
    let foreign = || Refusal::new(ErrorEntry::FOREIGN_PROJECT);
    let id: ProjectId = id.parse().map_err(|_| foreign())?;
    let project = service.store.project(&id).await?.filter(|project| project.enabled);
    let facts = ProjectFacts {
        id: &id,
        name: project.as_ref().map_or("", |project| &project.name),
        domain_id: project.as_ref().map(|project| &project.domain_id),
    };
    let resource = Resource { project: Some(facts), region: "", instance: None, request_tags: &[] };
    let environment = Environment { now: Timestamp::now(), source_ip: None, secure_transport: false };
    match decide(principal, action, &resource, &environment) {
        Decision::Allow => Ok(id),
        Decision::Deny { reason } => {
            debug!(user.id = %principal.user_id, action = action.name, %reason, "denied");
            Err(foreign())
        }
    }
}

/// The instance of a path.
pub(crate) async fn instance(service: &Service, project: &ProjectId, id: &InstanceId) -> Result<Instance, Refusal> {
    service.store.instance(project, id).await?.ok_or_else(|| Refusal::new(ErrorEntry::UNKNOWN_INSTANCE))
}

/// An instance id of the right shape.
pub(crate) fn instance_id(text: &str) -> Result<InstanceId, Refusal> {
    text.parse().map_err(|error: clew_model::IdError| wrong_id(text, error.expected))
}

fn node_id(text: &str) -> Result<NodeId, Refusal> {
    text.parse().map_err(|error: clew_model::IdError| wrong_id(text, error.expected))
}

fn wrong_id(given: &str, expected: &'static str) -> Refusal {
    Refusal::because(ErrorEntry::INVALID_ID, "id-form", vec![("given", shown(given)), ("expected", expected.into())])
}

/// A node that a request is about.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) project_id: ProjectId,
    pub(crate) instance_id: InstanceId,
    pub(crate) node: Node,
}

impl Target {
    /// The node of a path `/{project}/instances/{instance}/nodes/{node}/…`.
    pub(crate) async fn resolve(
        service: &Service,
        principal: &Principal,
        action: Action,
        (project, instance, node): &(String, String, String),
    ) -> Result<Self, Refusal> {
        let project_id = self::project(service, principal, action, project).await?;
        let (instance_id, node_id) = (instance_id(instance)?, node_id(node)?);
        let instance = self::instance(service, &project_id, &instance_id).await?;
        let node = instance.nodes.into_iter().find(|node| node.id == node_id);
        let node = node.ok_or_else(|| Refusal::new(ErrorEntry::UNKNOWN_NODE))?;
        Ok(Self { project_id, instance_id, node })
    }
}
