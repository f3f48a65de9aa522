//! `clew user create`: creates a user.

use clap::Args;
use clew_store::NewUser;
use serde_json::json;

use crate::error::CliError;
use crate::new_password::NewPasswordArgs;
use crate::store_args::IamDomainArgs;
use crate::value_parsers;

/// Create a user without permissions and print the generated password once.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CreateArgs {
    /// Name, unique in the domain
    #[arg(value_parser = value_parsers::parse_identity_name)]
    name: String,
    /// Make the user an administrator with full access to the domain, regardless of policies
    #[arg(long)]
    administrator: bool,
    /// Description
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = value_parsers::parse_description)]
    description: String,
    #[command(flatten)]
    password: NewPasswordArgs,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

const AFTER_HELP: &str = "\
Examples:
  clew user create ada
  clew user create ada --password-stdin < password.txt
  clew user create root2 --administrator --format json

Passwords must have 8 to 128 characters and differ from the user name. Clew stores only a hash of the password.";

pub(super) async fn run(arguments: CreateArgs) -> Result<(), CliError> {
    let CreateArgs { name, administrator, description, password, domain_args } = arguments;
    let directory = domain_args.open_identity_directory().await?;
    let password = password.read_or_generate_password(&name).await?;
    let user = NewUser { name: name.clone(), password_hash: password.hash.clone(), administrator, description };
    let domain = &directory.domain;
    let id = directory.store.identities().create_user(&directory.origin, &domain.id, &user).await?;
    let next = if administrator {
        format!("clew key create {name}")
    } else {
        format!("clew policy attach TaurusDBReadOnlyAccessPolicy --user {name}")
    };
    let kind = if administrator { "administrator" } else { "user" };
    domain_args.output_format().print(
        || {
            format!(
                "Created the {kind} {name} ({id}) in the domain {}. {}Next: {next}\n",
                domain.name,
                password.format_generated_password_notice()
            )
        },
        || {
            json!({
                "id": id, "name": name, "domain_id": domain.id, "administrator": administrator,
                "password": password.to_json(),
            })
        },
    )
}
