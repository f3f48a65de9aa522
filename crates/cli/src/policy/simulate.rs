//! `clew policy simulate`: what would come of a request, and why.

mod report;

use std::net::IpAddr;
use std::sync::Arc;

use clap::Args;
use clew_iam::decision::{
    Action, Environment, Grant, InstanceFacts, Principal, ProjectFacts, Resource, Scope, Target, Via, explain,
};
use clew_iam::policy::{Policy, system};
use clew_model::{Instance, Tag};
use clew_store::{Project, StoredGrant, StoredPolicy, User};
use jiff::Timestamp;

use crate::directory::{Directory, Place, nearest};
use crate::error::CliError;
use crate::{instance, moments, output};

/// Say whether a user may do something, which statement decides, and why each other one does not match.
///
/// Ends with 0 if the request would be allowed, with 1 if not.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Name or id of the user
    #[arg(long, value_name = "USER")]
    user: String,
    /// Name of the action, in either model
    #[arg(long, value_name = "ACTION")]
    action: String,
    /// Name or id of the project [default: the only one]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Name or id of the instance
    #[arg(long, value_name = "INSTANCE")]
    instance: Option<String>,
    /// Address that the request comes from (g:SourceIp)
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<IpAddr>,
    /// The request does not come over TLS (g:SecureTransport)
    #[arg(long)]
    plain_http: bool,
    /// When it comes (g:CurrentTime) [default: now]
    #[arg(long, value_name = "MOMENT", value_parser = moments::parse)]
    at: Option<Timestamp>,
    /// A tag that the request would add or remove (g:RequestTag)
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = instance::parse_tag)]
    tags: Vec<Tag>,
    #[command(flatten)]
    place: Place,
}

const AFTER_HELP: &str = "\
Examples:
  clew policy simulate --user ada --action gaussdbformysql:instance:getRealtimeSession --instance shop
  clew policy simulate --user ada --action gaussdbformysql:instance:deleteProcesses --instance shop --source-ip 10.1.2.3
  clew policy simulate --user ada --action clew:identity:manage --format json

The user is taken to have signed in for what the action needs: the project, or the domain.";

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let user = directory.user(&arguments.user).await?;
    let action = action(&arguments.action)?;
    let (project, instance) = target(&directory, &arguments, action).await?;
    let principal = principal(&directory, &user).await?;
    let resource = Resource {
        project: project.as_ref().map(|project| ProjectFacts {
            id: &project.id,
            name: &project.name,
            domain_id: Some(&project.domain_id),
        }),
        region: directory.store.region(),
        instance: instance.as_ref().map(|instance| InstanceFacts {
            id: &instance.id,
            enterprise_project_id: Some(&instance.enterprise_project_id),
            tags: &instance.tags,
        }),
        request_tags: &arguments.tags,
    };
    let environment = Environment {
        now: arguments.at.unwrap_or_else(Timestamp::now),
        source_ip: arguments.source_ip,
        secure_transport: !arguments.plain_http,
    };
    let simulated = report::Simulated {
        explanation: explain(&principal, action, &resource, &environment),
        obstacles: obstacles(&user, project.as_ref()),
        action,
        user: &user,
        project: project.as_ref(),
        instance: instance.as_ref(),
    };
    if action.target == Target::Instance && instance.is_none() {
        output::to_stderr(
            "note: no --instance, so conditions on one do not hold; a list shows those that are allowed one by one\n",
        );
    }
    arguments.place.format().say(|| simulated.text(), || simulated.value())?;
    if simulated.is_allowed() { Ok(()) } else { Err(CliError::AnsweredNo) }
}

fn action(named: &str) -> Result<Action, CliError> {
    Action::find(named).ok_or_else(|| {
        let known = Action::ALL.iter().flat_map(|action| [action.name, action.alias]);
        let hint = nearest(named, known).map_or_else(
            || format!("actions are {}", Action::ALL.iter().map(|action| action.name).collect::<Vec<_>>().join(", ")),
            |name| format!("did you mean {name}?"),
        );
        CliError::refused(format!("there is no action {named:?}")).with_hint(hint)
    })
}

/// The project and the instance that the action would be done to.
async fn target(
    directory: &Directory,
    arguments: &Arguments,
    action: Action,
) -> Result<(Option<Project>, Option<Instance>), CliError> {
    if action.target != Target::Instance && arguments.instance.is_some() {
        return Err(CliError::refused(format!("{} is not about an instance; leave --instance out", action.name)));
    }
    if action.target == Target::Domain {
        if arguments.project.is_some() {
            return Err(CliError::refused(format!("{} is about the domain; leave --project out", action.name)));
        }
        return Ok((None, None));
    }
    let project = match &arguments.project {
        Some(project) => directory.project(project).await?,
        None => only_project(directory).await?,
    };
    let Some(named) = &arguments.instance else { return Ok((Some(project), None)) };
    let instance = instance::look_up(&directory.store, &project.id, named).await?;
    let unknown = || {
        CliError::refused(format!("there is no instance {named:?} in the project {}", project.name))
            .with_hint("clew instance list shows all")
    };
    let instance = instance.ok_or_else(unknown)?;
    Ok((Some(project), Some(instance)))
}

async fn only_project(directory: &Directory) -> Result<Project, CliError> {
    let mut all = directory.store.projects_of(&directory.domain.id).await?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => {
            let names: Vec<_> = all.into_iter().chain(last).map(|project| project.name).collect();
            Err(CliError::refused(format!("name the project with --project: {}", names.join(", "))))
        }
    }
}

/// The user with an access key: good for every project of the domain and for the domain itself.
async fn principal(directory: &Directory, user: &User) -> Result<Principal, CliError> {
    let grants = directory.store.grants_of(&user.id).await?;
    Ok(Principal {
        user_id: user.id.clone(),
        user_name: user.name.clone(),
        domain_id: user.domain_id.clone(),
        domain_name: user.domain_name.clone(),
        scope: Scope::AccessKey,
        administrator: user.administrator,
        // As in the server: if one policy cannot be read, none counts, for it may be the one that denies.
        grants: grants.into_iter().map(grant).collect::<Option<_>>().unwrap_or_default(),
        budget: Arc::default(),
    })
}

fn grant(stored: StoredGrant) -> Option<Grant> {
    let (policy_name, policy) = match stored.policy {
        StoredPolicy::System { name } => {
            let policy = system::find(&name).cloned();
            (name, policy)
        }
        StoredPolicy::Own { name, document } => (name, Policy::parse_stored(&document).ok().map(Arc::new)),
    };
    let Some(policy) = policy else {
        output::to_stderr(&format!(
            "note: the policy {policy_name} cannot be read; until it is put again, its users may do nothing\n"
        ));
        return None;
    };
    Some(Grant { policy, policy_name, via: stored.via_group.map_or(Via::User, Via::Group), project: stored.project })
}

/// What keeps a request from coming to a decision at all.
fn obstacles(user: &User, project: Option<&Project>) -> Vec<String> {
    let mut obstacles = Vec::new();
    if !user.enabled {
        obstacles.push(format!("the user {} is disabled", user.name));
    }
    if let Some(project) = project.filter(|project| !project.enabled) {
        obstacles.push(format!("the project {} is disabled", project.name));
    }
    obstacles
}
