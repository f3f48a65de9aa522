//! `clew project …`: manages projects, which contain instances.

use clap::{Args, Subcommand};
use clew_store::{Project, ProjectChange};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::store_args::IamDomainArgs;
use crate::text_table::{self, format_yes_no};
use crate::value_parsers;

#[derive(Debug, Args)]
pub(crate) struct ProjectCommandArgs {
    #[command(subcommand)]
    command: ProjectCommand,
}

#[derive(Debug, Subcommand)]
enum ProjectCommand {
    Create(CreateArgs),
    List(ListArgs),
    Update(UpdateArgs),
}

/// Create a project.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew project create shop --description \"databases of the shop\"")]
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

/// List projects.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew project list")]
struct ListArgs {
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Change a project.
#[derive(Debug, Args)]
#[command(after_help = UPDATE_COMMAND_AFTER_HELP)]
#[group(id = "change", required = true, multiple = true, args = ["enable", "disable", "mask", "no_mask", "description"])]
#[allow(clippy::struct_excessive_bools, reason = "each field is a command-line flag")]
struct UpdateArgs {
    /// Name or id
    project: String,
    /// Enable the project
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Disable the project; all requests for a disabled project return HTTP status 403
    #[arg(long)]
    disable: bool,
    /// Mask literals in statements for users without permission to see full statements
    #[arg(long, conflicts_with = "no_mask")]
    mask: bool,
    /// Stop masking literals; show full statements
    #[arg(long)]
    no_mask: bool,
    /// Description
    #[arg(long, value_name = "TEXT", value_parser = value_parsers::parse_description)]
    description: Option<String>,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

const UPDATE_COMMAND_AFTER_HELP: &str = "\
Examples:
  clew project update shop --mask
  clew project update shop --disable

A running clew serve applies the change immediately. Masking applies to new collections. Users without access to full statements cannot
download earlier results that contain full statements.";

pub(crate) async fn run(arguments: ProjectCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        ProjectCommand::Create(arguments) => create_project(arguments).await,
        ProjectCommand::List(arguments) => list_projects(arguments).await,
        ProjectCommand::Update(arguments) => update_project(arguments).await,
    }
}

async fn create_project(arguments: CreateArgs) -> Result<(), CliError> {
    let CreateArgs { name, description, domain_args } = arguments;
    let directory = domain_args.open_identity_directory().await?;
    let domain = &directory.domain;
    let id = directory.store.tenants().create_project(&directory.origin, &domain.id, &name, &description).await?;
    domain_args.output_format().print(
        || format!("Created the project {name} ({id}) in the domain {}.\n", domain.name),
        || json!({ "id": id, "name": name, "domain_id": domain.id }),
    )
}

async fn list_projects(arguments: ListArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let projects = directory.store.tenants().list_projects(&directory.domain.id).await?;
    let row = |project: &Project| {
        let Project { name, id, enabled, masking, description, .. } = project;
        [name.clone(), id.to_string(), format_yes_no(*enabled), format_yes_no(*masking), description.clone()]
    };
    arguments.domain_args.output_format().print(
        || {
            let headings = ["NAME", "PROJECT", "ENABLED", "MASKED", "DESCRIPTION"];
            text_table::render_table(
                headings,
                projects.iter().map(row).collect(),
                "No projects. Create one with clew project create.",
            )
        },
        || json!({ "projects": projects.iter().map(project_to_json).collect::<Vec<_>>() }),
    )
}

async fn update_project(arguments: UpdateArgs) -> Result<(), CliError> {
    let UpdateArgs { project, enable, disable, mask, no_mask, description, domain_args } = arguments;
    let directory = domain_args.open_identity_directory().await?;
    let project = directory.find_project(&project).await?;
    let change = ProjectChange {
        description,
        enabled: (enable || disable).then_some(enable),
        masking: (mask || no_mask).then_some(mask),
    };
    directory.store.tenants().update_project(&directory.origin, &project.id, &change).await?;
    let project = directory.find_project(project.id.as_str()).await?;
    domain_args.output_format().print(
        || {
            text_table::render_field_list(&[
                ("project", format!("{} ({})", project.name, project.id)),
                ("enabled", format_yes_no(project.enabled)),
                ("masked", format_yes_no(project.masking)),
                ("description", project.description.clone()),
            ])
        },
        || project_to_json(&project),
    )
}

fn project_to_json(project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "domain_id": project.domain_id,
        "description": project.description,
        "enabled": project.enabled,
        "masking": project.masking,
    })
}
