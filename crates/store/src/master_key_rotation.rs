//! Rotates the master key.
//!
//! The key file and the database cannot be changed atomically, so the rotation has three steps.
//! First, the rotation writes the next master key to a second key file.
//! After writing the second key file, the rotation re-encrypts all secrets with the next master key in one transaction.
//! The last step of the rotation replaces the current key file with the file that contains the next master key.
//! After a crash, [`Store::open`] determines which master key is valid and completes the rotation if necessary.

use clew_model::{AuditEvent, AuditOrigin};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::audit::AuditMacKeys;
use crate::bootstrap::seal_master_key_check_value;
use crate::data_dir::DataDir;
use crate::database::{Transaction, params, query};
use crate::derived_keys::{DerivedKeys, MASTER_KEY_ID_SETTING};
use crate::error::StoreError;
use crate::sealing::{AssociatedData, Sealer};
use crate::settings::{MASTER_KEY_CHECK_VALUE_SETTING, read_setting, write_setting};
use crate::store::Store;
use crate::store_location::StoreLocation;
use crate::{audit, data_dir_lock, master_key};

/// Result of a master key rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyRotationSummary {
    /// Number of secrets that were re-encrypted with the new master key.
    pub sealed: u64,
    /// Number of secrets that could not be decrypted, because they were modified outside Clew.
    pub damaged: u64,
}

impl Store {
    /// Creates the next master key if none exists, so that administrators can distribute the key before the rotation.
    /// Returns the path of the file for the next master key. The file is not created if `CLEW_MASTER_KEY` is set.
    pub fn ensure_next_master_key_exists(location: impl Into<StoreLocation>) -> Result<std::path::PathBuf, StoreError> {
        let dir = DataDir::new(&location.into().data_dir);
        master_key::read_master_key(&dir.master_key_path())?;
        master_key::load_or_create_next_master_key(&dir.master_key_path())?;
        Ok(master_key::next_master_key_path(&dir.master_key_path()))
    }

    /// Re-encrypts all secrets with the next master key and then makes the next master key the current one.
    /// If Clew crashes after the secrets have been re-encrypted, the next call to [`Store::open`] completes the rotation.
    ///
    /// Fails if a server is using the data directory.
    /// Does not stop other processes that use the same database with the previous master key.
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

const ENCRYPTED_SECRET_COLUMNS: [(&str, &str); 3] =
    [("access_keys", "secret"), ("temporary_keys", "secret"), ("nodes", "password")];

impl Store {
    pub(crate) async fn ensure_master_key_is_current(&self) -> Result<(), StoreError> {
        let id = read_setting(&self.database, MASTER_KEY_ID_SETTING).await?;
        self.keys.ensure_key_id_matches(id.as_deref())
    }

    /// Fails with [`StoreError::MasterKeyRotated`] if another process has rotated the master key.
    pub(crate) async fn unseal_secret(
        &self,
        aad: AssociatedData<'_>,
        sealed: &[u8],
    ) -> Result<SecretString, StoreError> {
        match self.sealer.unseal(aad, sealed) {
            Ok(secret) => Ok(secret),
            Err(error) => {
                self.ensure_master_key_is_current().await?;
                Err(error)
            }
        }
    }

    pub(crate) async fn reencrypt_all_secrets(
        &self,
        by: &AuditOrigin,
        sealer: &Sealer,
        keys: &DerivedKeys,
    ) -> Result<MasterKeyRotationSummary, StoreError> {
        let mut tx = self.begin_audited_transaction("rotate the master key").await?;
        let transaction = tx.transaction();
        let id = read_setting(&mut *transaction, MASTER_KEY_ID_SETTING).await?;
        self.keys.ensure_key_id_matches(id.as_deref())?;
        let mut summary = MasterKeyRotationSummary { sealed: 0, damaged: 0 };
        for (table, column) in ENCRYPTED_SECRET_COLUMNS {
            self.reencrypt_secrets_in_column(transaction, sealer, (table, column), &mut summary).await?;
        }
        let mut audit_keys = AuditMacKeys::load_audit_mac_keys(transaction, &self.sealer, &self.keys).await?;
        audit::rotate_audit_mac_key(transaction, &mut audit_keys, keys).await?;
        audit_keys.save_previous_mac_keys(transaction, sealer).await?;
        let check_value = seal_master_key_check_value(sealer)?;
        write_setting(transaction, MASTER_KEY_CHECK_VALUE_SETTING, &check_value).await?;
        write_setting(transaction, MASTER_KEY_ID_SETTING, &keys.master_key_id).await?;
        // The subjects are hashed with the previous key, so lookups with the new key do not find them.
        query("rotate the master key", "DELETE FROM failures", params![]).execute(&mut *transaction).await?;
        let event = AuditEvent {
            detail: json!({ "sealed": summary.sealed, "damaged": summary.damaged }),
            ..AuditEvent::for_successful_operation(by, "RotateMasterKey", "master key")
        };
        tx.append_events(keys, &[(self.clock.unix_millis(), &event)]).await?;
        tx.commit().await?;
        Ok(summary)
    }

    async fn reencrypt_secrets_in_column(
        &self,
        transaction: &mut Transaction,
        sealer: &Sealer,
        (table, column): (&str, &str),
        summary: &mut MasterKeyRotationSummary,
    ) -> Result<(), StoreError> {
        let all = format!("SELECT id, {column} AS sealed FROM {table} WHERE {column} IS NOT NULL");
        let rows = query("rotate the master key", AssertSqlSafe(all), params![]).fetch_all(&mut *transaction).await?;
        for row in rows {
            let id: String = row.get("id")?;
            let aad = AssociatedData { table, column, row: &id };
            let before: Vec<u8> = row.get("sealed")?;
            let Ok(secret) = self.sealer.unseal(aad, &before) else {
                summary.damaged += 1;
                continue;
            };
            let secret = SecretString::from(secret.expose_secret());
            let sql = format!("UPDATE {table} SET {column} = $1 WHERE id = $2");
            let parameters = params![sealer.seal(aad, &secret)?, &id];
            query("rotate the master key", AssertSqlSafe(sql), parameters).execute(&mut *transaction).await?;
            summary.sealed += 1;
        }
        Ok(())
    }
}
