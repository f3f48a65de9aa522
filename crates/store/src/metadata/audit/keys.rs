//! The keys of the chain: one until the master key is rotated, then another one from the next row on.
//!
//! Rows that were written under an earlier key stay as they are: somebody may have kept a link elsewhere. The first row under the new key has
//! the last old link in it, so that whoever has only the old key can change no old row without being seen.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::{set, setting};
use super::chain::{CHECKPOINT, End, HEAD};
use crate::database::Connection;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::master_key::MasterKey;
use crate::sealing::{Place, Sealer};

/// Name of the setting that holds the earlier ones, sealed.
const EARLIER: &str = "audit_keys";
const EARLIER_PLACE: Place<'static> = Place { table: "settings", column: "value", row: EARLIER };

/// An earlier key, in hexadecimal, and the last row under it.
#[derive(Serialize, Deserialize)]
struct Earlier {
    through: i64,
    key: String,
}

/// All keys of the chain.
pub(crate) struct AuditKeys {
    /// Each with the last row under it, the oldest first.
    earlier: Vec<(i64, MasterKey)>,
    now: MasterKey,
}

impl AuditKeys {
    /// The keys as of now. Earlier ones that cannot be opened are none: their rows are not sound then.
    pub(crate) async fn read(
        connection: &mut Connection,
        sealer: &Sealer,
        keys: &DerivedKeys,
    ) -> Result<Self, StoreError> {
        let mut earlier = Vec::new();
        let kept = setting(connection, EARLIER).await?.unwrap_or_default();
        if let Ok(opened) = sealer.open(EARLIER_PLACE, &kept) {
            let listed: Vec<Earlier> =
                serde_json::from_str(opened.expose_secret()).map_err(StoreError::damaged("keys of the audit"))?;
            for Earlier { through, key } in listed {
                let mut bytes: MasterKey = Zeroizing::new([0; 32]);
                hex::decode_to_slice(Zeroizing::new(key).as_str(), &mut *bytes)
                    .map_err(StoreError::damaged("keys of the audit"))?;
                earlier.push((through, bytes));
            }
        }
        Ok(Self { earlier, now: keys.audit.clone() })
    }

    /// The key of a row.
    pub(super) fn of(&self, seq: i64) -> &MasterKey {
        self.earlier.iter().find(|(through, _)| seq <= *through).map_or(&self.now, |(_, key)| key)
    }

    /// The key of the ends.
    pub(super) fn now(&self) -> &MasterKey {
        &self.now
    }

    /// Keeps the earlier ones.
    pub(crate) async fn keep(&self, connection: &mut Connection, sealer: &Sealer) -> Result<(), StoreError> {
        let listed: Vec<_> =
            self.earlier.iter().map(|(through, key)| Earlier { through: *through, key: hex::encode(**key) }).collect();
        let listed = serde_json::to_string(&listed).map_err(StoreError::damaged("keys of the audit"))?;
        let kept = sealer.seal(EARLIER_PLACE, &SecretString::from(listed))?;
        set(connection, EARLIER, &kept).await
    }
}

/// Goes over to another key: the rows so far keep theirs, the ends get the new one. An end that was changed stays as it is, so that it is seen.
pub(crate) async fn hand_over(
    connection: &mut Connection,
    audit: &mut AuditKeys,
    keys: &DerivedKeys,
) -> Result<(), StoreError> {
    let mut through = super::chain::last_seq(connection).await?;
    for name in [HEAD, CHECKPOINT] {
        if let Some(end) = End::read(connection, &audit.now, name).await? {
            end.write(connection, &keys.audit, name).await?;
            if name == HEAD {
                through = end.seq;
            }
        }
    }
    let before = std::mem::replace(&mut audit.now, keys.audit.clone());
    audit.earlier.push((through, before));
    Ok(())
}
