//! `clew instance …`: manages instances and their nodes (database servers).

mod add;
mod check;
mod render;
mod set_node;
mod tag;

use clap::{Args, Subcommand};
use clew_model::{AuditOrigin, Instance, InstanceFilter, Pagination, ProjectId, Tag};
use clew_mysql::ConnectionRegistry;
use clew_store::{Project, Store};

use crate::confirm::ConfirmationArgs;
use crate::error::CliError;
use crate::identity_directory;
use crate::local_audit_origin;
use crate::output::Format;
use crate::store_args::StoreAndOutputFormatArgs;

#[derive(Debug, Args)]
pub(crate) struct InstanceCommandArgs {
    #[command(subcommand)]
    command: InstanceCommand,
}

#[derive(Debug, Subcommand)]
enum InstanceCommand {
    Add(Box<add::AddArgs>),
    List(ListArgs),
    Show(ShowArgs),
    Remove(RemoveArgs),
    Check(check::CheckArgs),
    SetNode(set_node::SetNodeArgs),
    Tag(tag::TagArgs),
    Untag(tag::UntagArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ProjectSelectionArgs {
    #[command(flatten)]
    store_args: StoreAndOutputFormatArgs,
    /// Name or id of the project [default: the only project]
    #[arg(long, value_name = "PROJECT", env = "CLEW_PROJECT_ID")]
    project: Option<String>,
    /// Name or id of the domain that contains the project [default: search all domains]
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
}

/// List instances and their nodes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew instance list --format json")]
struct ListArgs {
    #[command(flatten)]
    project_args: ProjectSelectionArgs,
}

/// Show an instance with its nodes and tags.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew instance show shop")]
struct ShowArgs {
    /// Name or id
    instance: String,
    #[command(flatten)]
    project_args: ProjectSelectionArgs,
}

/// Remove an instance from the inventory without changing its database servers.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew instance remove shop --yes")]
struct RemoveArgs {
    /// Name or id
    instance: String,
    #[command(flatten)]
    confirmation: ConfirmationArgs,
    #[command(flatten)]
    project_args: ProjectSelectionArgs,
}

pub(crate) async fn run(arguments: InstanceCommandArgs, registry: ConnectionRegistry) -> Result<(), CliError> {
    match arguments.command {
        InstanceCommand::Add(arguments) => add::run(*arguments).await,
        InstanceCommand::List(arguments) => list_instances(arguments.project_args).await,
        InstanceCommand::Show(arguments) => show_instance(arguments).await,
        InstanceCommand::Remove(arguments) => remove_instance(arguments).await,
        InstanceCommand::Check(arguments) => check::run(arguments, registry).await,
        InstanceCommand::SetNode(arguments) => set_node::run(arguments).await,
        InstanceCommand::Tag(arguments) => tag::add_tags(arguments).await,
        InstanceCommand::Untag(arguments) => tag::remove_tags(arguments).await,
    }
}

pub(crate) struct SelectedProject {
    pub(crate) store: Store,
    pub(crate) project: Project,
    pub(crate) origin: AuditOrigin,
}

impl ProjectSelectionArgs {
    pub(crate) fn output_format(&self) -> Format {
        self.store_args.format
    }

    /// If `--project` is not set, selects the only project, or returns an error if there are several projects.
    pub(crate) async fn open_store_and_select_project(&self) -> Result<SelectedProject, CliError> {
        let store = self.store_args.open_store().await?;
        let projects = match &self.domain {
            Some(name_or_id) => {
                store.tenants().list_projects(&identity_directory::find_domain(&store, name_or_id).await?.id).await?
            }
            None => store.tenants().list_all_projects().await?,
        };
        let format_project =
            |project: &Project| format!("{} ({} of {})", project.id, project.name, project.domain_name);
        let format_list = |projects: &[Project]| projects.iter().map(format_project).collect::<Vec<_>>().join(", ");
        let matches: Vec<_> = match &self.project {
            None => projects.clone(),
            Some(name_or_id) => {
                let by_id = projects.iter().find(|project| project.id.as_str() == name_or_id.as_str());
                match by_id {
                    Some(project) => vec![project.clone()],
                    None => projects.iter().filter(|project| project.name == *name_or_id).cloned().collect(),
                }
            }
        };
        match (matches.as_slice(), &self.project) {
            ([only], _) => Ok(SelectedProject {
                store,
                project: only.clone(),
                origin: local_audit_origin::audit_origin_for_local_account(),
            }),
            (_, None) => {
                Err(CliError::new_refusal(format!("select a project with --project: {}", format_list(&projects))))
            }
            ([], Some(name)) => Err(CliError::new_refusal(format!(
                "there is no project {name}; existing projects: {}",
                format_list(&projects)
            ))),
            (several, Some(name)) => {
                Err(CliError::new_refusal(format!("several projects are named {name}: {}", format_list(several)))
                    .with_suggested_fix("select the project by id, or its domain with --domain"))
            }
        }
    }
}

pub(crate) async fn find_instance(
    store: &Store,
    project: &ProjectId,
    name_or_id: &str,
) -> Result<Option<Instance>, CliError> {
    if let Ok(id) = name_or_id.parse() {
        return Ok(store.instances().find_instance(project, &id).await?);
    }
    let mut all = store.instances().list_all_instances().await?.into_iter();
    Ok(all.find(|instance| instance.project_id == *project && instance.name == name_or_id))
}

async fn require_instance(inventory: &SelectedProject, name_or_id: &str) -> Result<Instance, CliError> {
    let instance = find_instance(&inventory.store, &inventory.project.id, name_or_id).await?;
    instance.ok_or_else(|| {
        CliError::new_failure(format!("there is no instance {name_or_id}"))
            .with_suggested_fix("clew instance list shows all")
    })
}

/// Parses a tag of the form `KEY=VALUE`.
pub(crate) fn parse_tag(text: &str) -> Result<Tag, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Tag { key: key.to_owned(), value: value.to_owned() }),
        _ => Err(format!("tag {text:?} is not KEY=VALUE")),
    }
}

