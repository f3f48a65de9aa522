//! `clew user update`, `password`, `enable` and `disable`

use clap::Args;
use clew_store::UserChange;
use serde_json::json;

use super::describe;
use crate::directory::Place;
use crate::error::CliError;
use crate::names;
use crate::new_password::NewPassword;

/// Change a user: an administrator or not, and who it is.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  clew user update ada --administrator\n  clew user update ada --description \"on call\""
)]
#[group(id = "change", required = true, multiple = true, args = ["administrator", "no_administrator", "description"])]
pub(super) struct Arguments {
    /// Name or id
    user: String,
    /// May do everything in the domain, whatever the policies say
    #[arg(long, conflicts_with = "no_administrator")]
    administrator: bool,
    /// May do what the policies say
    #[arg(long)]
    no_administrator: bool,
    /// Who it is
    #[arg(long, value_name = "TEXT", value_parser = names::parse_description)]
    description: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Give a user a new password. Prints it once, unless it is told. Ends their tokens and temporary keys.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  clew user password ada\n  clew user password ada --password-stdin < password.txt")]
pub(super) struct SetPassword {
    /// Name or id
    user: String,
    #[command(flatten)]
    password: NewPassword,
    #[command(flatten)]
    place: Place,
}

/// Let a user sign in again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew user enable ada")]
pub(super) struct Enable {
    /// Name or id
    user: String,
    #[command(flatten)]
    place: Place,
}

/// Shut a user out at once: no tokens, no access keys.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew user disable ada")]
pub(super) struct Disable {
    /// Name or id
    user: String,
    #[command(flatten)]
    place: Place,
}

pub(super) async fn update(arguments: Arguments) -> Result<(), CliError> {
    let Arguments { user, administrator, no_administrator, description, place } = arguments;
    let change = UserChange {
        administrator: (administrator || no_administrator).then_some(administrator),
        description,
        ..UserChange::default()
    };
    apply(&place, &user, &change).await
}

pub(super) async fn enable(arguments: Enable) -> Result<(), CliError> {
    let change = UserChange { enabled: Some(true), ..UserChange::default() };
    apply(&arguments.place, &arguments.user, &change).await
}

pub(super) async fn disable(arguments: Disable) -> Result<(), CliError> {
    let change = UserChange { enabled: Some(false), ..UserChange::default() };
    apply(&arguments.place, &arguments.user, &change).await
}

async fn apply(place: &Place, named: &str, change: &UserChange) -> Result<(), CliError> {
    let directory = place.open().await?;
    let user = directory.user(named).await?;
    directory.store.update_user(&directory.by, &user.id, change).await?;
    let user = directory.user(user.id.as_str()).await?;
    place.format().say(|| describe::one(&user), || describe::value(&user))
}

pub(super) async fn password(arguments: SetPassword) -> Result<(), CliError> {
    let SetPassword { user, password, place } = arguments;
    let directory = place.open().await?;
    let user = directory.user(&user).await?;
    let password = password.get(&user.name).await?;
    let change = UserChange { password_hash: Some(password.hash.clone()), ..UserChange::default() };
    directory.store.update_user(&directory.by, &user.id, &change).await?;
    place.format().say(
        || {
            let said = password.said();
            format!("{} has a new password; tokens and temporary keys have ended. {}\n", user.name, said.trim_end())
        },
        || json!({ "id": user.id, "name": user.name, "password": password.value() }),
    )
}
