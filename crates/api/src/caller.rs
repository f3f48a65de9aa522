//! Authorizes requests. Checks the project, the instance id, the policies, the instance and the node, in this order.
//!
//! If the policies do not allow the action, the error does not reveal whether the instance exists.
//! If the instance in a request does not exist, Clew evaluates the policies without instance attributes.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use clew_http::ClientAddr;
use clew_iam::decision::{
    self, AccessDecision, Action, DenyReason, Principal, RequestEnvironment, Resource, TargetInstance, TargetProject,
    check_credential_scope, decide_access, policies_may_allow_action,
};
use clew_model::{
    AccessKeyId, Actor, ApiErrorDefinition, ApiIdParseError, AuditOrigin, Instance, InstanceFilter, InstanceId, Node,
    NodeId, Pagination, ProjectId, Tag,
};
use clew_store::{CachedStoreView, Project, TokenOrigin};
use http::request::Parts;
use jiff::Timestamp;
use tracing::debug;

use crate::audit::AuditContext;
use crate::error::ApiError;
use crate::field_errors::truncate_for_message;
use crate::policy_cache::run_policy_evaluation;
use crate::{AppState, SharedState};

const POLICY_EVALUATION_RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CredentialKind {
    Token,
    AccessKey,
    TemporaryKey,
}

/// Event streams use this reference to revalidate the credentials.
#[derive(Debug, Clone)]
pub(crate) enum CredentialRef {
    Token(Arc<ValidToken>),
    Key(AccessKeyId),
}

#[derive(Debug)]
pub(crate) struct ValidToken {
    pub(crate) origin: TokenOrigin,
    pub(crate) hash: [u8; 32],
    /// Unix timestamp in seconds.
    pub(crate) expires_at: i64,
    pub(crate) csrf_token: String,
}

/// Ids of the project and instance in the request path.
pub(crate) type InstancePath = (String, String);
/// Ids of the project, instance and node in the request path.
pub(crate) type NodePath = (String, String, String);

#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) service: SharedState,
    pub(crate) principal: Principal,
    pub(crate) credential_kind: CredentialKind,
    pub(crate) credential_ref: CredentialRef,
    /// Unix timestamp in seconds; `None` for a permanent access key.
    pub(crate) expires_at: Option<i64>,
    /// `None` in tests that call the router without a connection.
    pub(crate) client: Option<ClientAddr>,
    pub(crate) request_id: String,
    pub(crate) audit: AuditContext,
    /// The view was opened after the request body was received, so it reflects all earlier revocations.
    pub(crate) view: CachedStoreView,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.remove::<Self>();
        caller.ok_or_else(|| {
            ApiError::internal_error("a handler extracts `Caller` on a route that does not authenticate its requests")
        })
    }
}

impl Caller {
    pub(crate) fn build_audit_origin(&self) -> AuditOrigin {
        AuditOrigin {
            actor: Actor::User {
                id: self.principal.user_id.clone(),
                name: self.principal.user_name.clone(),
                domain_id: self.principal.domain_id.clone(),
            },
            peer: self.client.map(|connection| connection.ip),
            request_id: self.request_id.clone(),
        }
    }

    pub(crate) fn build_condition_context(&self) -> RequestEnvironment {
        RequestEnvironment {
            now: Timestamp::now(),
            source_ip: self.client.map(|connection| connection.ip),
            secure_transport: self.client.is_some_and(|connection| connection.tls),
        }
    }

    /// A browser session counts as permanent credentials, because it requires a sign-in with a password.
    pub(crate) fn require_permanent_credentials(&self) -> Result<(), ApiError> {
        let may_outlive = match &self.credential_ref {
            CredentialRef::Token(token) => token.origin == TokenOrigin::Console,
            CredentialRef::Key(_) => self.credential_kind == CredentialKind::AccessKey,
        };
        if may_outlive {
            Ok(())
        } else {
            Err(ApiError::with_detail(ApiErrorDefinition::IAM_FORBIDDEN_SCOPE, "iam-outlives", []))
        }
    }

