//! Which rows of the audit are meant.

use clap::Args;
use clew_model::{InstanceId, NodeId, Outcome, ProjectId};
use clew_store::{AuditFilter, Store};
use jiff::Timestamp;

use crate::error::CliError;
use crate::{directory, moments};

/// Which rows. Things that are gone are named by their ids.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters (all must hold)")]
pub(super) struct Filters {
    /// Not before: 2026-06-12T10:00:00Z, 2026-06-12 (UTC), or how long ago: 24h
    #[arg(long, value_name = "MOMENT", value_parser = moments::parse)]
    from: Option<Timestamp>,
    /// Before
    #[arg(long, value_name = "MOMENT", value_parser = moments::parse)]
    to: Option<Timestamp>,
    /// Name or id of who did it
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Name of the operation: CreateToken, CollectRealtimeSession, PutPolicy, …
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// How it ended: done, denied or failed
    #[arg(long, value_parser = parse_outcome)]
    outcome: Option<Outcome>,
    /// About this domain, or done by one of its users
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// About this project: name or id
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// About this instance: name or id
    #[arg(long, value_name = "INSTANCE")]
    instance: Option<String>,
    /// About this node
    #[arg(long, value_name = "ID")]
    node: Option<NodeId>,
    /// By this request, as in its X-Request-Id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

fn parse_outcome(name: &str) -> Result<Outcome, String> {
    Outcome::from_name(name).ok_or_else(|| Outcome::ALL.map(Outcome::name).join(", "))
}

impl Filters {
    pub(super) async fn resolve(&self, store: &Store) -> Result<AuditFilter, CliError> {
        let domain = match &self.domain {
            Some(domain) => Some(directory::domain(store, domain).await?.id),
            None => None,
        };
        let project = match &self.project {
            Some(project) => Some(project_id(store, project).await?),
            None => None,
        };
        let instance = match &self.instance {
            Some(instance) => Some(instance_id(store, instance, project.as_ref()).await?),
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

/// An id is taken as it is: the project may be gone.
async fn project_id(store: &Store, named: &str) -> Result<ProjectId, CliError> {
    let all = store.all_projects().await?;
    only(all.into_iter().filter(|project| project.name == named).map(|project| project.id).collect(), "project", named)
}

async fn instance_id(store: &Store, named: &str, project: Option<&ProjectId>) -> Result<InstanceId, CliError> {
    let all = store.all_instances().await?.into_iter();
    let named_so = all.filter(|it| it.name == named && project.is_none_or(|project| it.project_id == *project));
    only(named_so.map(|instance| instance.id).collect(), "instance", named)
}

/// The one of this name, else the name as an id.
fn only<T: std::str::FromStr + std::fmt::Display>(mut ids: Vec<T>, what: &str, named: &str) -> Result<T, CliError> {
    if ids.len() > 1 {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        return Err(CliError::refused(format!(
            "there are several of the name {named:?}; choose an id: {}",
            ids.join(", ")
        )));
    }
    let unknown = |_| CliError::refused(format!("there is no {what} {named:?}; one that is gone is named by its id"));
    ids.pop().map_or_else(|| named.parse().map_err(unknown), Ok)
}
