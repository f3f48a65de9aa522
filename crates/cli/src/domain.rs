//! `clew domain …`: creates and lists domains (tenants).
//! Domains can be created only on the command line, because API callers can access only their own domain.

use clap::{Args, Subcommand};
use clew_store::{Domain, NewUser};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::local_audit_origin;
use crate::new_password::NewPasswordArgs;
use crate::store_args::StoreAndOutputFormatArgs;
use crate::text_table;
use crate::value_parsers;

#[derive(Debug, Args)]
pub(crate) struct DomainCommandArgs {
    #[command(subcommand)]
    command: DomainCommand,
}

#[derive(Debug, Subcommand)]
enum DomainCommand {
    Create(CreateArgs),
    List(ListArgs),
}

/// Create a domain with a project and an administrator, and print the administrator's password once.
#[derive(Debug, Args)]
#[command(after_help = CREATE_COMMAND_AFTER_HELP)]
struct CreateArgs {
    /// Name, unique in the store
    #[arg(value_parser = value_parsers::parse_identity_name)]
    name: String,
    /// Name of the administrator
    #[arg(long, value_name = "USER", value_parser = value_parsers::parse_identity_name)]
    admin: String,
    /// Name of the first project [default: the region name]
    #[arg(long, value_name = "NAME", value_parser = value_parsers::parse_identity_name)]
    region_project: Option<String>,
    #[command(flatten)]
    password: NewPasswordArgs,
    #[command(flatten)]
    store_args: StoreAndOutputFormatArgs,
}

const CREATE_COMMAND_AFTER_HELP: &str = "\
Examples:
  clew domain create acme --admin alice
  clew domain create acme --admin alice --region-project eu-1 --password-stdin < password.txt

The SDKs look up the project by region name, so the first project has that name. To create an access key for the
administrator:
  clew key create alice --domain acme";

/// List domains.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew domain list --format json")]
struct ListArgs {
    #[command(flatten)]
    store_args: StoreAndOutputFormatArgs,
}

pub(crate) async fn run(arguments: DomainCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        DomainCommand::Create(arguments) => create_domain(arguments).await,
        DomainCommand::List(arguments) => list_domains(arguments).await,
    }
}

async fn create_domain(arguments: CreateArgs) -> Result<(), CliError> {
    let CreateArgs { name, admin, region_project, password, store_args } = arguments;
    let store = store_args.open_store().await?;
    let password = password.read_or_generate_password(&admin).await?;
    let origin = local_audit_origin::audit_origin_for_local_account();
    let project = region_project.unwrap_or_else(|| store.region().to_owned());
    let domain_id = store.tenants().create_domain(&origin, &name).await?;
    let project_id = store.tenants().create_project(&origin, &domain_id, &project, "").await?;
    let user = NewUser {
        name: admin.clone(),
        password_hash: password.hash.clone(),
        administrator: true,
        description: String::new(),
    };
    let user_id = store.identities().create_user(&origin, &domain_id, &user).await?;
    let fields = || {
        text_table::render_field_list(&[
            ("domain", format!("{name} ({domain_id})")),
            ("project", format!("{project} ({project_id})")),
            ("administrator", format!("{admin} ({user_id})")),
        ])
    };
    store_args.format.print(
        || {
            format!(
                "{}\n{}Next: clew key create {admin} --domain {name}\n",
                fields(),
                password.format_generated_password_notice()
            )
        },
        || {
            json!({
                "domain_id": domain_id, "domain_name": name, "project_id": project_id, "project_name": project,
                "user_id": user_id, "user": admin, "password": password.to_json(),
            })
        },
    )
}

async fn list_domains(arguments: ListArgs) -> Result<(), CliError> {
    let domains = arguments.store_args.open_store().await?.tenants().list_domains().await?;
    arguments.store_args.format.print(
        || {
            let row = |domain: &Domain| [domain.name.clone(), domain.id.to_string()];
            text_table::render_table(["NAME", "DOMAIN"], domains.iter().map(row).collect(), "No domains.")
        },
        || json!({ "domains": domains.iter().map(domain_to_json).collect::<Vec<_>>() }),
    )
}

fn domain_to_json(domain: &Domain) -> Value {
    json!({ "id": domain.id, "name": domain.name })
}
