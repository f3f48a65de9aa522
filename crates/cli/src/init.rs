//! `clew init`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clew_iam::{access_key, password};
use clew_model::AccessKeyId;
use clew_store::{FirstTenant, Founded, Location, Store, StoreError};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::configuration::{DEFAULT_DATA_DIR, DEFAULT_LISTEN};
use crate::error::CliError;
use crate::metadata::Metadata;
use crate::{names, origin, output};

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Folder to make
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    #[command(flatten)]
    metadata: Metadata,
    /// Name of the region, and of the first project
    #[arg(long, default_value = "local", value_parser = names::parse)]
    region: String,
    /// Name of the domain (account)
    #[arg(long, value_name = "NAME", default_value = "clew", value_parser = names::parse)]
    domain: String,
    /// Name of the administrator
    #[arg(long, value_name = "NAME", default_value = "admin", value_parser = names::parse)]
    user: String,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Format,
}

impl Arguments {
    fn location(&self) -> Result<Location, CliError> {
        self.metadata.with(&self.data_dir)
    }
}

const AFTER_HELP: &str = "\
Examples:
  clew init
  clew init --metadata postgres://clew@db.example.com/clew?sslmode=verify-full
  eval \"$(clew init --format env)\" && clew serve

The secret key and the password are shown this once: only a sealed copy of the key and a hash of the password are kept.
Refuses, and changes nothing, if the folder or the database is in use already.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For eyes
    Table,
    /// For scripts
    Json,
    /// Lines for a shell, as clew collect and the SDKs read them
    Env,
}

/// All that a client needs.
#[derive(Serialize)]
struct Credentials {
    endpoint: String,
    region: String,
    domain_id: String,
    domain_name: String,
    project_id: String,
    user: String,
    password: String,
    access_key: String,
    secret_key: String,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let made = make_secrets()?;
    let tenant = FirstTenant {
        region: arguments.region.clone(),
        domain_name: arguments.domain.clone(),
        user_name: arguments.user.clone(),
        password_hash: made.password_hash,
        access_key: made.access_key.clone(),
        secret_key: made.secret_key.clone(),
    };
    let (_, founded) =
        Store::initialise(&origin::local(), arguments.location()?, tenant).await.map_err(|error| match error {
            StoreError::AlreadyInitialised { .. } => CliError::refused(error.to_string())
                .with_hint("use it as it is (clew serve), or choose another folder with --data-dir, or another database with --metadata"),
            error => CliError::failed(error.to_string()),
        })?;
    let credentials = credentials(&arguments, &founded, &made.password, &made.access_key, &made.secret_key);
    output::to_stdout(&match arguments.format {
        Format::Table => table(&credentials, &arguments),
        Format::Env => env(&credentials),
        Format::Json => output::json_text(&credentials)?,
    })
}

struct Secrets {
    password: SecretString,
    password_hash: String,
    access_key: AccessKeyId,
    secret_key: SecretString,
}

fn make_secrets() -> Result<Secrets, CliError> {
    let failed = |error: &dyn std::error::Error| CliError::failed(format!("could not make secrets: {error}"));
    let password = password::generate().map_err(|error| failed(&error))?;
    let password_hash = password::hash(&password).map_err(|error| failed(&error))?;
    let secret_key = access_key::generate_secret().map_err(|error| failed(&error))?;
    Ok(Secrets { password, password_hash, access_key: AccessKeyId::generate(), secret_key })
}

fn credentials(
    arguments: &Arguments,
    founded: &Founded,
    password: &SecretString,
    access_key: &AccessKeyId,
    secret_key: &SecretString,
) -> Credentials {
    Credentials {
        endpoint: format!("http://{DEFAULT_LISTEN}"),
        region: arguments.region.clone(),
        domain_id: founded.domain_id.to_string(),
        domain_name: arguments.domain.clone(),
        project_id: founded.project_id.to_string(),
        user: arguments.user.clone(),
        password: password.expose_secret().to_owned(),
        access_key: access_key.to_string(),
        secret_key: secret_key.expose_secret().to_owned(),
    }
}

fn table(credentials: &Credentials, arguments: &Arguments) -> String {
    let folder = arguments.data_dir.display();
    let database = if arguments.metadata.is_given() { " and the same --metadata" } else { "" };
    format!(
        "Made {folder}. These are shown once; keep them:\n\n  \
         domain      {} ({})\n  project     {} ({})\n  user        {}\n  password    {}\n  access key  {}\n  secret key  {}\n\n\
         Next: clew serve --data-dir {folder}{database}\n",
        credentials.domain_name,
        credentials.domain_id,
        credentials.region,
        credentials.project_id,
        credentials.user,
        credentials.password,
        credentials.access_key,
        credentials.secret_key,
    )
}

fn env(credentials: &Credentials) -> String {
    let lines = [
        ("CLEW_ENDPOINT", &credentials.endpoint),
        ("CLEW_IAM_ENDPOINT", &credentials.endpoint),
        ("CLEW_REGION", &credentials.region),
        ("CLEW_PROJECT_ID", &credentials.project_id),
        ("CLEW_ACCESS_KEY", &credentials.access_key),
        ("CLEW_SECRET_KEY", &credentials.secret_key),
        ("CLEW_DOMAIN_NAME", &credentials.domain_name),
        ("CLEW_USER", &credentials.user),
        ("CLEW_PASSWORD", &credentials.password),
    ];
    lines.map(|(name, value)| format!("export {name}='{value}'\n")).concat()
}
