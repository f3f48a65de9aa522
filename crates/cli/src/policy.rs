//! `clew policy …`: who may do what.

mod attach;
mod document;
mod put;
mod simulate;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clew_diagnose::terminal::sanitize;
use clew_store::{Attachment, Grantee, PolicyRef};
use serde_json::{Value, json};

use crate::confirm::Confirmation;
use crate::directory::{Directory, FoundPolicy, Place};
use crate::error::CliError;
use crate::listing;
use crate::output::{Format, joined};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Put(put::Arguments),
    Validate(Validate),
    List(List),
    Show(One),
    Attach(attach::Attach),
    Detach(attach::Detach),
    Remove(Remove),
    Simulate(Box<simulate::Arguments>),
}

/// Say everything that is wrong with a policy, with line and column. Ends with 1 if something is.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  clew policy validate look.json\n  jq . look.json | clew policy validate - --format json"
)]
struct Validate {
    /// The document; - means stdin
    file: PathBuf,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Format,
}

/// List policies: the domain's own, and those that come with Clew.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew policy list")]
struct List {
    #[command(flatten)]
    place: Place,
}

/// Show a policy, and whom it is attached to.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew policy show \"TaurusDB ReadOnlyAccess\"")]
struct One {
    /// Name or id
    policy: String,
    #[command(flatten)]
    place: Place,
}

/// Remove a policy that is attached to nobody.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew policy remove look-at-test --yes")]
struct Remove {
    /// Name or id
    policy: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.action {
        Action::Put(arguments) => put::run(arguments).await,
        Action::Validate(arguments) => document::validate(&arguments.file, arguments.format),
        Action::List(arguments) => list(arguments).await,
        Action::Show(arguments) => show(arguments).await,
        Action::Attach(arguments) => attach::attach(arguments).await,
        Action::Detach(arguments) => attach::detach(arguments).await,
        Action::Remove(arguments) => remove(arguments).await,
        Action::Simulate(arguments) => simulate::run(*arguments).await,
    }
}

async fn list(arguments: List) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let mut policies = Vec::new();
    for policy in directory.policies().await? {
        let times = attachments(&directory, &policy).await?.len();
        policies.push((policy, times));
    }
    arguments.place.format().say(
        || {
            let row = |(policy, times): &(FoundPolicy, usize)| {
                [policy.name.clone(), policy.model.to_owned(), times.to_string(), policy.description.clone()]
            };
            let headings = ["NAME", "MODEL", "ATTACHED", "DESCRIPTION"];
            listing::list(headings, policies.iter().map(row).collect(), "No policies.")
        },
        || {
            let value = |(policy, times): &(FoundPolicy, usize)| joined(value(policy), json!({ "attached": times }));
            json!({ "policies": policies.iter().map(value).collect::<Vec<_>>() })
        },
    )
}

/// Whom a policy is attached to in this domain: one that comes with Clew serves them all.
async fn attachments(directory: &Directory, policy: &FoundPolicy) -> Result<Vec<(Named, Attachment)>, CliError> {
    let store = &directory.store;
    let mut found = Vec::new();
    for attachment in store.attachments_of(&policy.reference).await? {
        let named = match &attachment.grantee {
            Grantee::User(id) => store.user(id).await?.map(|user| (user.domain_id, format!("user {}", user.name))),
            Grantee::Group(id) => {
                store.group(id).await?.map(|group| (group.domain_id, format!("group {}", group.name)))
            }
        };
        let Some((domain, grantee)) = named else { continue };
        if domain != directory.domain.id {
            continue;
        }
        let project = match &attachment.project {
            Some(id) => store.project(id).await?.map(|project| project.name),
            None => None,
        };
        found.push((Named { grantee, project }, attachment));
    }
    Ok(found)
}

/// An attachment in words.
struct Named {
    grantee: String,
    project: Option<String>,
}

async fn show(arguments: One) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let policy = directory.policy(&arguments.policy).await?;
    let attachments = attachments(&directory, &policy).await?;
    arguments.place.format().say(
        || {
            let attached = attachments.iter().map(|(named, _)| match &named.project {
                Some(project) => format!("{} (project {project})", named.grantee),
                None => named.grantee.clone(),
            });
            let attached = attached.collect::<Vec<_>>().join(", ");
            let facts = listing::facts(&[
                ("policy", policy.name.clone()),
                ("model", policy.model.to_owned()),
                ("description", policy.description.clone()),
                ("attached to", if attached.is_empty() { "nobody".to_owned() } else { attached }),
            ]);
            let document: Vec<_> = policy.document.trim_end().lines().map(sanitize).collect();
            format!("{facts}\n{}\n", document.join("\n"))
        },
        || {
            let attached = |(named, attachment): &(Named, Attachment)| {
                let (user, group) = match &attachment.grantee {
                    Grantee::User(id) => (Some(id), None),
                    Grantee::Group(id) => (None, Some(id)),
                };
                json!({
                    "user_id": user, "group_id": group, "project_id": attachment.project, "grantee": named.grantee,
                })
            };
            let attachments: Vec<_> = attachments.iter().map(attached).collect();
            // A document that is no JSON any more is shown as the text that it is.
            let document: Value =
                serde_json::from_str(&policy.document).unwrap_or_else(|_| policy.document.clone().into());
            joined(value(&policy), json!({ "attachments": attachments, "document": document }))
        },
    )
}

async fn remove(arguments: Remove) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let policy = directory.policy(&arguments.policy).await?;
    let PolicyRef::Own(id) = &policy.reference else {
        return Err(CliError::refused(format!("{} comes with Clew and stays", policy.name)));
    };
    arguments.confirmation.ask(format!("remove the policy {}", policy.name)).await?;
    directory.store.remove_policy(&directory.by, id).await?;
    arguments
        .place
        .format()
        .say(|| format!("Removed the policy {} ({id}).\n", policy.name), || json!({ "removed": id }))
}

fn value(policy: &FoundPolicy) -> Value {
    let id = match &policy.reference {
        PolicyRef::Own(id) => Some(id),
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
