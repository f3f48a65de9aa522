//! `clew project …`: manages projects, which contain instances.

use clap::{ArgGroup, Subcommand};
use clew_store::{Project, ProjectChange};

use crate::command_group::CommandGroup;
use crate::error::CliError;
use crate::store_args::{IamDomainArgs, NameAndDescriptionArgs};
use crate::text_table::{ListFormat, fields_to_json, format_yes_no};
use crate::value_parsers;

pub(crate) type ProjectCommandArgs = CommandGroup<ProjectCommand, IamDomainArgs>;

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Create a project.
    #[command(after_help = "Example:\n  clew project create shop --description \"databases of the shop\"")]
    Create(NameAndDescriptionArgs),
    /// List projects.
    #[command(after_help = "Example:\n  clew project list")]
    List,
    /// Change a project.
    #[command(after_help = UPDATE_COMMAND_AFTER_HELP)]
    #[command(group = ArgGroup::new("change").required(true).multiple(true))]
    #[group(skip)]
    Update {
        /// Name or id
        project: String,
        /// Enable the project
        #[arg(long, conflicts_with = "disable", group = "change")]
        enable: bool,
        /// Disable the project; all requests for a disabled project return HTTP status 403
        #[arg(long, group = "change")]
        disable: bool,
        /// Mask literals in statements for users without permission to see full statements
        #[arg(long, conflicts_with = "no_mask", group = "change")]
        mask: bool,
        /// Stop masking literals; show full statements
        #[arg(long, group = "change")]
        no_mask: bool,
        /// Description
        #[arg(long, value_name = "TEXT", value_parser = value_parsers::parse_description, group = "change")]
        description: Option<String>,
    },
}

const UPDATE_COMMAND_AFTER_HELP: &str = "\
Examples:
  clew project update shop --mask
  clew project update shop --disable

A running clew serve applies the change immediately. Masking applies to new collections. Users without access to full statements cannot
download earlier results that contain full statements.";

const PROJECT_LIST_FORMAT: ListFormat<Project, 5> = ListFormat {
    json_key: "projects",
    headings: ["NAME", "PROJECT", "ENABLED", "MASKED", "DESCRIPTION"],
    empty_message: "No projects. Create one with clew project create.",
    to_row: |project| {
        let Project { name, id, enabled, masking, description, .. } = project;
        [name.clone(), id.to_string(), format_yes_no(*enabled), format_yes_no(*masking), description.clone()]
    },
    to_json: |project| fields_to_json!(project, id, name, domain_id, description, enabled, masking),
};

pub(crate) async fn run(arguments: ProjectCommandArgs) -> Result<(), CliError> {
    let directory = arguments.options.open_identity_directory().await?;
    let (tenants, origin, domain) = (directory.store.tenants(), &directory.origin, &directory.domain.id);
    match arguments.command {
        ProjectCommand::Create(NameAndDescriptionArgs { name, description }) => {
            let id = tenants.create_project(origin, domain, &name, &description).await?;
            directory.print_created_object("project", &name, &id, "")
        }
        ProjectCommand::List => PROJECT_LIST_FORMAT.print(directory.format, &tenants.list_projects(domain).await?),
        ProjectCommand::Update { project, enable, disable, mask, no_mask, description } => {
            let project = directory.find_project(&project).await?;
            let change = ProjectChange {
                description,
                enabled: (enable || disable).then_some(enable),
                masking: (mask || no_mask).then_some(mask),
            };
            tenants.update_project(origin, &project.id, &change).await?;
            PROJECT_LIST_FORMAT.print_item(directory.format, &directory.find_project(project.id.as_str()).await?)
        }
    }
}
