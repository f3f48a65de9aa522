//! `clew instance …`: the inventory.

mod add;
mod check;
mod describe;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clew_model::{Instance, InstanceFilter, InstanceId, Page, ProjectId};
use clew_store::Store;

use crate::configuration::DEFAULT_DATA_DIR;
use crate::error::CliError;
use crate::serve::explain;
use crate::{origin, output};

/// Say which database servers there are: instances and their nodes.
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
    Remove(One),
    Check(check::Arguments),
}

/// Where the inventory is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Folder that clew init made; a running clew serve sees changes at once
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    /// Id of the project [default: the only one]
    #[arg(long, value_name = "ID", env = "CLEW_PROJECT_ID")]
    project: Option<ProjectId>,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For eyes
    Table,
    /// For scripts
    Json,
}

/// List instances.
#[derive(Debug, Args)]
struct Listing {
    #[command(flatten)]
    place: Place,
}

/// An instance by its id.
#[derive(Debug, Args)]
struct One {
    /// Id of the instance
    #[arg(value_name = "INSTANCE")]
    id: InstanceId,
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
    }
}

impl Place {
    /// The store, and the project that is meant.
    pub(crate) async fn open(&self) -> Result<(Store, ProjectId), CliError> {
        let store = Store::open(&self.data_dir).await.map_err(explain)?;
        let known = store.all_projects().await.map_err(explain)?;
        let shown =
            || known.iter().map(|project| format!("{} ({})", project.id, project.name)).collect::<Vec<_>>().join(", ");
        let project = match (&self.project, known.as_slice()) {
            (Some(wanted), _) if known.iter().any(|project| project.id == *wanted) => wanted.clone(),
            (Some(wanted), _) => {
                return Err(CliError::refused(format!("there is no project {wanted}; there are {}", shown())));
            }
            (None, [only]) => only.id.clone(),
            (None, _) => return Err(CliError::refused(format!("name the project with --project: {}", shown()))),
        };
        Ok((store, project))
    }
}

/// The instance, or an error that says what to do.
pub(crate) async fn find(store: &Store, project: &ProjectId, id: &InstanceId) -> Result<Instance, CliError> {
    store
        .instance(project, id)
        .await
        .map_err(explain)?
        .ok_or_else(|| CliError::failed(format!("there is no instance {id}")).with_hint("clew instance list shows all"))
}

async fn list(place: Place) -> Result<(), CliError> {
    let (store, project) = place.open().await?;
    let mut all = Vec::new();
    loop {
        let page = Page { offset: u32::try_from(all.len()).unwrap_or(u32::MAX), limit: 100 };
        let (instances, total) = store.instances(&project, &InstanceFilter::default(), page).await.map_err(explain)?;
        let ended = instances.is_empty();
        all.extend(instances);
        if ended || all.len() as u64 >= total {
            break;
        }
    }
    output::to_stdout(&match place.format {
        Format::Table => describe::list(&all),
        Format::Json => {
            describe::json(&serde_json::json!({ "instances": all.iter().map(describe::value).collect::<Vec<_>>() }))
        }
    })
}

async fn show(arguments: One) -> Result<(), CliError> {
    let (store, project) = arguments.place.open().await?;
    let instance = find(&store, &project, &arguments.id).await?;
    output::to_stdout(&match arguments.place.format {
        Format::Table => describe::one(&instance),
        Format::Json => describe::json(&describe::value(&instance)),
    })
}

async fn remove(arguments: One) -> Result<(), CliError> {
    let (store, project) = arguments.place.open().await?;
    let instance = find(&store, &project, &arguments.id).await?;
    store.remove_instance(&origin::local(), &project, &arguments.id).await.map_err(explain)?;
    output::to_stdout(&match arguments.place.format {
        Format::Table => format!("Removed {} ({}) and what was known of its nodes.\n", instance.name, instance.id),
        Format::Json => describe::json(&serde_json::json!({ "removed": instance.id })),
    })
}
