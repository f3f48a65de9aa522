//! One transaction from one master key to the next.

use clew_model::{AuditEvent, Origin};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::audit::{self, AuditKeys};
use super::founding::{AUDITED, CANARY, CANARY_PLACE};
use super::{set, setting};
use crate::database::{Connection, query};
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::rotation::Rotated;
use crate::sealing::{Place, Sealer};
use crate::store::Store;

/// Name of the setting that tells the master key by what is derived from it; nothing where it was never rotated.
pub(crate) const KEY_ID: &str = "master_key_id";

/// Every column with sealed secrets, and what names its rows.
const SEALED: [(&str, &str); 3] = [("access_keys", "secret"), ("temporary_keys", "secret"), ("nodes", "password")];

impl Store {
    /// Fails where the master key was rotated while this process ran.
    pub(crate) async fn check_key(&self) -> Result<(), StoreError> {
        let id = setting(&self.database, KEY_ID).await?;
        if self.keys.is(id.as_deref()) { Ok(()) } else { Err(StoreError::MasterKeyRotated) }
    }

    /// What was sealed there; says so if it cannot be opened because the master key was rotated.
    pub(crate) async fn open_sealed(&self, place: Place<'_>, sealed: &[u8]) -> Result<SecretString, StoreError> {
        match self.sealer.open(place, sealed) {
            Ok(opened) => Ok(opened),
            Err(changed) => {
                self.check_key().await?;
                Err(changed)
            }
        }
    }

    /// Seals every secret with another key, goes on with the audit under what is derived from it, and writes that there.
    pub(crate) async fn seal_everything_with(
        &self,
        by: &Origin,
        sealer: &Sealer,
        keys: &DerivedKeys,
    ) -> Result<Rotated, StoreError> {
        let mut change = self.change("rotate the master key").await?;
        let connection = change.connection();
        if !self.keys.is(setting(&mut *connection, KEY_ID).await?.as_deref()) {
            return Err(StoreError::MasterKeyRotated);
        }
        let mut rotated = Rotated { sealed: 0, damaged: 0 };
        for (table, column) in SEALED {
            self.seal_column(connection, sealer, (table, column), &mut rotated).await?;
        }
        let mut audit_keys = AuditKeys::read(connection, &self.sealer, &self.keys).await?;
        audit::hand_over(connection, &mut audit_keys, keys).await?;
        audit_keys.keep(connection, sealer).await?;
        set(connection, CANARY, &sealer.seal(CANARY_PLACE, &SecretString::from(AUDITED))?).await?;
        set(connection, KEY_ID, &keys.id).await?;
        // Their subjects were hashed with the old key, and cannot be found under the new one.
        query("DELETE FROM failures")
            .execute(&mut *connection)
            .await
            .map_err(StoreError::database("rotate the master key"))?;
        let event = AuditEvent {
            detail: json!({ "sealed": rotated.sealed, "damaged": rotated.damaged }),
            ..AuditEvent::done(by, "RotateMasterKey", "master key")
        };
        change.append(keys, &[(self.clock.milliseconds(), &event)]).await?;
        change.commit().await?;
        Ok(rotated)
    }

    /// What cannot be opened was changed outside of Clew. It stays as it is: it could not be used before either.
    async fn seal_column(
        &self,
        connection: &mut Connection,
        sealer: &Sealer,
        (table, column): (&str, &str),
        rotated: &mut Rotated,
    ) -> Result<(), StoreError> {
        let failed = StoreError::database("rotate the master key");
        let all = format!("SELECT id, {column} AS sealed FROM {table} WHERE {column} IS NOT NULL");
        let rows = query(AssertSqlSafe(all)).fetch_all(&mut *connection).await.map_err(&failed)?;
        for row in rows {
            let id: String = row.try_get("id").map_err(&failed)?;
            let place = Place { table, column, row: &id };
            let before: Vec<u8> = row.try_get("sealed").map_err(&failed)?;
            let Ok(secret) = self.sealer.open(place, &before) else {
                rotated.damaged += 1;
                continue;
            };
            let secret = SecretString::from(secret.expose_secret());
            query(AssertSqlSafe(format!("UPDATE {table} SET {column} = $1 WHERE id = $2")))
                .bind(sealer.seal(place, &secret)?)
                .bind(&id)
                .execute(&mut *connection)
                .await
                .map_err(&failed)?;
            rotated.sealed += 1;
        }
        Ok(())
    }
}
