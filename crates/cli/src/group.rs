//! `clew group …`: manages user groups and the policies that apply to their members.

use clap::{Args, Subcommand};
use clew_store::{Grantee, Group, PolicyAttachment, PolicyRef, User};
use serde_json::{Value, json};

use crate::confirm::ConfirmationArgs;
use crate::error::CliError;
use crate::identity_directory::IdentityDirectory;
use crate::output::merge_json_objects;
use crate::store_args::IamDomainArgs;
use crate::text_table;
use crate::value_parsers;

#[derive(Debug, Args)]
pub(crate) struct GroupCommandArgs {
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, Subcommand)]
enum GroupCommand {
    Create(CreateArgs),
    List(ListArgs),
    Show(ShowArgs),
    Add(AddMembersArgs),
    Drop(RemoveMembersArgs),
    Remove(RemoveArgs),
}

/// Create a group.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group create developers")]
struct CreateArgs {
    /// Name, unique in the domain
    #[arg(value_parser = value_parsers::parse_identity_name)]
    name: String,
    /// Description
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = value_parsers::parse_description)]
    description: String,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// List groups.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group list")]
struct ListArgs {
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Show a group with its members and policies.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group show developers")]
struct ShowArgs {
    /// Name or id
    group: String,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Add users to a group.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group add developers ada grace")]
struct AddMembersArgs {
    #[command(flatten)]
    members: GroupMemberArgs,
}

/// Remove users from a group.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group drop developers grace")]
struct RemoveMembersArgs {
    #[command(flatten)]
    members: GroupMemberArgs,
}

#[derive(Debug, Args)]
struct GroupMemberArgs {
    /// Name or id of the group
    group: String,
    /// Names or ids of the users
    #[arg(value_name = "USER", required = true)]
    users: Vec<String>,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Delete a group. Its members lose the group's policies.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group remove developers --yes")]
struct RemoveArgs {
    /// Name or id
    group: String,
    #[command(flatten)]
    confirmation: ConfirmationArgs,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

pub(crate) async fn run(arguments: GroupCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        GroupCommand::Create(arguments) => create_group(arguments).await,
        GroupCommand::List(arguments) => list_groups(arguments).await,
        GroupCommand::Show(arguments) => show_group(arguments).await,
        GroupCommand::Add(arguments) => update_group_members(arguments.members, true).await,
        GroupCommand::Drop(arguments) => update_group_members(arguments.members, false).await,
        GroupCommand::Remove(arguments) => remove_group(arguments).await,
    }
}

async fn create_group(arguments: CreateArgs) -> Result<(), CliError> {
    let CreateArgs { name, description, domain_args } = arguments;
    let directory = domain_args.open_identity_directory().await?;
    let domain = &directory.domain;
    let id = directory.store.identities().create_group(&directory.origin, &domain.id, &name, &description).await?;
    domain_args.output_format().print(
        || {
            format!(
                "Created the group {name} ({id}) in the domain {}.\nNext: clew group add {name} USER\n",
                domain.name
            )
        },
        || json!({ "id": id, "name": name, "domain_id": domain.id }),
    )
}

async fn list_groups(arguments: ListArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let groups = directory.store.identities().list_groups(&directory.domain.id).await?;
    let row = |group: &Group| [group.name.clone(), group.id.to_string(), group.description.clone()];
    arguments.domain_args.output_format().print(
        || {
            let rows = groups.iter().map(row).collect();
            text_table::render_table(
                ["NAME", "GROUP", "DESCRIPTION"],
                rows,
                "No groups. Create one with clew group create.",
            )
        },
        || json!({ "groups": groups.iter().map(group_to_json).collect::<Vec<_>>() }),
    )
}

async fn show_group(arguments: ShowArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let group = directory.find_group(&arguments.group).await?;
    let members = directory.store.identities().list_group_members(&group.id).await?;
    let policies = load_policy_attachments(&directory, &group).await?;
    arguments.domain_args.output_format().print(
        || {
            let names = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let policy = |(name, attachment): &(String, PolicyAttachment)| match &attachment.project {
                Some(project) => format!("{name} (project {project})"),
                None => name.clone(),
            };
            text_table::render_field_list(&[
                ("group", format!("{} ({})", group.name, group.id)),
                ("description", group.description.clone()),
                ("members", names(members.iter().map(|user| user.name.clone()).collect())),
                ("policies", names(policies.iter().map(policy).collect())),
            ])
        },
        || {
            let member = |user: &User| json!({ "id": user.id, "name": user.name });
            let policy =
                |(name, attachment): &(String, PolicyAttachment)| json!({ "policy": name, "project_id": attachment.project });
            let members: Vec<_> = members.iter().map(member).collect();
            let policies: Vec<_> = policies.iter().map(policy).collect();
            merge_json_objects(group_to_json(&group), json!({ "members": members, "policies": policies }))
        },
    )
}

async fn load_policy_attachments(
    directory: &IdentityDirectory,
    group: &Group,
) -> Result<Vec<(String, PolicyAttachment)>, CliError> {
    let mut policies = Vec::new();
    for attachment in directory.store.policies().list_attachments_by_grantee(&Grantee::Group(group.id.clone())).await? {
        let name = match &attachment.policy {
            PolicyRef::System(name) => name.clone(),
            PolicyRef::Custom(id) => {
                directory.store.policies().find_policy(id).await?.map_or_else(|| id.to_string(), |policy| policy.name)
            }
        };
        policies.push((name, attachment));
    }
    Ok(policies)
}

async fn update_group_members(arguments: GroupMemberArgs, add: bool) -> Result<(), CliError> {
    let GroupMemberArgs { group, users, domain_args } = arguments;
    let directory = domain_args.open_identity_directory().await?;
    let (store, origin) = (&directory.store, &directory.origin);
    let group = directory.find_group(&group).await?;
    let mut resolved = Vec::new();
    for user in &users {
        resolved.push(directory.find_user(user).await?);
    }
    if !add {
        let members = store.identities().list_group_members(&group.id).await?;
        if let Some(user) = resolved.iter().find(|user| members.iter().all(|member| member.id != user.id)) {
            let what = format!("{} is not a member of {}; nothing was changed", user.name, group.name);
            return Err(CliError::new_refusal(what)
                .with_suggested_fix(format!("clew group show {} lists the members", group.name)));
        }
    }
    for user in &resolved {
        if add {
            store.identities().add_group_member(origin, &group.id, &user.id).await?;
        } else {
            store.identities().remove_group_member(origin, &group.id, &user.id).await?;
        }
    }
    let members = store.identities().list_group_members(&group.id).await?;
    let names: Vec<_> = members.iter().map(|user| user.name.clone()).collect();
    domain_args.output_format().print(
        || {
            if names.is_empty() {
                format!("{} has no members.\n", group.name)
            } else {
                format!("Members of {}: {}\n", group.name, names.join(", "))
            }
        },
        || json!({ "id": group.id, "name": group.name, "members": names }),
    )
}

async fn remove_group(arguments: RemoveArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let group = directory.find_group(&arguments.group).await?;
    let what = format!("remove the group {}; its members lose the policies attached to it", group.name);
    arguments.confirmation.prompt_for_confirmation(what).await?;
    directory.store.identities().remove_group(&directory.origin, &group.id).await?;
    arguments
        .domain_args
        .output_format()
        .print(|| format!("Removed the group {} ({}).\n", group.name, group.id), || json!({ "removed": group.id }))
}

fn group_to_json(group: &Group) -> Value {
    json!({ "id": group.id, "name": group.name, "domain_id": group.domain_id, "description": group.description })
}
