//! Reads and writes the head record and the checkpoint record of the audit chain.

use crate::database::{Row, Transaction, params, query, query_as};
use crate::derived_keys::{DerivedKeys, MASTER_KEY_ID_SETTING, compute_hmac};
use crate::error::StoreError;
use crate::master_key::MasterKey;

pub(crate) const PREVIOUS_MAC_OF_FIRST_ROW: [u8; 32] = [0; 32];

/// Name of the record that contains the sequence number and MAC of the newest audit row.
pub(crate) const HEAD_RECORD_NAME: &str = "head";
/// Name of the record that contains the oldest audit row's sequence number and the MAC of the row before it.
pub(crate) const CHECKPOINT_RECORD_NAME: &str = "checkpoint";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChainPosition {
    pub(crate) seq: i64,
    pub(crate) mac: [u8; 32],
}

impl ChainPosition {
    /// Returns `None` if the record is missing or was tampered with.
    pub(crate) async fn read_chain_record(
        transaction: &mut Transaction,
        key: &MasterKey,
        name: &str,
    ) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT seq, mac, seal FROM audit_ends WHERE name = $1";
        let row = query("read the audit log", sql, params![name]).fetch_optional(transaction).await?;
        row.map_or(Ok(None), |row| Self::from_row(&row, key, name))
    }

    pub(crate) async fn read_head_record(
        transaction: &mut Transaction,
        keys: &DerivedKeys,
    ) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT seq, mac, seal, (SELECT value FROM settings WHERE name = $2) AS key_id FROM audit_ends WHERE \
            name = $1";
        let parameters = params![HEAD_RECORD_NAME, MASTER_KEY_ID_SETTING];
        let row = query("read the audit log", sql, parameters).fetch_optional(transaction).await?;
        let Some(row) = row else { return Ok(None) };
        let id: Option<Vec<u8>> = row.get("key_id")?;
        keys.ensure_key_id_matches(id.as_deref())?;
        Self::from_row(&row, &keys.audit, HEAD_RECORD_NAME)
    }

    fn from_row(row: &Row, key: &MasterKey, name: &str) -> Result<Option<Self>, StoreError> {
        let (Ok(mac), Ok(seal)) = (row.get::<[u8; 32]>("mac"), row.get::<[u8; 32]>("seal")) else {
            return Ok(None);
        };
        let end = Self { seq: row.get("seq")?, mac };
        Ok((end.compute_record_mac(key, name) == seal).then_some(end))
    }

    pub(crate) async fn write_chain_record(
        self,
        transaction: &mut Transaction,
        key: &MasterKey,
        name: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO audit_ends (name, seq, mac, seal) VALUES ($1, $2, $3, $4) \
            ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, mac = excluded.mac, seal = excluded.seal";
        let parameters = params![name, self.seq, self.mac.as_slice(), self.compute_record_mac(key, name)];
        query("write to the audit log", sql, parameters).execute(transaction).await.map(drop)
    }

    fn compute_record_mac(self, key: &MasterKey, name: &str) -> [u8; 32] {
        compute_hmac(key, &[b"end", name.as_bytes(), &self.seq.to_be_bytes(), &self.mac])
    }
}

pub(crate) async fn find_highest_sequence_number(transaction: &mut Transaction) -> Result<i64, StoreError> {
    let sql = "SELECT COALESCE(MAX(seq), 0) FROM (SELECT MAX(seq) AS seq FROM audit UNION ALL SELECT MAX(seq) FROM \
        audit_ends) AS seen";
    query_as("read the audit log", sql, params![]).fetch_one(transaction).await
}
