//! `clew user …`: manages a domain's users.

use std::fmt::Write as _;

use clap::{ArgGroup, Args, Subcommand};
use clew_store::{AccessKeyMetadata, CustomOrBuiltInPolicy, Group, NewUser, PolicyGrant, User, UserChange};
use serde_json::{Value, json};

use crate::access_key::ACCESS_KEY_LIST_FORMAT;
use crate::command_group::CommandGroup;
use crate::confirmation::ConfirmationArgs;
use crate::error::CliError;
use crate::identity_directory::IdentityDirectory;
use crate::new_password::NewPasswordArgs;
use crate::output::merge_json_objects;
use crate::store_args::IamDomainArgs;
use crate::text_table::{self, ListFormat, fields_to_json, format_yes_no};
use crate::value_parsers;

pub(crate) type UserCommandArgs = CommandGroup<UserCommand, IamDomainArgs>;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user without permissions and print the generated password once.
    #[command(after_help = CREATE_COMMAND_AFTER_HELP)]
    Create(CreateArgs),
    /// List users.
    #[command(after_help = "Example:\n  clew user list")]
    List,
    /// Show a user with their groups, policies and access keys.
    #[command(after_help = "Example:\n  clew user show ada")]
    Show {
        /// Name or id
        user: String,
    },
    /// Change a user's description or administrator status.
    #[command(
        after_help = "Examples:\n  clew user update ada --administrator\n  clew user update ada --description \"on call\""
    )]
    #[command(group = ArgGroup::new("change").required(true).multiple(true))]
    #[group(skip)]
    Update {
        /// Name or id
        user: String,
        /// Make the user an administrator with full access to the domain, regardless of policies
        #[arg(long, conflicts_with = "no_administrator", group = "change")]
        administrator: bool,
        /// Make the user a regular user, with only the permissions granted by attached policies
        #[arg(long, group = "change")]
        no_administrator: bool,
        /// Description
        #[arg(long, value_name = "TEXT", value_parser = value_parsers::parse_description, group = "change")]
        description: Option<String>,
    },
    /// Reset a user's password, print a generated password once, and revoke the user's tokens and temporary keys.
    #[command(
        after_help = "Examples:\n  clew user password ada\n  clew user password ada --password-stdin < password.txt"
    )]
    Password {
        /// Name or id
        user: String,
        #[command(flatten)]
        password: NewPasswordArgs,
    },
    /// Enable a user.
    #[command(after_help = "Example:\n  clew user enable ada")]
    Enable {
        /// Name or id
        user: String,
    },
    /// Disable a user and immediately invalidate all of their access keys and tokens.
    #[command(after_help = "Example:\n  clew user disable ada")]
    Disable {
        /// Name or id
        user: String,
    },
    /// Delete a user with all of their access keys and tokens.
    #[command(
        after_help = "Example:\n  clew user remove ada --yes\n\nTo block a user without deleting data, use clew user disable."
    )]
    Remove {
        /// Name or id
        user: String,
        #[command(flatten)]
        confirmation: ConfirmationArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
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
}

const CREATE_COMMAND_AFTER_HELP: &str = "\
Examples:
  clew user create ada
  clew user create ada --password-stdin < password.txt
  clew user create root2 --administrator --format json

Passwords must have 8 to 128 characters and differ from the user name. Clew stores only a hash of the password.";

pub(crate) async fn run(arguments: UserCommandArgs) -> Result<(), CliError> {
    let directory = arguments.options.open_identity_directory().await?;
    let (identities, origin) = (directory.store.identities(), &directory.origin);
    let unchanged = UserChange::default();
    match arguments.command {
        UserCommand::Create(arguments) => create_user(&directory, arguments).await,
        UserCommand::List => {
            USER_LIST_FORMAT.print(directory.format, &identities.list_users(&directory.domain.id).await?)
        }
        UserCommand::Show { user } => {
            let user = directory.find_user(&user).await?;
            let details = UserDetails::load(&directory, &user).await?;
            directory.format.print(|| render_user_details(&user, &details), || user_details_to_json(&user, &details))
        }
        UserCommand::Update { user, administrator, no_administrator, description } => {
            let administrator = (administrator || no_administrator).then_some(administrator);
            update_user(&directory, &user, &UserChange { administrator, description, ..unchanged }).await
        }
        UserCommand::Password { user, password } => set_password(&directory, &user, &password).await,
        UserCommand::Enable { user } => {
            update_user(&directory, &user, &UserChange { enabled: Some(true), ..unchanged }).await
        }
        UserCommand::Disable { user } => {
            update_user(&directory, &user, &UserChange { enabled: Some(false), ..unchanged }).await
        }
        UserCommand::Remove { user, confirmation } => {
            let user = directory.find_user(&user).await?;
            let what = format!("remove the user {} with all access keys and tokens", user.name);
            confirmation.prompt_for_confirmation(what).await?;
            identities.remove_user(origin, &user.id).await?;
            directory.print_removed_object("user", &user.name, &user.id)
        }
    }
}

async fn create_user(directory: &IdentityDirectory, arguments: CreateArgs) -> Result<(), CliError> {
    let CreateArgs { name, administrator, description, password } = arguments;
    let password = password.read_or_generate_password(&name).await?;
    let user = NewUser { name: name.clone(), password_hash: password.hash.clone(), administrator, description };
    let domain = &directory.domain;
    let id = directory.store.identities().create_user(&directory.origin, &domain.id, &user).await?;
    let (kind, next) = if administrator {
        ("administrator", format!("clew key create {name}"))
    } else {
        ("user", format!("clew policy attach TaurusDBReadOnlyAccessPolicy --user {name}"))
    };
    directory.format.print(
        || {
            let notice = password.format_generated_password_notice();
            format!("Created the {kind} {name} ({id}) in the domain {}. {notice}Next: {next}\n", domain.name)
        },
        || {
            json!({
                "id": id, "name": name, "domain_id": domain.id, "administrator": administrator,
                "password": password.to_json(),
            })
        },
    )
}

