//! Appends rows to the audit chain. Each row contains the MAC of the previous row.
//! The table `audit_ends` contains two records, the head record and the checkpoint record, each protected by a MAC.

use clew_model::AuditEvent;

use crate::audit::chain_records::{
    CHECKPOINT_RECORD_NAME, ChainPosition, HEAD_RECORD_NAME, PREVIOUS_MAC_OF_FIRST_ROW, find_highest_sequence_number,
};
use crate::audit::checkpoint_tracker::CheckpointTracker;
use crate::audit::{AuditCheckpoint, row};
use crate::database::Transaction;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::master_key::MasterKey;

/// Placeholder for the previous row's MAC in the first audit row after tampering with the head record.
pub(crate) const UNKNOWN_PREVIOUS_MAC_PLACEHOLDER: [u8; 32] = [0xff; 32];

/// A head or checkpoint record that is missing later indicates tampering.
pub(crate) async fn initialize_audit_chain(transaction: &mut Transaction, key: &MasterKey) -> Result<(), StoreError> {
    ChainPosition { seq: 0, mac: PREVIOUS_MAC_OF_FIRST_ROW }
        .write_chain_record(transaction, key, HEAD_RECORD_NAME)
        .await?;
    ChainPosition { seq: 1, mac: PREVIOUS_MAC_OF_FIRST_ROW }
        .write_chain_record(transaction, key, CHECKPOINT_RECORD_NAME)
        .await
}

/// Each element of `events` contains a Unix timestamp in milliseconds and an audit event.
/// `transaction` must hold the write lock, because the function reads and then updates the audit log's head record.
/// The caller must commit `transaction` and then pass the returned row to [`CheckpointTracker::record_newest_row`].
pub(crate) async fn append_audit_rows(
    transaction: &mut Transaction,
    keys: &DerivedKeys,
    checkpoint_tracker: &CheckpointTracker,
    events: &[(i64, &AuditEvent)],
) -> Result<AuditCheckpoint, StoreError> {
    let key = &keys.audit;
    // The tracked row was committed before this transaction acquired the write lock.
    let last_seen = checkpoint_tracker.newest_checkpoint();
    let head = ChainPosition::read_head_record(transaction, keys).await?;
    checkpoint_tracker.verify_newest_row_exists(transaction, key, head, last_seen).await?;
    let mut newest = match head {
        Some(head) => head,
        None => ChainPosition {
            seq: find_highest_sequence_number(transaction).await?,
            mac: UNKNOWN_PREVIOUS_MAC_PLACEHOLDER,
        },
    };
    for (at, event) in events {
        let row = row::AuditRow::new(newest.seq.saturating_add(1), *at, newest.mac, event);
        let mac = row.compute_row_mac(key);
        row.insert(transaction, &mac).await?;
        newest = ChainPosition { seq: row.seq, mac };
    }
    newest.write_chain_record(transaction, key, HEAD_RECORD_NAME).await?;
    let at = events.last().map_or(0, |(at, _)| *at);
    Ok(AuditCheckpoint { seq: newest.seq, link: hex::encode(newest.mac), at })
}
