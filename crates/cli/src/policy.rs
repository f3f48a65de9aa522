//! `clew policy …`: manages policies and their attachments, and simulates authorization decisions.

mod attach;
mod document;
mod put;
mod simulate;

use std::path::PathBuf;

use clap::Subcommand;
use clew_diagnose::terminal::sanitize_multiline_text;
use clew_store::{Grantee, PolicyAttachment, PolicyRef};
use serde_json::{Value, json};

use crate::command_group::CommandGroup;
use crate::confirmation::ConfirmationArgs;
use crate::error::{CliError, refused};
use crate::identity_directory::{IdentityDirectory, NamedPolicy};
use crate::output::{CommandOutputFormat, merge_json_objects};
use crate::store_args::IamDomainArgs;
use crate::text_table::{self, ListFormat};

pub(crate) type PolicyCommandArgs = CommandGroup<PolicyCommand>;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Create a policy, or replace the policy with the same name.
    /// The new policy document takes effect immediately for all users and groups to which the policy is attached.
    #[command(after_help = put::AFTER_HELP)]
    Put(put::PutArgs),
    /// Validate a policy document and print each error with its line and column.
    /// Exits with code 1 if the document has errors.
    #[command(
        after_help = "Examples:\n  clew policy validate read-only.json\n  jq . read-only.json | clew policy validate - --format json"
    )]
    Validate {
        /// Policy document, or - for stdin
        file: PathBuf,
        /// Output format
        #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
        format: CommandOutputFormat,
    },
    /// List the domain's policies and the system policies.
    #[command(after_help = "Example:\n  clew policy list")]
    List(IamDomainArgs),
    /// Show a policy with its attachments.
    #[command(after_help = "Example:\n  clew policy show \"TaurusDB ReadOnlyAccess\"")]
    Show {
        /// Name or id
        policy: String,
        #[command(flatten)]
        domain_args: IamDomainArgs,
    },
    /// Attach a policy to a user or group, with immediate effect.
    #[command(after_help = attach::ATTACH_COMMAND_AFTER_HELP)]
    Attach(attach::PolicyAttachmentArgs),
    /// Detach a policy from a user or group, with immediate effect.
    #[command(after_help = "Example:\n  clew policy detach read-test --user ada")]
    Detach(attach::PolicyAttachmentArgs),
    /// Delete a policy that is not attached to any user or group.
    #[command(after_help = "Example:\n  clew policy remove read-test --yes")]
    Remove {
        /// Name or id
        policy: String,
        #[command(flatten)]
        confirmation: ConfirmationArgs,
        #[command(flatten)]
        domain_args: IamDomainArgs,
    },
    /// Simulate a request and explain the decision: which policy statement decides, and why other statements do not match.
    ///
    /// Exits with code 0 if the request would be allowed, otherwise with code 1.
    #[command(after_help = simulate::AFTER_HELP)]
    Simulate(Box<simulate::SimulateArgs>),
}

const POLICY_LIST_FORMAT: ListFormat<(NamedPolicy, usize), 4> = ListFormat {
    json_key: "policies",
    headings: ["NAME", "MODEL", "ATTACHED", "DESCRIPTION"],
    empty_message: "No policies.",
    to_row: |(policy, count)| {
        [policy.name.clone(), policy.model.to_owned(), count.to_string(), policy.description.clone()]
    },
    to_json: |(policy, count)| merge_json_objects(policy_to_json(policy), json!({ "attached": count })),
};

pub(crate) async fn run(arguments: PolicyCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        PolicyCommand::Put(arguments) => put::run(arguments).await,
        PolicyCommand::Validate { file, format } => document::validate_policy_file(&file, format),
        PolicyCommand::List(domain_args) => list_policies(&domain_args.open_identity_directory().await?).await,
        PolicyCommand::Show { policy, domain_args } => {
            show_policy(&domain_args.open_identity_directory().await?, &policy).await
        }
        PolicyCommand::Attach(arguments) => attach::attach_or_detach_policy(&arguments, true).await,
        PolicyCommand::Detach(arguments) => attach::attach_or_detach_policy(&arguments, false).await,
        PolicyCommand::Remove { policy, confirmation, domain_args } => {
            remove_policy(&domain_args.open_identity_directory().await?, &policy, &confirmation).await
        }
        PolicyCommand::Simulate(arguments) => simulate::run(*arguments).await,
    }
}

async fn list_policies(directory: &IdentityDirectory) -> Result<(), CliError> {
    let mut policies = Vec::new();
    for policy in directory.list_policies().await? {
        let count = load_policy_attachments(directory, &policy).await?.len();
        policies.push((policy, count));
    }
    POLICY_LIST_FORMAT.print(directory.format, &policies)
}

/// Omits attachments of system policies to users and groups outside the selected domain.
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

async fn show_policy(directory: &IdentityDirectory, policy: &str) -> Result<(), CliError> {
    let policy = directory.find_policy(policy).await?;
    let attachments = load_policy_attachments(directory, &policy).await?;
    directory.format.print(
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
                let (user, group) = attach::user_and_group_ids(&attachment.grantee);
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

async fn remove_policy(
    directory: &IdentityDirectory,
    policy: &str,
    confirmation: &ConfirmationArgs,
) -> Result<(), CliError> {
    let policy = directory.find_policy(policy).await?;
    let PolicyRef::Custom(id) = &policy.reference else {
        return Err(refused!("{} is a system policy and cannot be removed", policy.name));
    };
    confirmation.prompt_for_confirmation(format!("remove the policy {}", policy.name)).await?;
    directory.store.policies().remove_policy(&directory.origin, id).await?;
    directory.print_removed_object("policy", &policy.name, id)
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
