//! `clew instance …`: manages instances and their nodes (database servers).

mod add;
mod check;
mod set_node;
mod tag;

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use clew_model::{AuditOrigin, Instance, InstanceFilter, Node, Pagination, ProjectId, Tag};
use clew_mysql::ConnectionRegistry;
use clew_store::{Project, Store};
use serde_json::{Value, json};

use crate::command_group::CommandGroup;
use crate::confirmation::ConfirmationArgs;
use crate::error::{CliError, failed, refused};
use crate::identity_directory;
use crate::local_audit_origin;
use crate::output::{CommandOutputFormat, merge_json_objects};
use crate::store_args::StoreAndOutputFormatArgs;
use crate::text_table::{self, fields_to_json};

pub(crate) type InstanceCommandArgs = CommandGroup<InstanceCommand, ProjectSelectionArgs>;

#[derive(Debug, Subcommand)]
pub(crate) enum InstanceCommand {
    /// Register an instance with a master node and optional replicas.
    #[command(after_help = add::AFTER_HELP)]
    Add(add::AddArgs),
    /// List instances and their nodes.
    #[command(after_help = "Example:\n  clew instance list --format json")]
    List,
    /// Show an instance with its nodes and tags.
    #[command(after_help = "Example:\n  clew instance show shop")]
    Show {
        /// Name or id
        instance: String,
    },
    /// Remove an instance from Clew without changing its database servers.
    #[command(after_help = "Example:\n  clew instance remove shop --yes")]
    Remove {
        /// Name or id
        instance: String,
        #[command(flatten)]
        confirmation: ConfirmationArgs,
    },
    /// Log in to each node of an instance and report missing privileges.
    #[command(after_help = check::AFTER_HELP)]
    Check {
        /// Name or id
        instance: String,
    },
    /// Change a node's address, account or password, and end the delay that follows refused logins.
    #[command(after_help = set_node::AFTER_HELP)]
    SetNode(set_node::SetNodeArgs),
    /// Add tags to an instance or replace the values of existing tags.
    /// Policies can match the tags of an instance through the condition key g:ResourceTag.
    #[command(after_help = "Example:\n  clew instance tag shop env=test team=payments")]
    Tag {
        /// Name or id
        instance: String,
        /// Tags to add
        #[arg(value_name = "KEY=VALUE", required = true, value_parser = tag::parse_and_validate_tag)]
        tags: Vec<Tag>,
    },
    /// Remove tags from an instance.
    #[command(
        after_help = "Examples:\n  clew instance untag shop env\n  clew instance untag shop env=test    only if it has this value"
    )]
    Untag {
        /// Name or id
        instance: String,
        /// Keys of the tags to remove; KEY=VALUE removes a tag only if its value matches
        #[arg(value_name = "KEY[=VALUE]", required = true)]
        tags: Vec<String>,
    },
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

pub(crate) async fn run(arguments: InstanceCommandArgs, registry: ConnectionRegistry) -> Result<(), CliError> {
    let inventory = arguments.options.open_store_and_select_project();
    match arguments.command {
        InstanceCommand::Add(arguments) => add::run(arguments, inventory).await,
        InstanceCommand::List => list_instances(&inventory.await?).await,
        InstanceCommand::Show { instance } => {
            let inventory = inventory.await?;
            let instance = inventory.require_instance(&instance).await?;
            inventory.print_instance(&instance)
        }
        InstanceCommand::Remove { instance, confirmation } => {
            remove_instance(&inventory.await?, &instance, &confirmation).await
        }
        InstanceCommand::Check { instance } => check::run(&inventory.await?, &instance, registry).await,
        InstanceCommand::SetNode(arguments) => set_node::run(&inventory.await?, &arguments).await,
        InstanceCommand::Tag { instance, tags } => {
            tag::require_unique_keys(&tags)?;
            tag::add_tags(&inventory.await?, &instance, &tags).await
        }
        InstanceCommand::Untag { instance, tags } => tag::remove_tags(&inventory.await?, &instance, &tags).await,
    }
}

pub(crate) struct SelectedProject {
    pub(crate) store: Store,
    pub(crate) project: Project,
    pub(crate) origin: AuditOrigin,
    pub(crate) format: CommandOutputFormat,
}

