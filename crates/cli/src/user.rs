//! `clew user …`: users of a domain.

mod create;
mod render;
mod update;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::confirm::ConfirmArgs;
use crate::error::CliError;
use crate::store_args::DomainArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(create::Arguments),
    List(ListArgs),
    Show(ShowArgs),
    Update(update::Arguments),
    Password(update::SetPasswordArgs),
    Enable(update::EnableArgs),
    Disable(update::DisableArgs),
    Remove(RemoveArgs),
}

/// List users.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew user list")]
struct ListArgs {
    #[command(flatten)]
    domain_args: DomainArgs,
}

/// Show a user with groups, policies and access keys.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew user show ada")]
struct ShowArgs {
    /// Name or id
    user: String,
    #[command(flatten)]
    domain_args: DomainArgs,
}

/// Delete a user with the user's access keys and tokens.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  clew user remove ada --yes\n\nTo block a user without deleting data, use clew user disable."
)]
struct RemoveArgs {
    /// Name or id
    user: String,
    #[command(flatten)]
    confirmation: ConfirmArgs,
    #[command(flatten)]
    domain_args: DomainArgs,
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

async fn list(arguments: ListArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open().await?;
    let users = directory.store.users_of(&directory.domain.id).await?;
    arguments.domain_args.format().print(
        || render::render_table(&users),
        || json!({ "users": users.iter().map(render::to_json).collect::<Vec<_>>() }),
    )
}

async fn show(arguments: ShowArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open().await?;
    let user = directory.user(&arguments.user).await?;
    let access = render::Access::load(&directory, &user).await?;
    arguments
        .domain_args
        .format()
        .print(|| render::render_details(&user, &access), || render::to_detailed_json(&user, &access))
}

async fn remove(arguments: RemoveArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open().await?;
    let user = directory.user(&arguments.user).await?;
    arguments.confirmation.prompt(format!("remove the user {} with their access keys and tokens", user.name)).await?;
    directory.store.remove_user(&directory.origin, &user.id).await?;
    arguments
        .domain_args
        .format()
        .print(|| format!("Removed the user {} ({}).\n", user.name, user.id), || json!({ "removed": user.id }))
}
