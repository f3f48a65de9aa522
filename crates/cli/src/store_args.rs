//! Command-line options that select the store, the domain and the output format.

use std::path::{Path, PathBuf};

use clap::Args;
use clew_store::{Store, StoreError, StoreLocation};

use crate::error::{CliError, refused};
use crate::identity_directory::{IdentityDirectory, find_domain, require_single_item};
use crate::local_audit_origin;
use crate::output::CommandOutputFormat;
use crate::value_parsers;

pub(crate) const DEFAULT_DATA_DIR: &str = "./clew-data";

#[derive(Debug, Clone, Args)]
pub(crate) struct MetadataUrlArgs {
    /// URL of the PostgreSQL database for the metadata, such as postgres://user@host/database?sslmode=verify-full.
    /// Set the database password in PGPASSWORD or ~/.pgpass, not in the URL: other users can see command lines.
    /// The master key is always stored in the data directory, even if the metadata is in PostgreSQL
    #[arg(long, value_name = "URL", env = "CLEW_METADATA_URL", hide_env_values = true)]
    pub(crate) metadata_url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Data directory created by clew init. Changes take effect immediately in a running clew serve
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    #[command(flatten)]
    metadata_url: MetadataUrlArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StoreAndOutputFormatArgs {
    #[command(flatten)]
    store_args: StoreArgs,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: CommandOutputFormat,
}

#[derive(Debug, Args)]
pub(crate) struct IamDomainArgs {
    #[command(flatten)]
    store_args: StoreAndOutputFormatArgs,
    /// Name or id of the domain [default: the only domain]
    #[arg(long, value_name = "DOMAIN", env = "CLEW_DOMAIN_NAME")]
    domain: Option<String>,
}

/// Command-line arguments for the name and description of a new object in a domain.
#[derive(Debug, Args)]
pub(crate) struct NameAndDescriptionArgs {
    /// Name, unique in the domain
    #[arg(value_parser = value_parsers::parse_identity_name)]
    pub(crate) name: String,
    /// Description
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = value_parsers::parse_description)]
    pub(crate) description: String,
}

impl MetadataUrlArgs {
    pub(crate) fn resolve_store_location(&self, data_dir: &Path) -> Result<StoreLocation, CliError> {
        build_store_location(data_dir, self.metadata_url.as_deref())
    }
}

/// Error messages never contain the URL, because it may contain a password.
pub(crate) fn build_store_location(data_dir: &Path, metadata_url: Option<&str>) -> Result<StoreLocation, CliError> {
    let metadata_url = metadata_url.map(str::parse).transpose();
    let metadata_url = metadata_url.map_err(|error: StoreError| refused!("{error}"))?;
    Ok(StoreLocation { data_dir: data_dir.to_owned(), metadata_url })
}

impl StoreArgs {
    pub(crate) fn resolve_store_location(&self) -> Result<StoreLocation, CliError> {
        self.metadata_url.resolve_store_location(&self.data_dir)
    }

    pub(crate) async fn open_store(&self) -> Result<Store, CliError> {
        Ok(Store::open(self.resolve_store_location()?).await?)
    }
}

impl StoreAndOutputFormatArgs {
    pub(crate) async fn open_store(&self) -> Result<Store, CliError> {
        self.store_args.open_store().await
    }
}

impl IamDomainArgs {
    pub(crate) async fn open_identity_directory(&self) -> Result<IdentityDirectory, CliError> {
        let store = self.store_args.open_store().await?;
        let domain = match &self.domain {
            Some(name_or_id) => find_domain(&store, name_or_id).await?,
            None => require_single_item(store.tenants().list_domains().await?, "domain", |domain| &domain.name)?,
        };
        let origin = local_audit_origin::audit_origin_for_local_account();
        Ok(IdentityDirectory { store, domain, origin, format: self.store_args.format })
    }
}