impl ProjectSelectionArgs {
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
                format: self.store_args.format,
            }),
            (_, None) => Err(refused!("select a project with --project: {}", format_list(&projects))),
            ([], Some(name)) => {
                Err(refused!("there is no project {name}; existing projects: {}", format_list(&projects)))
            }
            (several, Some(name)) => Err(refused!("several projects are named {name}: {}", format_list(several))
                .with_suggested_fix("select the project by id, or its domain with --domain")),
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

impl SelectedProject {
    async fn require_instance(&self, name_or_id: &str) -> Result<Instance, CliError> {
        let instance = find_instance(&self.store, &self.project.id, name_or_id).await?;
        instance.ok_or_else(|| {
            failed!("there is no instance {name_or_id}").with_suggested_fix("clew instance list shows all")
        })
    }

    fn print_instance(&self, instance: &Instance) -> Result<(), CliError> {
        self.format.print(|| render_instance(instance), || instance_to_json(instance))
    }
}

pub(crate) fn parse_tag(text: &str) -> Result<Tag, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Tag { key: key.to_owned(), value: value.to_owned() }),
        _ => Err(format!("tag {text:?} is not KEY=VALUE")),
    }
}

async fn list_instances(inventory: &SelectedProject) -> Result<(), CliError> {
    let mut all = Vec::new();
    loop {
        let page = Pagination { offset: u32::try_from(all.len()).unwrap_or(u32::MAX), limit: 100 };
        let (instances, total) =
            inventory.store.instances().list_instances(&inventory.project.id, &InstanceFilter::default(), page).await?;
        let is_last_page = instances.is_empty();
        all.extend(instances);
        if is_last_page || all.len() as u64 >= total {
            break;
        }
    }
    inventory.format.print(
        || render_instance_table(&all),
        || json!({ "instances": all.iter().map(instance_to_json).collect::<Vec<_>>() }),
    )
}

async fn remove_instance(
    inventory: &SelectedProject,
    instance: &str,
    confirmation: &ConfirmationArgs,
) -> Result<(), CliError> {
    let Instance { id, name, .. } = inventory.require_instance(instance).await?;
    confirmation.prompt_for_confirmation(format!("remove {name} ({id}) with the data of its nodes")).await?;
    inventory.store.instances().remove_instance(&inventory.origin, &inventory.project.id, &id).await?;
    inventory
        .format
        .print(|| format!("Removed {name} ({id}) with the data of its nodes.\n"), || json!({ "removed": id }))
}

fn render_instance_table(instances: &[Instance]) -> String {
    let mut rows = Vec::new();
    for instance in instances {
        for node in &instance.nodes {
            let (id, node_id, role) = (instance.id.to_string(), node.id.to_string(), node.role.to_string());
            let zone = node.zone.as_ref().map_or(String::new(), ToString::to_string);
            rows.push([instance.name.clone(), id, node_id, role, node.url.address(), zone]);
        }
    }
    let headings = ["NAME", "INSTANCE", "NODE", "ROLE", "ADDRESS", "ZONE"];
    text_table::render_table(headings, rows, "No instances yet. Register one with clew instance add.")
}

/// The text contains no passwords.
fn render_instance(instance: &Instance) -> String {
    let tags: Vec<_> = instance.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
    let mut text = format!("instance  {}  {}\n", instance.id, instance.name);
    if instance.enterprise_project_id != "0" {
        let _ = writeln!(text, "belongs to the enterprise project {}", instance.enterprise_project_id);
    }
    if !tags.is_empty() {
        let _ = writeln!(text, "tags      {}", tags.join(", "));
    }
    for node in &instance.nodes {
        let zone = node.zone.as_ref().map_or(String::new(), |zone| format!("  zone {zone}"));
        let _ = writeln!(text, "node      {}  {:<6}  {}{zone}", node.id, node.role.name(), node.url);
    }
    text
}

/// The JSON object contains no passwords.
fn instance_to_json(instance: &Instance) -> Value {
    let node =
        |node: &Node| json!({ "id": node.id, "role": node.role, "url": node.url.to_string(), "zone": node.zone });
    let nodes: Vec<_> = instance.nodes.iter().map(node).collect();
    merge_json_objects(
        fields_to_json!(instance, id, name, project_id, enterprise_project_id, tags),
        json!({ "nodes": nodes }),
    )
}
