//! `clew user …`: manages a domain's users.

mod create;
mod render;
mod update;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::confirm::ConfirmationArgs;
use crate::error::CliError;
use crate::store_args::IamDomainArgs;

#[derive(Debug, Args)]
pub(crate) struct UserCommandArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    Create(create::CreateArgs),
    List(ListArgs),
    Show(ShowArgs),
    Update(update::UpdateArgs),
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
    domain_args: IamDomainArgs,
}

/// Show a user with their groups, policies and access keys.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew user show ada")]
struct ShowArgs {
    /// Name or id
    user: String,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Delete a user with all of their access keys and tokens.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  clew user remove ada --yes\n\nTo block a user without deleting data, use clew user disable."
)]
struct RemoveArgs {
    /// Name or id
    user: String,
    #[command(flatten)]
    confirmation: ConfirmationArgs,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

pub(crate) async fn run(arguments: UserCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        UserCommand::Create(arguments) => create::run(arguments).await,
        UserCommand::List(arguments) => list_users(arguments).await,
        UserCommand::Show(arguments) => show_user(arguments).await,
        UserCommand::Update(arguments) => update::update_user(arguments).await,
        UserCommand::Password(arguments) => update::set_password(arguments).await,
        UserCommand::Enable(arguments) => update::enable_user(arguments).await,
        UserCommand::Disable(arguments) => update::disable_user(arguments).await,
        UserCommand::Remove(arguments) => remove_user(arguments).await,
    }
}

async fn list_users(arguments: ListArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let users = directory.store.identities().list_users(&directory.domain.id).await?;
    arguments.domain_args.output_format().print(
        || render::render_user_table(&users),
        || json!({ "users": users.iter().map(render::user_to_json).collect::<Vec<_>>() }),
    )
}

async fn show_user(arguments: ShowArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let user = directory.find_user(&arguments.user).await?;
    let access = render::UserDetails::load(&directory, &user).await?;
    arguments
        .domain_args
        .output_format()
        .print(|| render::render_user_details(&user, &access), || render::user_details_to_json(&user, &access))
}

async fn remove_user(arguments: RemoveArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let user = directory.find_user(&arguments.user).await?;
    arguments
        .confirmation
        .prompt_for_confirmation(format!("remove the user {} with all access keys and tokens", user.name))
        .await?;
    directory.store.identities().remove_user(&directory.origin, &user.id).await?;
    arguments
        .domain_args
        .output_format()
        .print(|| format!("Removed the user {} ({}).\n", user.name, user.id), || json!({ "removed": user.id }))
}
