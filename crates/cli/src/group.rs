//! `clew group …`: manages user groups and the policies that apply to their members.

use clap::{Args, Subcommand};
use clew_store::{Grantee, Group, PolicyAttachment, PolicyRef, User};
use serde_json::json;

use crate::command_group::CommandGroup;
use crate::confirmation::ConfirmationArgs;
use crate::error::{CliError, refused};
use crate::identity_directory::IdentityDirectory;
use crate::output::merge_json_objects;
use crate::store_args::{IamDomainArgs, NameAndDescriptionArgs};
use crate::text_table::{self, ListFormat, fields_to_json};

pub(crate) type GroupCommandArgs = CommandGroup<GroupCommand, IamDomainArgs>;

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Create a group.
    #[command(after_help = "Example:\n  clew group create developers")]
    Create(NameAndDescriptionArgs),
    /// List groups.
    #[command(after_help = "Example:\n  clew group list")]
    List,
    /// Show a group with its members and policies.
    #[command(after_help = "Example:\n  clew group show developers")]
    Show {
        /// Name or id
        group: String,
    },
    /// Add users to a group.
    #[command(after_help = "Example:\n  clew group add developers ada grace")]
    Add(GroupMemberArgs),
    /// Remove users from a group.
    #[command(after_help = "Example:\n  clew group drop developers grace")]
    Drop(GroupMemberArgs),
    /// Delete a group. Its members lose the group's policies.
    #[command(after_help = "Example:\n  clew group remove developers --yes")]
    Remove {
        /// Name or id
        group: String,
        #[command(flatten)]
        confirmation: ConfirmationArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct GroupMemberArgs {
    /// Name or id of the group
    group: String,
    /// Names or ids of the users
    #[arg(value_name = "USER", required = true)]
    users: Vec<String>,
}

const GROUP_LIST_FORMAT: ListFormat<Group, 3> = ListFormat {
    json_key: "groups",
    headings: ["NAME", "GROUP", "DESCRIPTION"],
    empty_message: "No groups. Create one with clew group create.",
    to_row: |group| [group.name.clone(), group.id.to_string(), group.description.clone()],
    to_json: |group| fields_to_json!(group, id, name, domain_id, description),
};

pub(crate) async fn run(arguments: GroupCommandArgs) -> Result<(), CliError> {
    let directory = arguments.options.open_identity_directory().await?;
    let (identities, origin, domain) = (directory.store.identities(), &directory.origin, &directory.domain.id);
    match arguments.command {
        GroupCommand::Create(NameAndDescriptionArgs { name, description }) => {
            let id = identities.create_group(origin, domain, &name, &description).await?;
            directory.print_created_object("group", &name, &id, &format!("Next: clew group add {name} USER\n"))
        }
        GroupCommand::List => GROUP_LIST_FORMAT.print(directory.format, &identities.list_groups(domain).await?),
        GroupCommand::Show { group } => show_group(&directory, &group).await,
        GroupCommand::Add(arguments) => update_group_members(&directory, &arguments, true).await,
        GroupCommand::Drop(arguments) => update_group_members(&directory, &arguments, false).await,
        GroupCommand::Remove { group, confirmation } => {
            let Group { id, name, .. } = directory.find_group(&group).await?;
            let what = format!("remove the group {name}; its members lose the policies attached to it");
            confirmation.prompt_for_confirmation(what).await?;
            identities.remove_group(origin, &id).await?;
            directory.print_removed_object("group", &name, &id)
        }
    }
}

async fn show_group(directory: &IdentityDirectory, group: &str) -> Result<(), CliError> {
    let group = directory.find_group(group).await?;
    let members = directory.store.identities().list_group_members(&group.id).await?;
    let policies = load_policy_attachments(directory, &group).await?;
    directory.format.print(
        || {
            let names = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let policy = |(name, attachment): &(String, PolicyAttachment)| match &attachment.project {
                Some(project) => format!("{name} (project {project})"),
                None => name.clone(),
            };
            let mut fields = GROUP_LIST_FORMAT.fields(&group);
            fields.push(("members".to_owned(), names(members.iter().map(|user| user.name.clone()).collect())));
            fields.push(("policies".to_owned(), names(policies.iter().map(policy).collect())));
            text_table::render_field_list(&fields)
        },
        || {
            let member = |user: &User| fields_to_json!(user, id, name);
            let policy =
                |(name, attachment): &(String, PolicyAttachment)| json!({ "policy": name, "project_id": attachment.project });
            let members: Vec<_> = members.iter().map(member).collect();
            let policies: Vec<_> = policies.iter().map(policy).collect();
            merge_json_objects((GROUP_LIST_FORMAT.to_json)(&group), json!({ "members": members, "policies": policies }))
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

async fn update_group_members(
    directory: &IdentityDirectory,
    arguments: &GroupMemberArgs,
    add: bool,
) -> Result<(), CliError> {
    let (identities, origin) = (directory.store.identities(), &directory.origin);
    let group = directory.find_group(&arguments.group).await?;
    let mut resolved = Vec::new();
    for user in &arguments.users {
        resolved.push(directory.find_user(user).await?);
    }
    if !add {
        let members = identities.list_group_members(&group.id).await?;
        if let Some(user) = resolved.iter().find(|user| members.iter().all(|member| member.id != user.id)) {
            return Err(refused!("{} is not a member of {}; nothing was changed", user.name, group.name)
                .with_suggested_fix(format!("clew group show {} lists the members", group.name)));
        }
    }
    for user in &resolved {
        if add {
            identities.add_group_member(origin, &group.id, &user.id).await?;
        } else {
            identities.remove_group_member(origin, &group.id, &user.id).await?;
        }
    }
    let members = identities.list_group_members(&group.id).await?;
    let names: Vec<_> = members.iter().map(|user| user.name.clone()).collect();
    directory.format.print(
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
