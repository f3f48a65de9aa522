//! Rotates the master key.
//!
//! A rotation of the master key cannot change the key file and the database atomically.
//! First, the rotation writes the next master key to a second key file.
//! Then, the rotation encrypts all secrets with the next master key in one transaction.
//! Finally, the rotation replaces the current key file with the second key file.
//! After a crash, [`Store::open`] determines which master key is valid and completes the rotation if necessary.

use clew_model::AuditOrigin;

use crate::data_dir::DataDir;
use crate::data_dir_lock;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::location::StoreLocation;
use crate::master_key;
use crate::sealing::Sealer;
use crate::store::Store;

/// Result of a master key rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyRotationSummary {
    /// Number of secrets that the rotation encrypted with the next master key.
    pub sealed: u64,
    /// Number of secrets that could not be decrypted, because they were modified outside Clew.
    pub damaged: u64,
}

impl Store {
    /// Creates the next master key if it does not exist, so that administrators can distribute it before the rotation.
    /// Returns the path of the file that contains the next master key.
    pub fn ensure_next_master_key_exists(location: impl Into<StoreLocation>) -> Result<std::path::PathBuf, StoreError> {
        let dir = DataDir::new(&location.into().data_dir);
        master_key::read_master_key(&dir.master_key_path())?;
        master_key::load_or_create_next_master_key(&dir.master_key_path())?;
        Ok(master_key::next_master_key_path(&dir.master_key_path()))
    }

    /// Encrypts all secrets with the next master key, and then makes it the current master key.
    /// After a crash, the next call of this function or of [`Store::open`] completes the rotation.
    ///
    /// Fails if a server is using the data directory.
    /// Other processes that use the same database continue to run with the previous master key.
    /// If a process still uses the previous key, its writes and task claims fail with [`StoreError::MasterKeyRotated`].
    pub async fn rotate_master_key(
        by: &AuditOrigin,
        location: impl Into<StoreLocation>,
    ) -> Result<MasterKeyRotationSummary, StoreError> {
        let location = location.into();
        let dir = DataDir::new(&location.data_dir);
        let store = Self::open(location).await?;
        let _lock = data_dir_lock::acquire_data_dir_lock(&dir)?;
        let next = master_key::load_or_create_next_master_key(&dir.master_key_path())?;
        let summary = store.reencrypt_all_secrets(by, &Sealer::new(&next), &DerivedKeys::new(&next)).await?;
        master_key::activate_next_master_key(&dir.master_key_path())?;
        store.close().await;
        Ok(summary)
    }
}
