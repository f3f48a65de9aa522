//! `clew group …`: users who share policies.

use clap::{Args, Subcommand};
use clew_store::{Attachment, Grantee, Group, PolicyRef, User};
use serde_json::{Value, json};

use crate::confirm::Confirmation;
use crate::directory::{Directory, Place};
use crate::error::CliError;
use crate::listing;
use crate::names;
use crate::output::joined;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Show(One),
    Add(Add),
    Drop(Drop),
    Remove(Remove),
}

/// Make a group.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group create developers")]
struct Create {
    /// Name, unique in the domain
    #[arg(value_parser = names::parse)]
    name: String,
    /// Who is in it
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = names::parse_description)]
    description: String,
    #[command(flatten)]
    place: Place,
}

/// List groups.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group list")]
struct List {
    #[command(flatten)]
    place: Place,
}

/// Show a group with its members and policies.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group show developers")]
struct One {
    /// Name or id
    group: String,
    #[command(flatten)]
    place: Place,
}

/// Make users members of a group.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group add developers ada grace")]
struct Add {
    #[command(flatten)]
    members: Members,
}

/// Make users members of a group no more.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group drop developers grace")]
struct Drop {
    #[command(flatten)]
    members: Members,
}

/// A group and users.
#[derive(Debug, Args)]
struct Members {
    /// Name or id
    group: String,
    /// Names or ids
    #[arg(value_name = "USER", required = true)]
    users: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// Remove a group. Its members stay, but lose what was attached to it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew group remove developers --yes")]
struct Remove {
    /// Name or id
    group: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.action {
        Action::Create(arguments) => create(arguments).await,
        Action::List(arguments) => list(arguments).await,
        Action::Show(arguments) => show(arguments).await,
        Action::Add(arguments) => change(arguments.members, true).await,
        Action::Drop(arguments) => change(arguments.members, false).await,
        Action::Remove(arguments) => remove(arguments).await,
    }
}

async fn create(arguments: Create) -> Result<(), CliError> {
    let Create { name, description, place } = arguments;
    let directory = place.open().await?;
    let domain = &directory.domain;
    let id = directory.store.create_group(&directory.by, &domain.id, &name, &description).await?;
    place.format().say(
        || format!("Made the group {name} ({id}) in the domain {}.\nNext: clew group add {name} USER\n", domain.name),
        || json!({ "id": id, "name": name, "domain_id": domain.id }),
    )
}

async fn list(arguments: List) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let groups = directory.store.groups_of(&directory.domain.id).await?;
    let row = |group: &Group| [group.name.clone(), group.id.to_string(), group.description.clone()];
    arguments.place.format().say(
        || {
            let rows = groups.iter().map(row).collect();
            listing::list(["NAME", "GROUP", "DESCRIPTION"], rows, "No groups; clew group create makes one.")
        },
        || json!({ "groups": groups.iter().map(value).collect::<Vec<_>>() }),
    )
}

async fn show(arguments: One) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let group = directory.group(&arguments.group).await?;
    let members = directory.store.members_of(&group.id).await?;
    let policies = policies(&directory, &group).await?;
    arguments.place.format().say(
        || {
            let names = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let policy = |(name, attachment): &(String, Attachment)| match &attachment.project {
                Some(project) => format!("{name} (project {project})"),
                None => name.clone(),
            };
            listing::facts(&[
                ("group", format!("{} ({})", group.name, group.id)),
                ("description", group.description.clone()),
                ("members", names(members.iter().map(|user| user.name.clone()).collect())),
                ("policies", names(policies.iter().map(policy).collect())),
            ])
        },
        || {
            let member = |user: &User| json!({ "id": user.id, "name": user.name });
            let policy =
                |(name, attachment): &(String, Attachment)| json!({ "policy": name, "project_id": attachment.project });
            let members: Vec<_> = members.iter().map(member).collect();
            let policies: Vec<_> = policies.iter().map(policy).collect();
            joined(value(&group), json!({ "members": members, "policies": policies }))
        },
    )
}

/// What is attached to a group, with the policies' names.
async fn policies(directory: &Directory, group: &Group) -> Result<Vec<(String, Attachment)>, CliError> {
    let mut policies = Vec::new();
    for attachment in directory.store.attachments_to(&Grantee::Group(group.id.clone())).await? {
        let name = match &attachment.policy {
            PolicyRef::System(name) => name.clone(),
            PolicyRef::Own(id) => {
                directory.store.policy(id).await?.map_or_else(|| id.to_string(), |policy| policy.name)
            }
        };
        policies.push((name, attachment));
    }
    Ok(policies)
}

async fn change(arguments: Members, add: bool) -> Result<(), CliError> {
    let Members { group, users, place } = arguments;
    let directory = place.open().await?;
    let (store, by) = (&directory.store, &directory.by);
    let group = directory.group(&group).await?;
    let mut found = Vec::new();
    for user in &users {
        found.push(directory.user(user).await?);
    }
    if !add {
        let members = store.members_of(&group.id).await?;
        if let Some(user) = found.iter().find(|user| members.iter().all(|member| member.id != user.id)) {
            let what = format!("{} is no member of {}; nothing was changed", user.name, group.name);
            return Err(CliError::refused(what).with_hint(format!("clew group show {} tells who is", group.name)));
        }
    }
    for user in &found {
        if add {
            store.add_member(by, &group.id, &user.id).await?;
        } else {
            store.remove_member(by, &group.id, &user.id).await?;
        }
    }
    let members = store.members_of(&group.id).await?;
    let names: Vec<_> = members.iter().map(|user| user.name.clone()).collect();
    place.format().say(
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

async fn remove(arguments: Remove) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let group = directory.group(&arguments.group).await?;
    let what = format!("remove the group {}; its members lose what is attached to it", group.name);
    arguments.confirmation.ask(what).await?;
    directory.store.remove_group(&directory.by, &group.id).await?;
    arguments
        .place
        .format()
        .say(|| format!("Removed the group {} ({}).\n", group.name, group.id), || json!({ "removed": group.id }))
}

fn value(group: &Group) -> Value {
    json!({ "id": group.id, "name": group.name, "domain_id": group.domain_id, "description": group.description })
}
