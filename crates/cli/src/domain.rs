//! `clew domain …`: tenants. Made here only: over HTTP nobody sees beyond their own.

use clap::{Args, Subcommand};
use clew_store::{Domain, NewUser};
use serde_json::{Value, json};

use crate::directory::DataDir;
use crate::error::CliError;
use crate::listing;
use crate::names;
use crate::new_password::NewPassword;
use crate::origin;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    List(List),
}

/// Make a domain with a project and an administrator. Prints the administrator's password once.
#[derive(Debug, Args)]
#[command(after_help = CREATE_HELP)]
struct Create {
    /// Name, unique here
    #[arg(value_parser = names::parse)]
    name: String,
    /// Name of its administrator
    #[arg(long, value_name = "USER", value_parser = names::parse)]
    admin: String,
    /// Name of its first project [default: that of the region]
    #[arg(long, value_name = "NAME", value_parser = names::parse)]
    region_project: Option<String>,
    #[command(flatten)]
    password: NewPassword,
    #[command(flatten)]
    data_dir: DataDir,
}

const CREATE_HELP: &str = "\
Examples:
  clew domain create acme --admin alice
  clew domain create acme --admin alice --region-project eu-1 --password-stdin < password.txt

The SDKs find a project by the name of their region, so the first project is named like it. An access key for the administrator:
  clew key create alice --domain acme";

/// List domains.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew domain list --format json")]
struct List {
    #[command(flatten)]
    data_dir: DataDir,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.action {
        Action::Create(arguments) => create(arguments).await,
        Action::List(arguments) => list(arguments).await,
    }
}

async fn create(arguments: Create) -> Result<(), CliError> {
    let Create { name, admin, region_project, password, data_dir } = arguments;
    let store = data_dir.open().await?;
    let password = password.get(&admin).await?;
    let by = origin::local();
    let project = region_project.unwrap_or_else(|| store.region().to_owned());
    let domain_id = store.create_domain(&by, &name).await?;
    let project_id = store.create_project(&by, &domain_id, &project, "").await?;
    let user = NewUser {
        name: admin.clone(),
        password_hash: password.hash.clone(),
        administrator: true,
        description: String::new(),
    };
    let user_id = store.create_user(&by, &domain_id, &user).await?;
    let facts = || {
        listing::facts(&[
            ("domain", format!("{name} ({domain_id})")),
            ("project", format!("{project} ({project_id})")),
            ("administrator", format!("{admin} ({user_id})")),
        ])
    };
    data_dir.format.say(
        || format!("{}\n{}Next: clew key create {admin} --domain {name}\n", facts(), password.said()),
        || {
            json!({
                "domain_id": domain_id, "domain_name": name, "project_id": project_id, "project_name": project,
                "user_id": user_id, "user": admin, "password": password.value(),
            })
        },
    )
}

async fn list(arguments: List) -> Result<(), CliError> {
    let domains = arguments.data_dir.open().await?.domains().await?;
    arguments.data_dir.format.say(
        || {
            let row = |domain: &Domain| [domain.name.clone(), domain.id.to_string()];
            listing::list(["NAME", "DOMAIN"], domains.iter().map(row).collect(), "No domains.")
        },
        || json!({ "domains": domains.iter().map(value).collect::<Vec<_>>() }),
    )
}

fn value(domain: &Domain) -> Value {
    json!({ "id": domain.id, "name": domain.name })
}
