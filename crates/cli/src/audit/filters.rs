//! Command-line options that filter audit rows.

use clap::Args;
use clew_model::{AuditOutcome, InstanceId, NodeId, ProjectId};
use clew_store::{AuditFilter, Store};
use jiff::Timestamp;

use crate::error::{CliError, refused};
use crate::{identity_directory, time};

/// Filters for audit rows. Removed projects and instances can be selected only by id.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters (all must match)")]
pub(super) struct AuditFilterArgs {
    /// Start time (inclusive): 2026-06-12T10:00:00Z, 2026-06-12 (UTC), or 24h for the last 24 hours
    #[arg(long, value_name = "TIME", value_parser = time::parse_timestamp)]
    from: Option<Timestamp>,
    /// End time (exclusive)
    #[arg(long, value_name = "TIME", value_parser = time::parse_timestamp)]
    to: Option<Timestamp>,
    /// Name or id of the actor
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Name of the audited operation, such as CreateToken, CollectRealtimeSession or PutPolicy
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// Outcome: done, denied or failed
    #[arg(long, value_parser = parse_audit_outcome)]
    outcome: Option<AuditOutcome>,
    /// Name or id of a domain; matches operations on the domain and operations by its users
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Name or id of the project
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Name or id of the instance
    #[arg(long, value_name = "INSTANCE")]
    instance: Option<String>,
    /// Id of the node
    #[arg(long, value_name = "ID")]
    node: Option<NodeId>,
    /// Id of the API request, from the X-Request-Id response header
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

fn parse_audit_outcome(name: &str) -> Result<AuditOutcome, String> {
    AuditOutcome::from_name(name).ok_or_else(|| format!("expected one of: {}", AuditOutcome::NAMES.join(", ")))
}

impl AuditFilterArgs {
    pub(super) async fn resolve_audit_filter(&self, store: &Store) -> Result<AuditFilter, CliError> {
        let domain = match &self.domain {
            Some(domain) => Some(identity_directory::find_domain(store, domain).await?.id),
            None => None,
        };
        let project = match &self.project {
            Some(project) => Some(find_project_id(store, project).await?),
            None => None,
        };
        let instance = match &self.instance {
            Some(instance) => Some(find_instance_id(store, instance, project.as_ref()).await?),
            None => None,
        };
        Ok(AuditFilter {
            domain,
            from: self.from.map(Timestamp::as_millisecond),
            to: self.to.map(Timestamp::as_millisecond),
            actor: self.actor.clone(),
            operation: self.operation.clone(),
            project,
            instance,
            node: self.node.clone(),
            outcome: self.outcome,
            request_id: self.request_id.clone(),
        })
    }
}

async fn find_project_id(store: &Store, name_or_id: &str) -> Result<ProjectId, CliError> {
    let projects = store.tenants().list_all_projects().await?.into_iter();
    let matches = projects.filter(|project| project.name == name_or_id).map(|project| project.id).collect();
    require_unambiguous_id(matches, "project", name_or_id)
}

async fn find_instance_id(
    store: &Store,
    name_or_id: &str,
    project: Option<&ProjectId>,
) -> Result<InstanceId, CliError> {
    let instances = store.instances().list_all_instances().await?.into_iter();
    let matches =
        instances.filter(|it| it.name == name_or_id && project.is_none_or(|project| it.project_id == *project));
    require_unambiguous_id(matches.map(|instance| instance.id).collect(), "instance", name_or_id)
}

fn require_unambiguous_id<T: std::str::FromStr + std::fmt::Display>(
    mut ids: Vec<T>,
    kind: &str,
    name_or_id: &str,
) -> Result<T, CliError> {
    if ids.len() > 1 {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        return Err(refused!("several objects are named {name_or_id:?}; select one by id: {}", ids.join(", ")));
    }
    let unknown = |_| refused!("there is no {kind} {name_or_id:?}; select a removed {kind} by its id");
    ids.pop().map_or_else(|| name_or_id.parse().map_err(unknown), Ok)
}
