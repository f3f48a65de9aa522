//! `clew project …`: what owns instances.

use clap::{Args, Subcommand};
use clew_store::{Project, ProjectChange};
use serde_json::{Value, json};

use crate::directory::Place;
use crate::error::CliError;
use crate::listing::{self, yes_no};
use crate::names;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Update(Update),
}

/// Make a project.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew project create shop --description \"what the shop runs on\"")]
struct Create {
    /// Name, unique in the domain
    #[arg(value_parser = names::parse)]
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = names::parse_description)]
    description: String,
    #[command(flatten)]
    place: Place,
}

/// List projects.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew project list")]
struct List {
    #[command(flatten)]
    place: Place,
}

/// Change a project.
#[derive(Debug, Args)]
#[command(after_help = UPDATE_HELP)]
#[group(id = "change", required = true, multiple = true, args = ["enable", "disable", "mask", "no_mask", "description"])]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag as it is typed")]
struct Update {
    /// Name or id
    project: String,
    /// Let it be used
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Answer every request for it with 403
    #[arg(long)]
    disable: bool,
    /// Show statements as templates to whoever may not see whole ones
    #[arg(long, conflicts_with = "no_mask")]
    mask: bool,
    /// Show whole statements
    #[arg(long)]
    no_mask: bool,
    /// What it is for
    #[arg(long, value_name = "TEXT", value_parser = names::parse_description)]
    description: Option<String>,
    #[command(flatten)]
    place: Place,
}

const UPDATE_HELP: &str = "\
Examples:
  clew project update shop --mask
  clew project update shop --disable

A running clew serve follows at once. Masking holds for collections that are asked for from then on; results that were stored whole
are refused to whoever may not see whole statements.";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.action {
        Action::Create(arguments) => create(arguments).await,
        Action::List(arguments) => list(arguments).await,
        Action::Update(arguments) => update(arguments).await,
    }
}

async fn create(arguments: Create) -> Result<(), CliError> {
    let Create { name, description, place } = arguments;
    let directory = place.open().await?;
    let domain = &directory.domain;
    let id = directory.store.create_project(&directory.by, &domain.id, &name, &description).await?;
    place.format().say(
        || format!("Made the project {name} ({id}) in the domain {}.\n", domain.name),
        || json!({ "id": id, "name": name, "domain_id": domain.id }),
    )
}

async fn list(arguments: List) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let projects = directory.store.projects_of(&directory.domain.id).await?;
    let row = |project: &Project| {
        let Project { name, id, enabled, masking, description, .. } = project;
        [name.clone(), id.to_string(), yes_no(*enabled), yes_no(*masking), description.clone()]
    };
    arguments.place.format().say(
        || {
            let headings = ["NAME", "PROJECT", "ENABLED", "MASKED", "DESCRIPTION"];
            listing::list(headings, projects.iter().map(row).collect(), "No projects; clew project create makes one.")
        },
        || json!({ "projects": projects.iter().map(value).collect::<Vec<_>>() }),
    )
}

async fn update(arguments: Update) -> Result<(), CliError> {
    let Update { project, enable, disable, mask, no_mask, description, place } = arguments;
    let directory = place.open().await?;
    let project = directory.project(&project).await?;
    let change = ProjectChange {
        description,
        enabled: (enable || disable).then_some(enable),
        masking: (mask || no_mask).then_some(mask),
    };
    directory.store.update_project(&directory.by, &project.id, &change).await?;
    let project = directory.project(project.id.as_str()).await?;
    place.format().say(
        || {
            listing::facts(&[
                ("project", format!("{} ({})", project.name, project.id)),
                ("enabled", yes_no(project.enabled)),
                ("masked", yes_no(project.masking)),
                ("description", project.description.clone()),
            ])
        },
        || value(&project),
    )
}

fn value(project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "domain_id": project.domain_id,
        "description": project.description,
        "enabled": project.enabled,
        "masking": project.masking,
    })
}
