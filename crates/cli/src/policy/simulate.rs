//! `clew policy simulate`: explains the authorization decision for a simulated request.

mod report;

use std::net::IpAddr;
use std::sync::Arc;

use clap::Args;
use clew_iam::decision::{
    Action, ActionResourceType, CredentialScope, Principal, RequestEnvironment, Resource, TargetInstance,
    TargetProject, explain_decision,
};
use clew_model::{Instance, Tag};
use clew_store::{Project, User};
use jiff::Timestamp;

use crate::error::{CliError, refused};
use crate::identity_directory::{IdentityDirectory, find_most_similar_name, require_single_item};
use crate::store_args::IamDomainArgs;
use crate::{instance, output, time};

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Name or id of the user
    #[arg(long, value_name = "USER")]
    user: String,
    /// Name of the action, in identity policy or role policy syntax
    #[arg(long, value_name = "ACTION")]
    action: String,
    /// Name or id of the project [default: the only project]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Name or id of the instance
    #[arg(long, value_name = "INSTANCE")]
    instance: Option<String>,
    /// Source address of the simulated request, for the condition key g:SourceIp
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<IpAddr>,
    /// Simulate a request over plain HTTP; the condition key g:SecureTransport is then false
    #[arg(long)]
    plain_http: bool,
    /// Time of the simulated request, for the condition key g:CurrentTime [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_timestamp)]
    at: Option<Timestamp>,
    /// Tag in the simulated request, for the condition key g:RequestTag; can be specified multiple times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = instance::parse_tag)]
    tags: Vec<Tag>,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

pub(super) const AFTER_HELP: &str = "\
Examples:
  clew policy simulate --user ada --action gaussdbformysql:instance:getRealtimeSession --instance shop
  clew policy simulate --user ada --action gaussdbformysql:instance:deleteProcesses --instance shop --source-ip 10.1.2.3
  clew policy simulate --user ada --action clew:identity:manage --format json

The simulation assumes a sign-in with the scope that the action requires: the project or the domain.";

pub(super) async fn run(arguments: SimulateArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let user = directory.find_user(&arguments.user).await?;
    let action = parse_action_name(&arguments.action)?;
    let (project, instance) = find_project_and_instance(&directory, &arguments, action).await?;
    let principal = load_user_principal(&directory, &user).await?;
    let resource = Resource {
        project: project.as_ref().map(|project| TargetProject {
            id: &project.id,
            name: &project.name,
            domain_id: Some(&project.domain_id),
        }),
        region: directory.store.region(),
        instance: instance.as_ref().map(|instance| TargetInstance {
            id: &instance.id,
            enterprise_project_id: Some(&instance.enterprise_project_id),
            tags: &instance.tags,
        }),
        request_tags: &arguments.tags,
    };
    let environment = RequestEnvironment {
        now: arguments.at.unwrap_or_else(Timestamp::now),
        source_ip: arguments.source_ip,
        secure_transport: !arguments.plain_http,
    };
    let simulation = report::PolicySimulation {
        explanation: explain_decision(&principal, action, &resource, &environment),
        denial_reasons: find_denial_reasons(&user, project.as_ref()),
        action,
        user: &user,
        project: project.as_ref(),
        instance: instance.as_ref(),
    };
    if action.target == ActionResourceType::Instance && instance.is_none() {
        output::write_stderr(
            "note: without --instance, conditions on an instance do not match; a list request checks each instance separately\n",
        );
    }
    directory.format.print(|| simulation.render_text(), || simulation.to_json())?;
    if simulation.is_allowed() { Ok(()) } else { Err(CliError::NegativeResult) }
}

fn parse_action_name(name: &str) -> Result<Action, CliError> {
    Action::find_action_by_name(name).ok_or_else(|| {
        let names = Action::ALL.iter().flat_map(|action| [action.name, action.alias]);
        let hint = find_most_similar_name(name, names).map_or_else(
            || {
                format!(
                    "valid actions: {}",
                    Action::ALL.iter().map(|action| action.name).collect::<Vec<_>>().join(", ")
                )
            },
            |name| format!("did you mean {name}?"),
        );
        refused!("there is no action {name:?}").with_suggested_fix(hint)
    })
}

async fn find_project_and_instance(
    directory: &IdentityDirectory,
    arguments: &SimulateArgs,
    action: Action,
) -> Result<(Option<Project>, Option<Instance>), CliError> {
    if action.target != ActionResourceType::Instance && arguments.instance.is_some() {
        return Err(refused!("{} does not apply to an instance; omit --instance", action.name));
    }
    if action.target == ActionResourceType::Domain {
        if arguments.project.is_some() {
            return Err(refused!("{} applies to the domain; omit --project", action.name));
        }
        return Ok((None, None));
    }
    let project = if let Some(project) = &arguments.project {
        directory.find_project(project).await?
    } else {
        let projects = directory.store.tenants().list_projects(&directory.domain.id).await?;
        require_single_item(projects, "project", |project| &project.name)?
    };
    let Some(name_or_id) = &arguments.instance else { return Ok((Some(project), None)) };
    let instance = instance::find_instance(&directory.store, &project.id, name_or_id).await?;
    let unknown = || {
        refused!("there is no instance {name_or_id:?} in the project {}", project.name)
            .with_suggested_fix("clew instance list shows all")
    };
    let instance = instance.ok_or_else(unknown)?;
    Ok((Some(project), Some(instance)))
}

async fn load_user_principal(directory: &IdentityDirectory, user: &User) -> Result<Principal, CliError> {
    let grants = directory.store.policies().list_user_policy_grants(&user.id).await?.into_iter();
    let grants = grants
        .map(|stored| clew_api::parse_policy_grant(stored).inspect_err(|error| print_invalid_policy_note(&error.0)));
    Ok(Principal {
        user_id: user.id.clone(),
        user_name: user.name.clone(),
        domain_id: user.domain_id.clone(),
        domain_name: user.domain_name.clone(),
        scope: CredentialScope::AccessKey,
        administrator: user.administrator,
        // As on the server, an unreadable policy disables all grants, because the policy may contain a Deny statement.
        grants: grants.collect::<Result<_, _>>().unwrap_or_default(),
        budget: Arc::default(),
    })
}

fn print_invalid_policy_note(policy: &str) {
    output::write_stderr(&format!(
        "note: the policy {policy} is invalid; users with this policy have no access until it is replaced\n"
    ));
}

/// The server denies a request for these reasons without evaluating any policy.
fn find_denial_reasons(user: &User, project: Option<&Project>) -> Vec<String> {
    let mut denial_reasons = Vec::new();
    if !user.enabled {
        denial_reasons.push(format!("the user {} is disabled", user.name));
    }
    if let Some(project) = project.filter(|project| !project.enabled) {
        denial_reasons.push(format!("the project {} is disabled", project.name));
    }
    denial_reasons
}