    /// `seconds` is `None` for a kill task without a time limit.
    pub(crate) fn require_credentials_valid_for_duration(&self, seconds: Option<u64>) -> Result<(), ApiError> {
        let (CredentialKind::TemporaryKey, Some(expires_at)) = (self.credential_kind, self.expires_at) else {
            return Ok(());
        };
        let left = u64::try_from(expires_at - Timestamp::now().as_second()).unwrap_or_default();
        if seconds.is_some_and(|seconds| seconds <= left) {
            return Ok(());
        }
        let arguments = [("seconds", left.to_string())];
        Err(ApiError::with_detail(ApiErrorDefinition::FOREIGN_PROJECT, "kill-task-outlives", arguments))
    }

    pub(crate) fn require_domain_permission(&self, action: Action) -> Result<(), ApiError> {
        let resource =
            Resource { project: None, region: self.service.store.region(), instance: None, request_tags: &[] };
        self.require_permission(action, &resource)
    }

    /// Handlers must then check each instance with [`Caller::is_action_allowed`].
    pub(crate) async fn require_permission_on_some_instance(
        &self,
        action: Action,
        id: &str,
    ) -> Result<Arc<Project>, ApiError> {
        let project = self.find_project_in_scope(action, id).await?;
        if run_policy_evaluation(&self.principal, || policies_may_allow_action(&self.principal, action, &project.id)) {
            return Ok(project);
        }
        let exhausted = self.principal.budget.is_exhausted();
        Err(self
            .access_denied_error(action, if exhausted { &DenyReason::EvaluationBudget } else { &DenyReason::NoPolicy }))
    }

    pub(crate) async fn require_project_permission(&self, action: Action, id: &str) -> Result<Arc<Project>, ApiError> {
        let project = self.find_project_in_scope(action, id).await?;
        self.require_permission(action, &build_policy_resource(&self.service, &project, None))?;
        Ok(project)
    }

    pub(crate) async fn authorize_and_find_instance(
        &self,
        action: Action,
        (project, instance): &InstancePath,
    ) -> Result<(Arc<Project>, Arc<Instance>), ApiError> {
        let project = self.require_project_permission(action, project).await?;
        let id: InstanceId = parse_api_id(instance)?;
        let instance = self.view.find_instance(&project.id, &id).await?;
        Ok((project, instance.ok_or_else(|| ApiError::new(ApiErrorDefinition::UNKNOWN_INSTANCE))?))
    }

    pub(crate) async fn require_instance_permission(
        &self,
        action: Action,
        (project, instance): &InstancePath,
    ) -> Result<(Arc<Project>, Arc<Instance>), ApiError> {
        self.require_instance_permission_with_tags(action, (project, instance), &[]).await
    }

    /// `tags` lists the instance tags that the request adds or removes.
    pub(crate) async fn require_instance_permission_with_tags(
        &self,
        action: Action,
        (project, instance): (&str, &str),
        tags: &[Tag],
    ) -> Result<(Arc<Project>, Arc<Instance>), ApiError> {
        let project = self.find_project_in_scope(action, project).await?;
        let id: InstanceId = parse_api_id(instance)?;
        let instance = self.view.find_instance(&project.id, &id).await?;
        let unknown = TargetInstance { id: &id, enterprise_project_id: None, tags: &[] };
        let facts = instance.as_deref().map_or(unknown, TargetInstance::from);
        let resource = Resource { request_tags: tags, ..build_policy_resource(&self.service, &project, Some(facts)) };
        self.require_permission(action, &resource)?;
        let instance = instance.ok_or_else(|| ApiError::new(ApiErrorDefinition::UNKNOWN_INSTANCE))?;
        Ok((project, instance))
    }

