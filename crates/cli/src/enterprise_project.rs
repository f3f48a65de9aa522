//! `clew enterprise-project …`: manages enterprise projects, which group instances for use in policy conditions.

use clap::{ArgGroup, Subcommand};
use clew_store::{EnterpriseProject, EnterpriseProjectChange};

use crate::command_group::CommandGroup;
use crate::error::{CliError, refused};
use crate::store_args::{IamDomainArgs, NameAndDescriptionArgs};
use crate::text_table::{ListFormat, fields_to_json, format_yes_no};
use crate::value_parsers;

pub(crate) type EnterpriseProjectCommandArgs = CommandGroup<EnterpriseProjectCommand, IamDomainArgs>;

#[derive(Debug, Subcommand)]
pub(crate) enum EnterpriseProjectCommand {
    /// Create an enterprise project.
    #[command(after_help = "Example:\n  clew enterprise-project create payments")]
    Create(NameAndDescriptionArgs),
    /// List enterprise projects, including the default one (id "0").
    #[command(after_help = "Example:\n  clew enterprise-project list")]
    List,
    /// Change an enterprise project.
    #[command(after_help = "Example:\n  clew enterprise-project update payments --disable")]
    #[command(group = ArgGroup::new("change").required(true).multiple(true))]
    #[group(skip)]
    Update {
        /// Name or id
        enterprise_project: String,
        /// Enable the enterprise project
        #[arg(long, conflicts_with = "disable", group = "change")]
        enable: bool,
        /// Disable the enterprise project; instances can no longer be added to it
        #[arg(long, group = "change")]
        disable: bool,
        /// Description
        #[arg(long, value_name = "TEXT", value_parser = value_parsers::parse_description, group = "change")]
        description: Option<String>,
    },
}

const ENTERPRISE_PROJECT_LIST_FORMAT: ListFormat<EnterpriseProject, 4> = ListFormat {
    json_key: "enterprise_projects",
    headings: ["NAME", "ENTERPRISE PROJECT", "ENABLED", "DESCRIPTION"],
    empty_message: "No enterprise projects.",
    to_row: |project| {
        [project.name.clone(), project.id.clone(), format_yes_no(project.enabled), project.description.clone()]
    },
    to_json: |project| fields_to_json!(project, id, name, description, enabled),
};

pub(crate) async fn run(arguments: EnterpriseProjectCommandArgs) -> Result<(), CliError> {
    let directory = arguments.options.open_identity_directory().await?;
    let (tenants, origin, domain) = (directory.store.tenants(), &directory.origin, &directory.domain.id);
    match arguments.command {
        EnterpriseProjectCommand::Create(NameAndDescriptionArgs { name, description }) => {
            let id = tenants.create_enterprise_project(origin, domain, &name, &description).await?;
            directory.print_created_object("enterprise project", &name, &id, "")
        }
        EnterpriseProjectCommand::List => {
            ENTERPRISE_PROJECT_LIST_FORMAT.print(directory.format, &tenants.list_enterprise_projects(domain).await?)
        }
        EnterpriseProjectCommand::Update { enterprise_project, enable, disable, description } => {
            let project = directory.find_enterprise_project(&enterprise_project).await?;
            let change = EnterpriseProjectChange { description, enabled: (enable || disable).then_some(enable) };
            if !tenants.update_enterprise_project(origin, domain, &project.id, &change).await? {
                return Err(refused!("the enterprise project {} cannot be changed", project.name));
            }
            let project = directory.find_enterprise_project(&project.id).await?;
            ENTERPRISE_PROJECT_LIST_FORMAT.print_item(directory.format, &project)
        }
    }
}