async fn list_instances(project_args: ProjectSelectionArgs) -> Result<(), CliError> {
    let SelectedProject { store, project, .. } = project_args.open_store_and_select_project().await?;
    let mut all = Vec::new();
    loop {
        let page = Pagination { offset: u32::try_from(all.len()).unwrap_or(u32::MAX), limit: 100 };
        let (instances, total) =
            store.instances().list_instances(&project.id, &InstanceFilter::default(), page).await?;
        let is_last_page = instances.is_empty();
        all.extend(instances);
        if is_last_page || all.len() as u64 >= total {
            break;
        }
    }
    project_args.output_format().print(
        || render::render_instance_table(&all),
        || serde_json::json!({ "instances": all.iter().map(render::instance_to_json).collect::<Vec<_>>() }),
    )
}

async fn show_instance(arguments: ShowArgs) -> Result<(), CliError> {
    let inventory = arguments.project_args.open_store_and_select_project().await?;
    let instance = require_instance(&inventory, &arguments.instance).await?;
    arguments
        .project_args
        .output_format()
        .print(|| render::render_instance(&instance), || render::instance_to_json(&instance))
}

async fn remove_instance(arguments: RemoveArgs) -> Result<(), CliError> {
    let inventory = arguments.project_args.open_store_and_select_project().await?;
    let Instance { id, name, .. } = require_instance(&inventory, &arguments.instance).await?;
    arguments.confirmation.prompt_for_confirmation(format!("remove {name} ({id}) with the data of its nodes")).await?;
    inventory.store.instances().remove_instance(&inventory.origin, &inventory.project.id, &id).await?;
    arguments.project_args.output_format().print(
        || format!("Removed {name} ({id}) with the data of its nodes.\n"),
        || serde_json::json!({ "removed": id }),
    )
}
