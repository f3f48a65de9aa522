//! Rotates the master key: re-encrypts all secrets and replaces the derived keys.
//!
//! A master key rotation cannot change the key file and the database in one atomic step.
//! First, the rotation writes the next key to a second key file.
//! Then, one transaction re-encrypts all secrets with the next key.
//! Finally, the next key file replaces the current key file.
//! If a crash interrupts the rotation, [`Store::open`] detects the valid key and replaces the key file if necessary.

use clew_model::Origin;

use crate::data_dir::DataDir;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::location::StoreLocation;
use crate::master_key;
use crate::sealing::Sealer;
use crate::serving_lock;
use crate::store::Store;

/// Result of a master key rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyRotationSummary {
    /// Number of secrets that were re-encrypted with the next key.
    pub sealed: u64,
    /// Number of secrets that could not be decrypted because they were modified outside Clew.
    pub damaged: u64,
}

impl Store {
    /// Creates the next master key if none exists, so that the key can be distributed before the rotation.
    /// Returns the path of the next key file.
    pub fn prepare_master_key_rotation(location: impl Into<StoreLocation>) -> Result<std::path::PathBuf, StoreError> {
        let dir = DataDir::new(&location.into().data_dir);
        master_key::read_master_key(&dir.master_key_path())?;
        master_key::load_or_create_next_master_key(&dir.master_key_path())?;
        Ok(master_key::next_master_key_path(&dir.master_key_path()))
    }

    /// Re-encrypts all secrets with the next master key and then replaces the current key with the next key.
    /// After a crash, the next call to this function or to [`Store::open`] completes the rotation.
    ///
    /// Fails if a server is using the data directory.
    /// Other processes that share the database continue to run with the previous master key.
    /// Task claims and writes that use the previous master key fail with [`StoreError::MasterKeyRotated`].
    pub async fn rotate_master_key(
        by: &Origin,
        location: impl Into<StoreLocation>,
    ) -> Result<MasterKeyRotationSummary, StoreError> {
        let location = location.into();
        let dir = DataDir::new(&location.data_dir);
        let store = Self::open(location).await?;
        let _lock = serving_lock::acquire_serving_lock(&dir)?;
        let next = master_key::load_or_create_next_master_key(&dir.master_key_path())?;
        let summary = store.reencrypt_all_secrets(by, &Sealer::new(&next), &DerivedKeys::new(&next)).await?;
        master_key::activate_next_master_key(&dir.master_key_path())?;
        store.close().await;
        Ok(summary)
    }
}
