//! `clew init`: creates a store with the first domain, project, administrator and access key.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clew_iam::{access_key, password};
use clew_model::AccessKeyId;
use clew_store::{InitialTenant, Store, StoreError};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::configuration::DEFAULT_LISTEN_ADDRESS;
use crate::error::{CliError, ResultExt, failed, refused};
use crate::store_args::{DEFAULT_DATA_DIR, MetadataUrlArgs};
use crate::{local_audit_origin, output, text_table, value_parsers};

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct InitArgs {
    /// Data directory to create
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    #[command(flatten)]
    metadata_url: MetadataUrlArgs,
    /// Region name, which is also the name of the first project
    #[arg(long, default_value = "local", value_parser = value_parsers::parse_identity_name)]
    region: String,
    /// Name of the domain (account)
    #[arg(long, value_name = "NAME", default_value = "clew", value_parser = value_parsers::parse_identity_name)]
    domain: String,
    /// Name of the administrator
    #[arg(long, value_name = "NAME", default_value = "admin", value_parser = value_parsers::parse_identity_name)]
    user: String,
    /// Listen address of clew serve, from which the printed endpoint URL is derived
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "CLEW_LISTEN",
        default_value = DEFAULT_LISTEN_ADDRESS,
        value_parser = parse_listen_address
    )]
    listen: String,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: InitOutputFormat,
}

/// Rejects special characters, because Clew inserts the address into URLs and shell commands.
fn parse_listen_address(address: &str) -> Result<String, String> {
    let is_host_char = |character: char| character.is_ascii_alphanumeric() || ".-:[]".contains(character);
    let is_valid = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && host.chars().all(is_host_char) && port.parse::<u16>().is_ok());
    if is_valid { Ok(address.to_owned()) } else { Err("expected HOST:PORT, such as 127.0.0.1:8407".to_owned()) }
}

fn build_url_from_listen_address(listen_address: &str) -> String {
    match listen_address.parse::<SocketAddr>() {
        Ok(SocketAddr::V4(address)) if address.ip().is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        Ok(SocketAddr::V6(address)) if address.ip().is_unspecified() => format!("http://[::1]:{}", address.port()),
        _ => format!("http://{listen_address}"),
    }
}

const AFTER_HELP: &str = "\
Examples:
  clew init
  clew init --listen 127.0.0.1:9000
  clew init --metadata-url postgres://clew@db.example.com/clew?sslmode=verify-full
  eval \"$(clew init --format env)\" && clew serve

The secret key and the password are shown only once: Clew stores an encrypted copy of the key and a hash of the password.
Fails without making changes if the data directory or the database is already initialized.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InitOutputFormat {
    /// Human-readable table
    Table,
    /// JSON object
    Json,
    /// Shell export commands that set the environment variables for clew collect and the SDKs
    Env,
}

#[derive(Serialize)]
struct ClientCredentials {
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

pub(crate) async fn run(arguments: InitArgs) -> Result<(), CliError> {
    let operation = "could not generate the credentials";
    let password = password::generate_password().with_failure_context(operation)?;
    let password_hash = password::hash_password(&password).with_failure_context(operation)?;
    let (access_key, secret_key) =
        (AccessKeyId::generate(), access_key::generate_secret_key().with_failure_context(operation)?);
    let tenant = InitialTenant {
        region: arguments.region.clone(),
        domain_name: arguments.domain.clone(),
        user_name: arguments.user.clone(),
        password_hash,
        access_key: access_key.clone(),
        secret_key: secret_key.clone(),
    };
    let location = arguments.metadata_url.resolve_store_location(&arguments.data_dir)?;
    let origin = local_audit_origin::audit_origin_for_local_account();
    let (_, ids) = Store::initialize(&origin, location, tenant).await.map_err(|error| match error {
        StoreError::AlreadyInitialized { .. } => refused!("{error}").with_suggested_fix(
            "start the server with clew serve, or select another data directory with --data-dir or another database with --metadata-url",
        ),
        error => failed!("{error}"),
    })?;
    let credentials = ClientCredentials {
        endpoint: build_url_from_listen_address(&arguments.listen),
        region: arguments.region.clone(),
        domain_id: ids.domain_id.to_string(),
        domain_name: arguments.domain.clone(),
        project_id: ids.project_id.to_string(),
        user: arguments.user.clone(),
        password: password.expose_secret().to_owned(),
        access_key: access_key.to_string(),
        secret_key: secret_key.expose_secret().to_owned(),
    };
    output::write_stdout(&match arguments.format {
        InitOutputFormat::Table => render_credentials_table(&credentials, &arguments),
        InitOutputFormat::Env => render_shell_exports(&credentials),
        InitOutputFormat::Json => output::to_json_text(&credentials)?,
    })
}

fn render_credentials_table(credentials: &ClientCredentials, arguments: &InitArgs) -> String {
    let data_dir = arguments.data_dir.display();
    let listen = match arguments.listen.as_str() {
        DEFAULT_LISTEN_ADDRESS => String::new(),
        address => format!(" --listen {address}"),
    };
    let database = arguments.metadata_url.metadata_url.as_ref().map_or("", |_| " and the same --metadata-url");
    let fields = text_table::render_field_list(&[
        ("  endpoint", credentials.endpoint.clone()),
        ("  domain", format!("{} ({})", credentials.domain_name, credentials.domain_id)),
        ("  project", format!("{} ({})", credentials.region, credentials.project_id)),
        ("  user", credentials.user.clone()),
        ("  password", credentials.password.clone()),
        ("  access key", credentials.access_key.clone()),
        ("  secret key", credentials.secret_key.clone()),
    ]);
    format!(
        "Created {data_dir}. The credentials are shown only once; store them now:\n\n{fields}\n\
         Next: clew serve --data-dir {data_dir}{listen}{database}\n",
    )
}

fn render_shell_exports(credentials: &ClientCredentials) -> String {
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