    /// Fails if policy evaluation exceeds its budget, because the result `false` would omit the instance from lists.
    pub(crate) fn is_action_allowed(
        &self,
        action: Action,
        project: &Project,
        instance: &Instance,
    ) -> Result<bool, ApiError> {
        match self.authorize_action(action, &build_policy_resource(&self.service, project, Some(instance.into()))) {
            AccessDecision::Deny { reason: reason @ DenyReason::EvaluationBudget } => {
                Err(self.access_denied_error(action, &reason))
            }
            decision => Ok(decision.is_allowed()),
        }
    }

    pub(crate) async fn for_each_allowed_instance(
        &self,
        action: Action,
        project: &Project,
        filter: &InstanceFilter,
        mut visit: impl FnMut(Instance) + Send,
    ) -> Result<(), ApiError> {
        let mut page = Pagination::default();
        loop {
            let (instances, total) = self.service.store.instances().list_instances(&project.id, filter, page).await?;
            for instance in instances {
                if self.is_action_allowed(action, project, &instance)? {
                    visit(instance);
                }
            }
            page.offset = page.offset.saturating_add(page.limit);
            if u64::from(page.offset) >= total {
                return Ok(());
            }
        }
    }

    pub(crate) fn requires_statement_masking(&self, project: &Project, instance: &Instance) -> bool {
        !self.is_action_allowed(Action::LIST_PROCESSES, project, instance).unwrap_or(false)
            || self.are_statements_masked_in_project(project, instance)
    }

    /// Call this method only after the caller has been authorized to list or collect sessions.
    fn are_statements_masked_in_project(&self, project: &Project, instance: &Instance) -> bool {
        project.masking
            && !self.is_action_allowed(Action::GET_REALTIME_SESSION_TEXT, project, instance).unwrap_or(false)
    }

    /// Only the credential scope is checked; policies are not evaluated.
    async fn find_project_in_scope(&self, action: Action, id: &str) -> Result<Arc<Project>, ApiError> {
        let foreign = || ApiError::new(ApiErrorDefinition::FOREIGN_PROJECT);
        let id: ProjectId = id.parse().map_err(|_| foreign())?;
        let project = self.view.find_project(&id).await?;
        let facts = TargetProject {
            id: &id,
            name: project.as_ref().map_or("", |project| &project.name),
            domain_id: project.as_ref().map(|project| &project.domain_id),
        };
        let resource = Resource { project: Some(facts), region: "", instance: None, request_tags: &[] };
        check_credential_scope(&self.principal, action, &resource)
            .map_err(|reason| self.access_denied_error(action, &reason))?;
        let project = project.ok_or_else(foreign)?;
        if project.enabled { Ok(project) } else { Err(ApiError::new(ApiErrorDefinition::PROJECT_UNAVAILABLE)) }
    }

    fn require_permission(&self, action: Action, resource: &Resource<'_>) -> Result<(), ApiError> {
        match self.authorize_action(action, resource) {
            AccessDecision::Allow => Ok(()),
            AccessDecision::Deny { reason } => Err(self.access_denied_error(action, &reason)),
        }
    }

    fn authorize_action(&self, action: Action, resource: &Resource<'_>) -> AccessDecision {
        run_policy_evaluation(&self.principal, || {
            decide_access(&self.principal, action, resource, &self.build_condition_context())
        })
    }

    /// The error does not reveal whether the project exists in another domain.
    fn access_denied_error(&self, action: Action, reason: &DenyReason) -> ApiError {
        debug!(user.id = %self.principal.user_id, action = action.name, %reason, "action denied");
        if *reason == DenyReason::EvaluationBudget && self.principal.budget.has_exceeded_rate_limit() {
            return ApiError::rate_limit_exceeded_error(POLICY_EVALUATION_RETRY_AFTER);
        }
        let id = match reason {
            DenyReason::UnknownProject | DenyReason::ForeignProject | DenyReason::OtherProject => "",
            DenyReason::DomainToken => "denied-domain-token",
            DenyReason::ProjectToken => "denied-project-token",
            DenyReason::NoPolicy => "denied-no-policy",
            DenyReason::ExplicitDeny { .. } => "denied-by-policy",
            DenyReason::EvaluationBudget => "denied-work-budget",
        };
        let definition = match (action.target, reason) {
            (
                decision::ActionResourceType::Domain,
                DenyReason::NoPolicy | DenyReason::ExplicitDeny { .. } | DenyReason::EvaluationBudget,
            ) => ApiErrorDefinition::IAM_POLICY,
            (decision::ActionResourceType::Domain, _) => ApiErrorDefinition::IAM_FORBIDDEN_SCOPE,
            _ => ApiErrorDefinition::FOREIGN_PROJECT,
        };
        ApiError::with_detail(definition, id, [("action", action.name.to_owned())])
    }
}

