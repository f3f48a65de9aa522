//! Manages the MAC keys of the audit log. Clew uses a new MAC key after each rotation of the master key.
//!
//! A key rotation does not change the MACs of existing audit rows, because users may have exported the MACs.
//! The first audit row after a key rotation contains the MAC of the last row before the rotation.
//! Each row contains the previous row's MAC, so an attacker with an old MAC key cannot change old rows undetected.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::audit::chain_records::{
    CHECKPOINT_RECORD_NAME, ChainPosition, HEAD_RECORD_NAME, find_highest_sequence_number,
};
use crate::database::Transaction;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::master_key::MasterKey;
use crate::sealing::{AssociatedData, Sealer};
use crate::settings::{read_setting, write_setting};

const PREVIOUS_MAC_KEYS_SETTING: &str = "audit_keys";
const PREVIOUS_MAC_KEYS_ASSOCIATED_DATA: AssociatedData<'static> =
    AssociatedData { table: "settings", column: "value", row: PREVIOUS_MAC_KEYS_SETTING };

/// The hex-encoded key authenticates audit rows up to the sequence number `through`.
#[derive(Serialize, Deserialize)]
struct PreviousMacKey {
    through: i64,
    key: String,
}

pub(crate) struct AuditMacKeys {
    /// Previous MAC keys, oldest first, each with the sequence number of the last row that the key authenticates.
    previous: Vec<(i64, MasterKey)>,
    current: MasterKey,
}

impl AuditMacKeys {
    /// If previous keys cannot be decrypted, audit rows authenticated with them fail verification.
    pub(crate) async fn load_audit_mac_keys(
        transaction: &mut Transaction,
        sealer: &Sealer,
        keys: &DerivedKeys,
    ) -> Result<Self, StoreError> {
        let mut previous = Vec::new();
        let stored = read_setting(transaction, PREVIOUS_MAC_KEYS_SETTING).await?.unwrap_or_default();
        if let Ok(unsealed) = sealer.unseal(PREVIOUS_MAC_KEYS_ASSOCIATED_DATA, &stored) {
            let entries: Vec<PreviousMacKey> = serde_json::from_str(unsealed.expose_secret())
                .map_err(StoreError::corrupt_value_error("keys of the audit"))?;
            for PreviousMacKey { through, key } in entries {
                let mut bytes: MasterKey = Zeroizing::new([0; 32]);
                hex::decode_to_slice(Zeroizing::new(key).as_str(), &mut *bytes)
                    .map_err(StoreError::corrupt_value_error("keys of the audit"))?;
                previous.push((through, bytes));
            }
        }
        Ok(Self { previous, current: keys.audit.clone() })
    }

    pub(crate) fn mac_key_for_row(&self, seq: i64) -> &MasterKey {
        self.previous.iter().find(|(through, _)| seq <= *through).map_or(&self.current, |(_, key)| key)
    }

    pub(crate) fn current_mac_key(&self) -> &MasterKey {
        &self.current
    }

    pub(crate) async fn save_previous_mac_keys(
        &self,
        transaction: &mut Transaction,
        sealer: &Sealer,
    ) -> Result<(), StoreError> {
        let entries: Vec<_> = self
            .previous
            .iter()
            .map(|(through, key)| PreviousMacKey { through: *through, key: hex::encode(**key) })
            .collect();
        let entries = serde_json::to_string(&entries).map_err(StoreError::corrupt_value_error("keys of the audit"))?;
        let stored = sealer.seal(PREVIOUS_MAC_KEYS_ASSOCIATED_DATA, &SecretString::from(entries))?;
        write_setting(transaction, PREVIOUS_MAC_KEYS_SETTING, &stored).await
    }
}

/// Does not recompute an invalid MAC, so that verification still detects the tampered record.
pub(crate) async fn rotate_audit_mac_key(
    transaction: &mut Transaction,
    audit: &mut AuditMacKeys,
    keys: &DerivedKeys,
) -> Result<(), StoreError> {
    let mut through = find_highest_sequence_number(transaction).await?;
    for name in [HEAD_RECORD_NAME, CHECKPOINT_RECORD_NAME] {
        if let Some(end) = ChainPosition::read_chain_record(transaction, &audit.current, name).await? {
            end.write_chain_record(transaction, &keys.audit, name).await?;
            if name == HEAD_RECORD_NAME {
                through = end.seq;
            }
        }
    }
    let previous = std::mem::replace(&mut audit.current, keys.audit.clone());
    audit.previous.push((through, previous));
    Ok(())
}
