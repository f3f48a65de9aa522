//! `clew enterprise-project …`: manages enterprise projects, which group instances for use in policy conditions.

use clap::{Args, Subcommand};
use clew_store::{EnterpriseProject, EnterpriseProjectChange};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::store_args::IamDomainArgs;
use crate::text_table::{self, format_yes_no};
use crate::value_parsers;

#[derive(Debug, Args)]
pub(crate) struct EnterpriseProjectCommandArgs {
    #[command(subcommand)]
    command: EnterpriseProjectCommand,
}

#[derive(Debug, Subcommand)]
enum EnterpriseProjectCommand {
    Create(CreateArgs),
    List(ListArgs),
    Update(UpdateArgs),
}

/// Create an enterprise project.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew enterprise-project create payments")]
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

/// List enterprise projects, including the default one (id "0").
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew enterprise-project list")]
struct ListArgs {
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Change an enterprise project.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew enterprise-project update payments --disable")]
#[group(id = "change", required = true, multiple = true, args = ["enable", "disable", "description"])]
struct UpdateArgs {
    /// Name or id
    enterprise_project: String,
    /// Enable the enterprise project
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Disable the enterprise project; instances can no longer be added to it
    #[arg(long)]
    disable: bool,
    /// Description
    #[arg(long, value_name = "TEXT", value_parser = value_parsers::parse_description)]
    description: Option<String>,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

pub(crate) async fn run(arguments: EnterpriseProjectCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        EnterpriseProjectCommand::Create(arguments) => create_enterprise_project(arguments).await,
        EnterpriseProjectCommand::List(arguments) => list_enterprise_projects(arguments).await,
        EnterpriseProjectCommand::Update(arguments) => update_enterprise_project(arguments).await,
    }
}

async fn create_enterprise_project(arguments: CreateArgs) -> Result<(), CliError> {
    let CreateArgs { name, description, domain_args } = arguments;
    let directory = domain_args.open_identity_directory().await?;
    let domain = &directory.domain;
    let id =
        directory.store.tenants().create_enterprise_project(&directory.origin, &domain.id, &name, &description).await?;
    domain_args.output_format().print(
        || format!("Created the enterprise project {name} ({id}) in the domain {}.\n", domain.name),
        || json!({ "id": id, "name": name, "domain_id": domain.id }),
    )
}

async fn list_enterprise_projects(arguments: ListArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let all = directory.store.tenants().list_enterprise_projects(&directory.domain.id).await?;
    let row = |project: &EnterpriseProject| {
        [project.name.clone(), project.id.clone(), format_yes_no(project.enabled), project.description.clone()]
    };
    arguments.domain_args.output_format().print(
        || {
            let headings = ["NAME", "ENTERPRISE PROJECT", "ENABLED", "DESCRIPTION"];
            text_table::render_table(headings, all.iter().map(row).collect(), "No enterprise projects.")
        },
        || json!({ "enterprise_projects": all.iter().map(enterprise_project_to_json).collect::<Vec<_>>() }),
    )
}

async fn update_enterprise_project(arguments: UpdateArgs) -> Result<(), CliError> {
    let UpdateArgs { enterprise_project, enable, disable, description, domain_args } = arguments;
    let directory = domain_args.open_identity_directory().await?;
    let project = directory.find_enterprise_project(&enterprise_project).await?;
    let change = EnterpriseProjectChange { description, enabled: (enable || disable).then_some(enable) };
    let (store, domain) = (&directory.store, &directory.domain.id);
    if !store.tenants().update_enterprise_project(&directory.origin, domain, &project.id, &change).await? {
        return Err(CliError::new_refusal(format!("the enterprise project {} cannot be changed", project.name)));
    }
    let project = directory.find_enterprise_project(&project.id).await?;
    domain_args.output_format().print(
        || {
            text_table::render_field_list(&[
                ("enterprise project", format!("{} ({})", project.name, project.id)),
                ("enabled", format_yes_no(project.enabled)),
                ("description", project.description.clone()),
            ])
        },
        || enterprise_project_to_json(&project),
    )
}

fn enterprise_project_to_json(project: &EnterpriseProject) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "enabled": project.enabled,
    })
}
