//! `clew instance …`: the inventory.

mod add;
mod check;
mod describe;
mod set_node;
mod tag;

use clap::{Args, Subcommand};
use clew_model::{Instance, InstanceFilter, Origin, Page, ProjectId, Tag};
use clew_store::{Project, Store};

use crate::confirm::Confirmation;
use crate::directory::{self, DataDir};
use crate::error::CliError;
use crate::origin;
use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Add(Box<add::Arguments>),
    List(Listing),
    Show(One),
    Remove(Remove),
    Check(check::Arguments),
    SetNode(set_node::Arguments),
    Tag(tag::Tag),
    Untag(tag::Untag),
}

/// A project's part of the inventory.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    data_dir: DataDir,
    /// Name or id of the project [default: the only one]
    #[arg(long, value_name = "PROJECT", env = "CLEW_PROJECT_ID")]
    project: Option<String>,
    /// Name or id of the project's domain [default: any]
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
}

/// List instances and their nodes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew instance list --format json")]
struct Listing {
    #[command(flatten)]
    place: Place,
}

/// Show an instance with its nodes and tags.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew instance show shop")]
struct One {
    /// Name or id
    instance: String,
    #[command(flatten)]
    place: Place,
}

/// Remove an instance. Its database servers are left alone.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew instance remove shop --yes")]
struct Remove {
    /// Name or id
    instance: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.action {
        Action::Add(arguments) => add::run(*arguments).await,
        Action::List(arguments) => list(arguments.place).await,
        Action::Show(arguments) => show(arguments).await,
        Action::Remove(arguments) => remove(arguments).await,
        Action::Check(arguments) => check::run(arguments).await,
        Action::SetNode(arguments) => set_node::run(arguments).await,
        Action::Tag(arguments) => tag::tag(arguments).await,
        Action::Untag(arguments) => tag::untag(arguments).await,
    }
}

/// An opened inventory, and who looks at it.
pub(crate) struct Inventory {
    pub(crate) store: Store,
    pub(crate) project: Project,
    pub(crate) by: Origin,
}

impl Place {
    pub(crate) fn format(&self) -> Format {
        self.data_dir.format
    }

    /// The store, and the project that is meant.
    pub(crate) async fn open(&self) -> Result<Inventory, CliError> {
        let store = self.data_dir.open().await?;
        let known = match &self.domain {
            Some(named) => store.projects_of(&directory::domain(&store, named).await?.id).await?,
            None => store.all_projects().await?,
        };
        let one = |project: &Project| format!("{} ({} of {})", project.id, project.name, project.domain_name);
        let shown = |projects: &[Project]| projects.iter().map(one).collect::<Vec<_>>().join(", ");
        let meant: Vec<_> = match &self.project {
            None => known.clone(),
            Some(wanted) => {
                let by_id = known.iter().find(|project| project.id.as_str() == wanted.as_str());
                match by_id {
                    Some(project) => vec![project.clone()],
                    None => known.iter().filter(|project| project.name == *wanted).cloned().collect(),
                }
            }
        };
        match (meant.as_slice(), &self.project) {
            ([only], _) => Ok(Inventory { store, project: only.clone(), by: origin::local() }),
            (_, None) => Err(CliError::refused(format!("name the project with --project: {}", shown(&known)))),
            ([], Some(wanted)) => {
                Err(CliError::refused(format!("there is no project {wanted}; there are {}", shown(&known))))
            }
            (several, Some(wanted)) => {
                Err(CliError::refused(format!("several projects are named {wanted}: {}", shown(several)))
                    .with_hint("name it by its id, or its domain with --domain"))
            }
        }
    }
}

/// The instance of this id, else of this name.
pub(crate) async fn look_up(store: &Store, project: &ProjectId, named: &str) -> Result<Option<Instance>, CliError> {
    if let Ok(id) = named.parse() {
        return Ok(store.instance(project, &id).await?);
    }
    let mut all = store.all_instances().await?.into_iter();
    Ok(all.find(|instance| instance.project_id == *project && instance.name == named))
}

/// The instance, or an error that says what to do.
async fn find(inventory: &Inventory, named: &str) -> Result<Instance, CliError> {
    let found = look_up(&inventory.store, &inventory.project.id, named).await?;
    found.ok_or_else(|| {
        CliError::failed(format!("there is no instance {named}")).with_hint("clew instance list shows all")
    })
}

/// A tag as it is typed.
pub(crate) fn parse_tag(text: &str) -> Result<Tag, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Tag { key: key.to_owned(), value: value.to_owned() }),
        _ => Err(format!("tag {text:?} is not KEY=VALUE")),
    }
}

async fn list(place: Place) -> Result<(), CliError> {
    let Inventory { store, project, .. } = place.open().await?;
    let mut all = Vec::new();
    loop {
        let page = Page { offset: u32::try_from(all.len()).unwrap_or(u32::MAX), limit: 100 };
        let (instances, total) = store.instances(&project.id, &InstanceFilter::default(), page).await?;
        let ended = instances.is_empty();
        all.extend(instances);
        if ended || all.len() as u64 >= total {
            break;
        }
    }
    place.format().say(
        || describe::list(&all),
        || serde_json::json!({ "instances": all.iter().map(describe::value).collect::<Vec<_>>() }),
    )
}

async fn show(arguments: One) -> Result<(), CliError> {
    let inventory = arguments.place.open().await?;
    let instance = find(&inventory, &arguments.instance).await?;
    arguments.place.format().say(|| describe::one(&instance), || describe::value(&instance))
}

async fn remove(arguments: Remove) -> Result<(), CliError> {
    let inventory = arguments.place.open().await?;
    let Instance { id, name, .. } = find(&inventory, &arguments.instance).await?;
    arguments.confirmation.ask(format!("remove {name} ({id}) and what is known of its nodes")).await?;
    inventory.store.remove_instance(&inventory.by, &inventory.project.id, &id).await?;
    arguments.place.format().say(
        || format!("Removed {name} ({id}) and what was known of its nodes.\n"),
        || serde_json::json!({ "removed": id }),
    )
}
