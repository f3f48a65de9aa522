//! `clew user …`: who can sign in.

mod create;
mod describe;
mod update;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::confirm::Confirmation;
use crate::directory::Place;
use crate::error::CliError;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(create::Arguments),
    List(List),
    Show(One),
    Update(update::Arguments),
    Password(update::SetPassword),
    Enable(update::Enable),
    Disable(update::Disable),
    Remove(Remove),
}

/// List users.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew user list")]
struct List {
    #[command(flatten)]
    place: Place,
}

/// Show a user with their groups, policies and access keys.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew user show ada")]
struct One {
    /// Name or id
    user: String,
    #[command(flatten)]
    place: Place,
}

/// Remove a user with their access keys and tokens.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  clew user remove ada --yes\n\nclew user disable keeps everything, and shuts them out as well."
)]
struct Remove {
    /// Name or id
    user: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.action {
        Action::Create(arguments) => create::run(arguments).await,
        Action::List(arguments) => list(arguments).await,
        Action::Show(arguments) => show(arguments).await,
        Action::Update(arguments) => update::update(arguments).await,
        Action::Password(arguments) => update::password(arguments).await,
        Action::Enable(arguments) => update::enable(arguments).await,
        Action::Disable(arguments) => update::disable(arguments).await,
        Action::Remove(arguments) => remove(arguments).await,
    }
}

async fn list(arguments: List) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let users = directory.store.users_of(&directory.domain.id).await?;
    arguments
        .place
        .format()
        .say(|| describe::list(&users), || json!({ "users": users.iter().map(describe::value).collect::<Vec<_>>() }))
}

async fn show(arguments: One) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let user = directory.user(&arguments.user).await?;
    let access = describe::Access::of(&directory, &user).await?;
    arguments.place.format().say(|| describe::whole(&user, &access), || describe::whole_value(&user, &access))
}

async fn remove(arguments: Remove) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let user = directory.user(&arguments.user).await?;
    arguments.confirmation.ask(format!("remove the user {} with their access keys and tokens", user.name)).await?;
    directory.store.remove_user(&directory.by, &user.id).await?;
    arguments
        .place
        .format()
        .say(|| format!("Removed the user {} ({}).\n", user.name, user.id), || json!({ "removed": user.id }))
}
