//! Command-line options of commands that open the store: store location, domain and output format.

use std::path::PathBuf;

use clap::Args;
use clew_store::{Store, StoreLocation};

use crate::configuration::DEFAULT_DATA_DIR;
use crate::error::CliError;
use crate::identity_directory::{IdentityDirectory, find_domain, require_single_domain};
use crate::local_audit_origin;
use crate::metadata_url::MetadataUrlArgs;
use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Data directory created by clew init; a running clew serve applies changes immediately
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
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct IamDomainArgs {
    #[command(flatten)]
    store_args: StoreAndOutputFormatArgs,
    /// Name or id of the domain [default: the only domain]
    #[arg(long, value_name = "DOMAIN", env = "CLEW_DOMAIN_NAME")]
    domain: Option<String>,
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
    pub(crate) fn output_format(&self) -> Format {
        self.store_args.format
    }

    /// Selects the only domain if the option `--domain` is not set.
    pub(crate) async fn open_identity_directory(&self) -> Result<IdentityDirectory, CliError> {
        let store = self.store_args.open_store().await?;
        let domain = match &self.domain {
            Some(name_or_id) => find_domain(&store, name_or_id).await?,
            None => require_single_domain(&store).await?,
        };
        Ok(IdentityDirectory { store, domain, origin: local_audit_origin::audit_origin_for_local_account() })
    }
}
