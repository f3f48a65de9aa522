//! Rotation of the master key: reseals all secrets and replaces the derived keys.
//!
//! The key file and the database cannot change atomically.
//! The next key is stored beside the current one before it seals anything. One transaction reseals all secrets.
//! Then the next key replaces the current one.
//! After a crash in between, [`Store::open`] detects that only the next key fits and promotes it.

use clew_model::Origin;

use crate::data_dir::DataDir;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::location::Location;
use crate::master_key;
use crate::sealing::Sealer;
use crate::serving_lock;
use crate::store::Store;

/// Result of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationSummary {
    /// Number of resealed secrets.
    pub sealed: u64,
    /// Number of secrets that could not be unsealed: they were changed outside of Clew.
    pub damaged: u64,
}

impl Store {
    /// Creates the next key if there is none, so that it can be distributed before the rotation.
    /// Returns the path of its file.
    pub fn prepare_rotation(location: impl Into<Location>) -> Result<std::path::PathBuf, StoreError> {
        let dir = DataDir::new(&location.into().data_dir);
        master_key::read_key(&dir.master_key_path())?;
        master_key::load_or_create_next_key(&dir.master_key_path())?;
        Ok(master_key::next_key_path(&dir.master_key_path()))
    }

    /// Reseals all secrets with the next key and promotes it.
    /// After a crash, the next call or [`Store::open`] completes the rotation.
    ///
    /// Fails if the data directory is served.
    /// Other processes that share the database continue, but with the previous key they can neither claim collections
    /// nor write anything that depends on the key ([`StoreError::MasterKeyRotated`]).
    pub async fn rotate_master_key(by: &Origin, location: impl Into<Location>) -> Result<RotationSummary, StoreError> {
        let location = location.into();
        let dir = DataDir::new(&location.data_dir);
        let store = Self::open(location).await?;
        let _lock = serving_lock::acquire_lock(&dir)?;
        let next = master_key::load_or_create_next_key(&dir.master_key_path())?;
        let summary = store.reseal_all_secrets(by, &Sealer::new(&next), &DerivedKeys::new(&next)).await?;
        master_key::promote_next_key(&dir.master_key_path())?;
        store.close().await;
        Ok(summary)
    }
}
