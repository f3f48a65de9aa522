//! `clew enterprise-project …`: labels of instances that policies can ask for.

use clap::{Args, Subcommand};
use clew_store::{EnterpriseProject, EnterpriseProjectChange};
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

/// Make an enterprise project.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew enterprise-project create payments")]
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

/// List enterprise projects. "0" is always there.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew enterprise-project list")]
struct List {
    #[command(flatten)]
    place: Place,
}

/// Change an enterprise project.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew enterprise-project update payments --disable")]
#[group(id = "change", required = true, multiple = true, args = ["enable", "disable", "description"])]
struct Update {
    /// Name or id
    enterprise_project: String,
    /// Let instances be added to it
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Let no more instances be added to it
    #[arg(long)]
    disable: bool,
    /// What it is for
    #[arg(long, value_name = "TEXT", value_parser = names::parse_description)]
    description: Option<String>,
    #[command(flatten)]
    place: Place,
}

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
    let id = directory.store.create_enterprise_project(&directory.by, &domain.id, &name, &description).await?;
    place.format().say(
        || format!("Made the enterprise project {name} ({id}) in the domain {}.\n", domain.name),
        || json!({ "id": id, "name": name, "domain_id": domain.id }),
    )
}

async fn list(arguments: List) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let all = directory.store.enterprise_projects(&directory.domain.id).await?;
    let row = |project: &EnterpriseProject| {
        [project.name.clone(), project.id.clone(), yes_no(project.enabled), project.description.clone()]
    };
    arguments.place.format().say(
        || {
            let headings = ["NAME", "ENTERPRISE PROJECT", "ENABLED", "DESCRIPTION"];
            listing::list(headings, all.iter().map(row).collect(), "No enterprise projects.")
        },
        || json!({ "enterprise_projects": all.iter().map(value).collect::<Vec<_>>() }),
    )
}

async fn update(arguments: Update) -> Result<(), CliError> {
    let Update { enterprise_project, enable, disable, description, place } = arguments;
    let directory = place.open().await?;
    let project = directory.enterprise_project(&enterprise_project).await?;
    let change = EnterpriseProjectChange { description, enabled: (enable || disable).then_some(enable) };
    let (store, domain) = (&directory.store, &directory.domain.id);
    if !store.update_enterprise_project(&directory.by, domain, &project.id, &change).await? {
        return Err(CliError::refused(format!("the enterprise project {} cannot be changed", project.name)));
    }
    let project = directory.enterprise_project(&project.id).await?;
    place.format().say(
        || {
            listing::facts(&[
                ("enterprise project", format!("{} ({})", project.name, project.id)),
                ("enabled", yes_no(project.enabled)),
                ("description", project.description.clone()),
            ])
        },
        || value(&project),
    )
}

fn value(project: &EnterpriseProject) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "enabled": project.enabled,
    })
}
