//! `clew policy …`: manages policies and their attachments, and simulates authorization decisions.

mod attach;
mod document;
mod put;
mod simulate;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clew_diagnose::terminal::sanitize_multiline_text;
use clew_store::{Grantee, PolicyAttachment, PolicyRef};
use serde_json::{Value, json};

use crate::confirm::ConfirmationArgs;
use crate::error::CliError;
use crate::identity_directory::{IdentityDirectory, NamedPolicy};
use crate::output::{Format, merge_json_objects};
use crate::store_args::IamDomainArgs;
use crate::text_table;

#[derive(Debug, Args)]
pub(crate) struct PolicyCommandArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    Put(put::PutArgs),
    Validate(ValidateArgs),
    List(ListArgs),
    Show(ShowArgs),
    Attach(attach::AttachArgs),
    Detach(attach::DetachArgs),
    Remove(RemoveArgs),
    Simulate(Box<simulate::SimulateArgs>),
}

/// Validate a policy document and print each error with its line and column.
/// Exits with code 1 if the document has errors.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  clew policy validate read-only.json\n  jq . read-only.json | clew policy validate - --format json"
)]
struct ValidateArgs {
    /// Policy document, or - for stdin
    file: PathBuf,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// List the domain's policies and the system policies.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew policy list")]
struct ListArgs {
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Show a policy with its attachments.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew policy show \"TaurusDB ReadOnlyAccess\"")]
struct ShowArgs {
    /// Name or id
    policy: String,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Delete a policy that is not attached to any user or group.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew policy remove read-test --yes")]
struct RemoveArgs {
    /// Name or id
    policy: String,
    #[command(flatten)]
    confirmation: ConfirmationArgs,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

pub(crate) async fn run(arguments: PolicyCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        PolicyCommand::Put(arguments) => put::run(arguments).await,
        PolicyCommand::Validate(arguments) => document::validate_policy_file(&arguments.file, arguments.format),
        PolicyCommand::List(arguments) => list_policies(arguments).await,
        PolicyCommand::Show(arguments) => show_policy(arguments).await,
        PolicyCommand::Attach(arguments) => attach::attach_policy(arguments).await,
        PolicyCommand::Detach(arguments) => attach::detach_policy(arguments).await,
        PolicyCommand::Remove(arguments) => remove_policy(arguments).await,
        PolicyCommand::Simulate(arguments) => simulate::run(*arguments).await,
    }
}

async fn list_policies(arguments: ListArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let mut policies = Vec::new();
    for policy in directory.list_policies().await? {
        let count = load_policy_attachments(&directory, &policy).await?.len();
        policies.push((policy, count));
    }
    arguments.domain_args.output_format().print(
        || {
            let row = |(policy, count): &(NamedPolicy, usize)| {
                [policy.name.clone(), policy.model.to_owned(), count.to_string(), policy.description.clone()]
            };
            let headings = ["NAME", "MODEL", "ATTACHED", "DESCRIPTION"];
            text_table::render_table(headings, policies.iter().map(row).collect(), "No policies.")
        },
        || {
            let value = |(policy, count): &(NamedPolicy, usize)| {
                merge_json_objects(policy_to_json(policy), json!({ "attached": count }))
            };
            json!({ "policies": policies.iter().map(value).collect::<Vec<_>>() })
        },
    )
}

/// For a system policy, omits attachments to users and groups of other domains.
async fn load_policy_attachments(
    directory: &IdentityDirectory,
    policy: &NamedPolicy,
) -> Result<Vec<(PolicyAttachmentTarget, PolicyAttachment)>, CliError> {
    let store = &directory.store;
    let mut attachments = Vec::new();
    for attachment in store.policies().list_policy_attachments(&policy.reference).await? {
        let domain_and_name = match &attachment.grantee {
            Grantee::User(id) => {
                store.identities().find_user(id).await?.map(|user| (user.domain_id, format!("user {}", user.name)))
            }
            Grantee::Group(id) => {
                store.identities().find_group(id).await?.map(|group| (group.domain_id, format!("group {}", group.name)))
            }
        };
        let Some((domain, grantee)) = domain_and_name else { continue };
        if domain != directory.domain.id {
            continue;
        }
        let project = match &attachment.project {
            Some(id) => store.tenants().find_project(id).await?.map(|project| project.name),
            None => None,
        };
        attachments.push((PolicyAttachmentTarget { grantee, project }, attachment));
    }
    Ok(attachments)
}

struct PolicyAttachmentTarget {
    grantee: String,
    project: Option<String>,
}

async fn show_policy(arguments: ShowArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let policy = directory.find_policy(&arguments.policy).await?;
    let attachments = load_policy_attachments(&directory, &policy).await?;
    arguments.domain_args.output_format().print(
        || {
            let attached = attachments.iter().map(|(names, _)| match &names.project {
                Some(project) => format!("{} (project {project})", names.grantee),
                None => names.grantee.clone(),
            });
            let attached = attached.collect::<Vec<_>>().join(", ");
            let fields = text_table::render_field_list(&[
                ("policy", policy.name.clone()),
                ("model", policy.model.to_owned()),
                ("description", policy.description.clone()),
                ("attached to", if attached.is_empty() { "none".to_owned() } else { attached }),
            ]);
            let document: Vec<_> = policy.document.trim_end().lines().map(sanitize_multiline_text).collect();
            format!("{fields}\n{}\n", document.join("\n"))
        },
        || {
            let attached = |(names, attachment): &(PolicyAttachmentTarget, PolicyAttachment)| {
                let (user, group) = match &attachment.grantee {
                    Grantee::User(id) => (Some(id), None),
                    Grantee::Group(id) => (None, Some(id)),
                };
                json!({
                    "user_id": user, "group_id": group, "project_id": attachment.project, "grantee": names.grantee,
                })
            };
            let attachments: Vec<_> = attachments.iter().map(attached).collect();
            // Show a stored document as text if it is not valid JSON.
            let document: Value =
                serde_json::from_str(&policy.document).unwrap_or_else(|_| policy.document.clone().into());
            merge_json_objects(policy_to_json(&policy), json!({ "attachments": attachments, "document": document }))
        },
    )
}

async fn remove_policy(arguments: RemoveArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let policy = directory.find_policy(&arguments.policy).await?;
    let PolicyRef::Custom(id) = &policy.reference else {
        return Err(CliError::new_refusal(format!("{} is a system policy and cannot be removed", policy.name)));
    };
    arguments.confirmation.prompt_for_confirmation(format!("remove the policy {}", policy.name)).await?;
    directory.store.policies().remove_policy(&directory.origin, id).await?;
    arguments
        .domain_args
        .output_format()
        .print(|| format!("Removed the policy {} ({id}).\n", policy.name), || json!({ "removed": id }))
}

fn policy_to_json(policy: &NamedPolicy) -> Value {
    let id = match &policy.reference {
        PolicyRef::Custom(id) => Some(id),
        PolicyRef::System(_) => None,
    };
    json!({
        "id": id,
        "name": policy.name,
        "system": id.is_none(),
        "model": policy.model,
        "description": policy.description,
    })
}