async fn update_user(directory: &IdentityDirectory, name_or_id: &str, change: &UserChange) -> Result<(), CliError> {
    let user = directory.find_user(name_or_id).await?;
    directory.store.identities().update_user(&directory.origin, &user.id, change).await?;
    let user = directory.find_user(user.id.as_str()).await?;
    directory.format.print(|| render_user(&user), || (USER_LIST_FORMAT.to_json)(&user))
}

async fn set_password(
    directory: &IdentityDirectory,
    name_or_id: &str,
    password: &NewPasswordArgs,
) -> Result<(), CliError> {
    let user = directory.find_user(name_or_id).await?;
    let password = password.read_or_generate_password(&user.name).await?;
    let change = UserChange { password_hash: Some(password.hash.clone()), ..UserChange::default() };
    directory.store.identities().update_user(&directory.origin, &user.id, &change).await?;
    directory.format.print(
        || {
            let notice = password.format_generated_password_notice();
            let notice = notice.trim_end();
            format!("Set a new password for {}, and revoked tokens and temporary keys. {notice}\n", user.name)
        },
        || json!({ "id": user.id, "name": user.name, "password": password.to_json() }),
    )
}

struct UserDetails {
    groups: Vec<Group>,
    grants: Vec<(PolicyGrant, Option<String>)>,
    /// Each access key is paired with the user name, as [`ACCESS_KEY_LIST_FORMAT`] requires.
    keys: Vec<(String, AccessKeyMetadata)>,
}

impl UserDetails {
    async fn load(directory: &IdentityDirectory, user: &User) -> Result<Self, CliError> {
        let store = &directory.store;
        let mut groups = Vec::new();
        for group in store.identities().list_groups(&directory.domain.id).await? {
            if store.identities().list_group_members(&group.id).await?.iter().any(|member| member.id == user.id) {
                groups.push(group);
            }
        }
        let mut grants = Vec::new();
        for grant in store.policies().list_user_policy_grants(&user.id).await? {
            let project = match &grant.project {
                Some(id) => store.tenants().find_project(id).await?.map(|project| project.name),
                None => None,
            };
            grants.push((grant, project));
        }
        let keys = store.identities().list_access_keys(&user.id).await?;
        Ok(Self { groups, grants, keys: keys.into_iter().map(|key| (user.name.clone(), key)).collect() })
    }
}

/// The output contains no password hashes.
const USER_LIST_FORMAT: ListFormat<User, 5> = ListFormat {
    json_key: "users",
    headings: ["NAME", "USER", "ENABLED", "ADMINISTRATOR", "DESCRIPTION"],
    empty_message: "No users. Create one with clew user create.",
    to_row: |user| {
        let User { name, id, enabled, administrator, description, .. } = user;
        [name.clone(), id.to_string(), format_yes_no(*enabled), format_yes_no(*administrator), description.clone()]
    },
    to_json: |user| fields_to_json!(user, id, name, domain_id, enabled, administrator, description),
};

fn render_user(user: &User) -> String {
    let mut fields = USER_LIST_FORMAT.fields(user);
    fields.insert(1, ("domain".to_owned(), format!("{} ({})", user.domain_name, user.domain_id)));
    text_table::render_field_list(&fields)
}

fn render_user_details(user: &User, access: &UserDetails) -> String {
    let groups: Vec<_> = access.groups.iter().map(|group| group.name.as_str()).collect();
    let groups = if groups.is_empty() { "none".to_owned() } else { groups.join(", ") };
    let mut text = render_user(user);
    let _ = writeln!(text, "groups         {groups}");
    let grant = |(grant, project): &(PolicyGrant, Option<String>)| {
        let via = grant.via_group.as_ref().map_or("the user".to_owned(), |group| format!("the group {group}"));
        [granted_policy_name(grant).to_owned(), via, project.clone().unwrap_or_else(|| "all".to_owned())]
    };
    text.push('\n');
    let none = if user.administrator {
        "No policies; administrators have full access."
    } else {
        "No policies; the user has no access."
    };
    let grants = access.grants.iter().map(grant).collect();
    text.push_str(&text_table::render_table(["POLICY", "ATTACHED TO", "PROJECT"], grants, none));
    text.push('\n');
    text + &ACCESS_KEY_LIST_FORMAT.render_table(&access.keys)
}

fn user_details_to_json(user: &User, access: &UserDetails) -> Value {
    let group = |group: &Group| fields_to_json!(group, id, name);
    let grant = |(grant, _): &(PolicyGrant, Option<String>)| json!({ "policy": granted_policy_name(grant), "group": grant.via_group, "project_id": grant.project });
    let groups: Vec<_> = access.groups.iter().map(group).collect();
    let policies: Vec<_> = access.grants.iter().map(grant).collect();
    let keys: Vec<_> = access.keys.iter().map(ACCESS_KEY_LIST_FORMAT.to_json).collect();
    merge_json_objects(
        (USER_LIST_FORMAT.to_json)(user),
        json!({ "groups": groups, "policies": policies, "access_keys": keys }),
    )
}

fn granted_policy_name(grant: &PolicyGrant) -> &str {
    match &grant.policy {
        CustomOrBuiltInPolicy::Custom { name, .. } | CustomOrBuiltInPolicy::System { name } => name,
    }
}
