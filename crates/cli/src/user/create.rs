//! `clew user create`

use clap::Args;
use clew_store::NewUser;
use serde_json::json;

use crate::directory::Place;
use crate::error::CliError;
use crate::names;
use crate::new_password::NewPassword;

/// Make a user, who may do nothing yet. Prints the password once, unless it is told.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Name, unique in the domain
    #[arg(value_parser = names::parse)]
    name: String,
    /// May do everything in the domain, whatever the policies say
    #[arg(long)]
    administrator: bool,
    /// Who it is
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = names::parse_description)]
    description: String,
    #[command(flatten)]
    password: NewPassword,
    #[command(flatten)]
    place: Place,
}

const AFTER_HELP: &str = "\
Examples:
  clew user create ada
  clew user create ada --password-stdin < password.txt
  clew user create root2 --administrator --format json

A password has 8 to 128 characters and is not the user's name. Only a hash of it is kept.";

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let Arguments { name, administrator, description, password, place } = arguments;
    let directory = place.open().await?;
    let password = password.get(&name).await?;
    let user = NewUser { name: name.clone(), password_hash: password.hash.clone(), administrator, description };
    let domain = &directory.domain;
    let id = directory.store.create_user(&directory.by, &domain.id, &user).await?;
    let next = if administrator {
        format!("clew key create {name}")
    } else {
        format!("clew policy attach TaurusDBReadOnlyAccessPolicy --user {name}")
    };
    let kind = if administrator { "administrator" } else { "user" };
    place.format().say(
        || format!("Made the {kind} {name} ({id}) in the domain {}. {}Next: {next}\n", domain.name, password.said()),
        || {
            json!({
                "id": id, "name": name, "domain_id": domain.id, "administrator": administrator,
                "password": password.value(),
            })
        },
    )
}
