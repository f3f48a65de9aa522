//! `clew domain …`: creates and lists domains (tenants).
//! Domains can be created only on the command line, because API callers can access only their own domain.

use clap::{Args, Subcommand};
use clew_store::{Domain, NewUser, Store};
use serde_json::json;

use crate::command_group::CommandGroup;
use crate::error::CliError;
use crate::local_audit_origin;
use crate::new_password::NewPasswordArgs;
use crate::output::CommandOutputFormat;
use crate::store_args::StoreAndOutputFormatArgs;
use crate::text_table::{self, ListFormat, fields_to_json};
use crate::value_parsers;

pub(crate) type DomainCommandArgs = CommandGroup<DomainCommand, StoreAndOutputFormatArgs>;

#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// Create a domain with a project and an administrator, and print the administrator's password once.
    #[command(after_help = CREATE_COMMAND_AFTER_HELP)]
    Create(CreateArgs),
    /// List domains.
    #[command(after_help = "Example:\n  clew domain list --format json")]
    List,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
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
}

const CREATE_COMMAND_AFTER_HELP: &str = "\
Examples:
  clew domain create acme --admin alice
  clew domain create acme --admin alice --region-project eu-1 --password-stdin < password.txt

The SDKs look up the project by region name, so the first project has that name. To create an access key for the
administrator:
  clew key create alice --domain acme";

const DOMAIN_LIST_FORMAT: ListFormat<Domain, 2> = ListFormat {
    json_key: "domains",
    headings: ["NAME", "DOMAIN"],
    empty_message: "No domains.",
    to_row: |domain| [domain.name.clone(), domain.id.to_string()],
    to_json: |domain| fields_to_json!(domain, id, name),
};

pub(crate) async fn run(CommandGroup { command, options }: DomainCommandArgs) -> Result<(), CliError> {
    let store = options.open_store().await?;
    match command {
        DomainCommand::Create(arguments) => create_domain(&store, options.format, arguments).await,
        DomainCommand::List => DOMAIN_LIST_FORMAT.print(options.format, &store.tenants().list_domains().await?),
    }
}

async fn create_domain(store: &Store, format: CommandOutputFormat, arguments: CreateArgs) -> Result<(), CliError> {
    let CreateArgs { name, admin, region_project, password } = arguments;
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
    format.print(
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
