//! `clew user update`, `clew user password`, `clew user enable` and `clew user disable`: change a user.

use clap::Args;
use clew_store::UserChange;
use serde_json::json;

use super::render;
use crate::error::CliError;
use crate::new_password::NewPasswordArgs;
use crate::store_args::IamDomainArgs;
use crate::value_parsers;

/// Change a user's description or administrator status.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  clew user update ada --administrator\n  clew user update ada --description \"on call\""
)]
#[group(id = "change", required = true, multiple = true, args = ["administrator", "no_administrator", "description"])]
pub(super) struct UpdateArgs {
    /// Name or id
    user: String,
    /// Make the user an administrator with full access to the domain, regardless of policies
    #[arg(long, conflicts_with = "no_administrator")]
    administrator: bool,
    /// Make the user a regular user, with only the permissions granted by attached policies
    #[arg(long)]
    no_administrator: bool,
    /// Description
    #[arg(long, value_name = "TEXT", value_parser = value_parsers::parse_description)]
    description: Option<String>,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Reset a user's password, print a generated password once, and revoke the user's tokens and temporary keys.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  clew user password ada\n  clew user password ada --password-stdin < password.txt")]
pub(super) struct SetPasswordArgs {
    /// Name or id
    user: String,
    #[command(flatten)]
    password: NewPasswordArgs,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Enable a user.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew user enable ada")]
pub(super) struct EnableArgs {
    /// Name or id
    user: String,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Disable a user and immediately invalidate all of their access keys and tokens.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew user disable ada")]
pub(super) struct DisableArgs {
    /// Name or id
    user: String,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

pub(super) async fn update_user(arguments: UpdateArgs) -> Result<(), CliError> {
    let UpdateArgs { user, administrator, no_administrator, description, domain_args } = arguments;
    let change = UserChange {
        administrator: (administrator || no_administrator).then_some(administrator),
        description,
        ..UserChange::default()
    };
    update_and_print_user(&domain_args, &user, &change).await
}

pub(super) async fn enable_user(arguments: EnableArgs) -> Result<(), CliError> {
    let change = UserChange { enabled: Some(true), ..UserChange::default() };
    update_and_print_user(&arguments.domain_args, &arguments.user, &change).await
}

pub(super) async fn disable_user(arguments: DisableArgs) -> Result<(), CliError> {
    let change = UserChange { enabled: Some(false), ..UserChange::default() };
    update_and_print_user(&arguments.domain_args, &arguments.user, &change).await
}

async fn update_and_print_user(
    domain_args: &IamDomainArgs,
    name_or_id: &str,
    change: &UserChange,
) -> Result<(), CliError> {
    let directory = domain_args.open_identity_directory().await?;
    let user = directory.find_user(name_or_id).await?;
    directory.store.identities().update_user(&directory.origin, &user.id, change).await?;
    let user = directory.find_user(user.id.as_str()).await?;
    domain_args.output_format().print(|| render::render_user(&user), || render::user_to_json(&user))
}

pub(super) async fn set_password(arguments: SetPasswordArgs) -> Result<(), CliError> {
    let SetPasswordArgs { user, password, domain_args } = arguments;
    let directory = domain_args.open_identity_directory().await?;
    let user = directory.find_user(&user).await?;
    let password = password.read_or_generate_password(&user.name).await?;
    let change = UserChange { password_hash: Some(password.hash.clone()), ..UserChange::default() };
    directory.store.identities().update_user(&directory.origin, &user.id, &change).await?;
    domain_args.output_format().print(
        || {
            let notice = password.format_generated_password_notice();
            format!(
                "Set a new password for {}, and revoked tokens and temporary keys. {}\n",
                user.name,
                notice.trim_end()
            )
        },
        || json!({ "id": user.id, "name": user.name, "password": password.to_json() }),
    )
}
