//! Re-encrypts all secrets in the database when an operator rotates the master key.

use clew_model::{AuditEvent, AuditOrigin};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::audit::{self, AuditMacKeys};
use super::bootstrap::{MASTER_KEY_CANARY_ASSOCIATED_DATA, MASTER_KEY_CANARY_PLAINTEXT, MASTER_KEY_CANARY_SETTING};
use super::{read_setting, write_setting};
use crate::database::{Transaction, query};
use crate::derived_keys::{DerivedKeys, MASTER_KEY_ID_SETTING};
use crate::error::StoreError;
use crate::master_key_rotation::MasterKeyRotationSummary;
use crate::sealing::{AssociatedData, Sealer};
use crate::store::Store;

const ENCRYPTED_SECRET_COLUMNS: [(&str, &str); 3] =
    [("access_keys", "secret"), ("temporary_keys", "secret"), ("nodes", "password")];

impl Store {
    /// Fails with [`StoreError::MasterKeyRotated`] if another process has rotated the master key.
    pub(crate) async fn ensure_master_key_is_current(&self) -> Result<(), StoreError> {
        let id = read_setting(&self.database, MASTER_KEY_ID_SETTING).await?;
        if self.keys.matches_key_id(id.as_deref()) { Ok(()) } else { Err(StoreError::MasterKeyRotated) }
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

    /// Re-encrypts all secrets with the new master key and replaces the MAC key of the audit log.
    pub(crate) async fn reencrypt_all_secrets(
        &self,
        by: &AuditOrigin,
        sealer: &Sealer,
        keys: &DerivedKeys,
    ) -> Result<MasterKeyRotationSummary, StoreError> {
        let mut tx = self.begin_audited_transaction("rotate the master key").await?;
        let transaction = tx.transaction();
        if !self.keys.matches_key_id(read_setting(&mut *transaction, MASTER_KEY_ID_SETTING).await?.as_deref()) {
            return Err(StoreError::MasterKeyRotated);
        }
        let mut summary = MasterKeyRotationSummary { sealed: 0, damaged: 0 };
        for (table, column) in ENCRYPTED_SECRET_COLUMNS {
            self.reencrypt_column_secrets(transaction, sealer, (table, column), &mut summary).await?;
        }
        let mut audit_keys = AuditMacKeys::load_audit_mac_keys(transaction, &self.sealer, &self.keys).await?;
        audit::rotate_chain_mac_key(transaction, &mut audit_keys, keys).await?;
        audit_keys.save_previous_mac_keys(transaction, sealer).await?;
        write_setting(
            transaction,
            MASTER_KEY_CANARY_SETTING,
            &sealer.seal(MASTER_KEY_CANARY_ASSOCIATED_DATA, &SecretString::from(MASTER_KEY_CANARY_PLAINTEXT))?,
        )
        .await?;
        write_setting(transaction, MASTER_KEY_ID_SETTING, &keys.id).await?;
        // The subjects are hashed with the previous key, so lookups with the new key do not find them.
        query("DELETE FROM failures")
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::database_error("rotate the master key"))?;
        let event = AuditEvent {
            detail: json!({ "sealed": summary.sealed, "damaged": summary.damaged }),
            ..AuditEvent::for_successful_operation(by, "RotateMasterKey", "master key")
        };
        tx.append_events(keys, &[(self.clock.unix_millis(), &event)]).await?;
        tx.commit().await?;
        Ok(summary)
    }

    /// Skips secrets that cannot be decrypted and counts them as damaged.
    async fn reencrypt_column_secrets(
        &self,
        transaction: &mut Transaction,
        sealer: &Sealer,
        (table, column): (&str, &str),
        summary: &mut MasterKeyRotationSummary,
    ) -> Result<(), StoreError> {
        let failed = StoreError::database_error("rotate the master key");
        let all = format!("SELECT id, {column} AS sealed FROM {table} WHERE {column} IS NOT NULL");
        let rows = query(AssertSqlSafe(all)).fetch_all(&mut *transaction).await.map_err(&failed)?;
        for row in rows {
            let id: String = row.try_get("id").map_err(&failed)?;
            let aad = AssociatedData { table, column, row: &id };
            let before: Vec<u8> = row.try_get("sealed").map_err(&failed)?;
            let Ok(secret) = self.sealer.unseal(aad, &before) else {
                summary.damaged += 1;
                continue;
            };
            let secret = SecretString::from(secret.expose_secret());
            query(AssertSqlSafe(format!("UPDATE {table} SET {column} = $1 WHERE id = $2")))
                .bind(sealer.seal(aad, &secret)?)
                .bind(&id)
                .execute(&mut *transaction)
                .await
                .map_err(&failed)?;
            summary.sealed += 1;
        }
        Ok(())
    }
}