fn build_policy_resource<'a>(
    service: &'a AppState,
    project: &'a Project,
    instance: Option<TargetInstance<'a>>,
) -> Resource<'a> {
    let project = TargetProject { id: &project.id, name: &project.name, domain_id: Some(&project.domain_id) };
    Resource { project: Some(project), region: service.store.region(), instance, request_tags: &[] }
}

pub(crate) fn parse_api_id<I: FromStr<Err = ApiIdParseError>>(text: &str) -> Result<I, ApiError> {
    text.parse().map_err(|error: ApiIdParseError| {
        let arguments = [("given", truncate_for_message(text)), ("expected", error.expected.into())];
        ApiError::with_detail(ApiErrorDefinition::INVALID_ID, "id-form", arguments)
    })
}

pub(crate) async fn load_reachable_node_with_password(
    service: &AppState,
    instance: &Instance,
    node: &str,
) -> Result<Node, ApiError> {
    let node = service.store.instances().find_node_with_password(&find_node_id_in_instance(instance, node)?).await?;
    let node = node.ok_or_else(|| ApiError::new(ApiErrorDefinition::UNKNOWN_NODE))?;
    require_reachable_network_zone(service, &node)?;
    Ok(node)
}

pub(crate) fn require_reachable_network_zone(service: &AppState, node: &Node) -> Result<(), ApiError> {
    clew_worker::require_reachable_network_zone(&service.store, node).map_err(ApiError::from_node_failure)
}

fn find_node_id_in_instance(instance: &Instance, node: &str) -> Result<NodeId, ApiError> {
    let id = parse_api_id(node)?;
    let exists = instance.nodes.iter().any(|node| node.id == id);
    if exists { Ok(id) } else { Err(ApiError::new(ApiErrorDefinition::UNKNOWN_NODE)) }
}

/// `N` is `Node` if the handler needs the decrypted password.
#[derive(Debug)]
pub(crate) struct TargetNode<N = NodeId> {
    pub(crate) project: Arc<Project>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) node: N,
}

impl TargetNode {
    pub(crate) async fn authorize_and_find_node(
        caller: &Caller,
        action: Action,
        (project, instance, node): &NodePath,
    ) -> Result<Self, ApiError> {
        let path = (project.as_str(), instance.as_str());
        let (project, instance) = caller.require_instance_permission_with_tags(action, path, &[]).await?;
        let node = find_node_id_in_instance(&instance, node)?;
        Ok(Self { project, instance, node })
    }
}

impl TargetNode<Node> {
    pub(crate) async fn authorize_and_load_node_with_password(
        caller: &Caller,
        action: Action,
        path: &NodePath,
    ) -> Result<Self, ApiError> {
        let TargetNode { project, instance, .. } = TargetNode::authorize_and_find_node(caller, action, path).await?;
        let node = load_reachable_node_with_password(&caller.service, &instance, &path.2).await?;
        Ok(Self { project, instance, node })
    }
}

impl<N> TargetNode<N> {
    pub(crate) fn requires_statement_masking(&self, caller: &Caller) -> bool {
        caller.requires_statement_masking(&self.project, &self.instance)
    }

    /// Call this method only after the caller has been authorized to list or collect sessions.
    pub(crate) fn are_statements_masked_for_caller(&self, caller: &Caller) -> bool {
        caller.are_statements_masked_in_project(&self.project, &self.instance)
    }
}
