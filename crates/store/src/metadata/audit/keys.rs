//! Keys of the chain. A rotation of the master key replaces the key from the next row on.
//!
//! Rows under an earlier key keep their MACs, because a MAC may have been stored elsewhere.
//! The first row under the new key contains the MAC of the last row under the previous one.
//! A holder of the previous key therefore cannot change an old row undetected.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::{read_setting, write_setting};
use super::chain::{CHECKPOINT_NAME, ChainEnd, HEAD_NAME};
use crate::database::Transaction;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::master_key::MasterKey;
use crate::sealing::{AssociatedData, Sealer};

/// Name of the setting with the earlier keys, sealed.
const PREVIOUS_KEYS_SETTING: &str = "audit_keys";
const PREVIOUS_KEYS_ASSOCIATED_DATA: AssociatedData<'static> =
    AssociatedData { table: "settings", column: "value", row: PREVIOUS_KEYS_SETTING };

/// An earlier key in hexadecimal, with the last row under it.
#[derive(Serialize, Deserialize)]
struct PreviousKey {
    through: i64,
    key: String,
}

/// All keys of the chain.
pub(crate) struct AuditKeys {
    /// Earlier keys with the last row under each, oldest first.
    previous: Vec<(i64, MasterKey)>,
    current: MasterKey,
}

impl AuditKeys {
    /// Reads the keys. Earlier keys that cannot be unsealed are omitted: their rows then fail the verification.
    pub(crate) async fn load_keys(
        transaction: &mut Transaction,
        sealer: &Sealer,
        keys: &DerivedKeys,
    ) -> Result<Self, StoreError> {
        let mut previous = Vec::new();
        let stored = read_setting(transaction, PREVIOUS_KEYS_SETTING).await?.unwrap_or_default();
        if let Ok(unsealed) = sealer.unseal(PREVIOUS_KEYS_ASSOCIATED_DATA, &stored) {
            let entries: Vec<PreviousKey> = serde_json::from_str(unsealed.expose_secret())
                .map_err(StoreError::damaged_value("keys of the audit"))?;
            for PreviousKey { through, key } in entries {
                let mut bytes: MasterKey = Zeroizing::new([0; 32]);
                hex::decode_to_slice(Zeroizing::new(key).as_str(), &mut *bytes)
                    .map_err(StoreError::damaged_value("keys of the audit"))?;
                previous.push((through, bytes));
            }
        }
        Ok(Self { previous, current: keys.audit.clone() })
    }

    /// Returns the key of a row.
    pub(super) fn key_for_row(&self, seq: i64) -> &MasterKey {
        self.previous.iter().find(|(through, _)| seq <= *through).map_or(&self.current, |(_, key)| key)
    }

    /// Returns the key of the end records.
    pub(super) fn current_key(&self) -> &MasterKey {
        &self.current
    }

    /// Stores the earlier keys.
    pub(crate) async fn save_previous_keys(
        &self,
        transaction: &mut Transaction,
        sealer: &Sealer,
    ) -> Result<(), StoreError> {
        let entries: Vec<_> = self
            .previous
            .iter()
            .map(|(through, key)| PreviousKey { through: *through, key: hex::encode(**key) })
            .collect();
        let entries = serde_json::to_string(&entries).map_err(StoreError::damaged_value("keys of the audit"))?;
        let stored = sealer.seal(PREVIOUS_KEYS_ASSOCIATED_DATA, &SecretString::from(entries))?;
        write_setting(transaction, PREVIOUS_KEYS_SETTING, &stored).await
    }
}

/// Changes to a new key. Existing rows keep their key, and the end records get the new one.
/// A manipulated record stays as it is, so that it is detected.
pub(crate) async fn rotate_chain_key(
    transaction: &mut Transaction,
    audit: &mut AuditKeys,
    keys: &DerivedKeys,
) -> Result<(), StoreError> {
    let mut through = super::chain::find_last_seq(transaction).await?;
    for name in [HEAD_NAME, CHECKPOINT_NAME] {
        if let Some(end) = ChainEnd::read_end(transaction, &audit.current, name).await? {
            end.write_end(transaction, &keys.audit, name).await?;
            if name == HEAD_NAME {
                through = end.seq;
            }
        }
    }
    let previous = std::mem::replace(&mut audit.current, keys.audit.clone());
    audit.previous.push((through, previous));
    Ok(())
}
