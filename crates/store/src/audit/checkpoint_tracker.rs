//! Keeps the newest audit row's MAC in memory to detect truncation of the audit log.
//!
//! If an attacker removes the newest audit rows and restores an older head record, the MACs of the remaining rows stay valid.
//! Clew can detect the removal of the newest audit rows only if a copy of the newest MAC exists outside the database.
//! After the process exits, only an exported audit checkpoint can reveal that the newest audit rows were removed.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::audit::chain_records::{CHECKPOINT_RECORD_NAME, ChainPosition};
use crate::audit::mac_keys::AuditMacKeys;
use crate::audit::{AuditCheckpoint, AuditIntegrityProblem, AuditIntegrityProblemKind};
use crate::database::{Transaction, params, query};
use crate::error::StoreError;
use crate::master_key::MasterKey;

const MAX_TRACKED_MISSING_ROWS: usize = 100;

#[derive(Debug, Clone, Default)]
pub(crate) struct CheckpointTracker(Arc<Mutex<CheckpointTrackerState>>);

#[derive(Debug, Default)]
struct CheckpointTrackerState {
    newest: Option<AuditCheckpoint>,
    missing: Vec<AuditCheckpoint>,
    unreported: VecDeque<AuditIntegrityProblem>,
}

impl CheckpointTracker {
    /// The caller must first verify the previously stored row.
    /// Ignores rows that are older than the stored row, because concurrent commits can report rows out of order.
    pub(crate) fn record_newest_row(&self, newest: AuditCheckpoint) {
        let mut state = self.0.lock();
        if state.newest.as_ref().is_none_or(|last| last.seq < newest.seq) {
            state.newest = Some(newest);
        }
    }

    /// A read transaction that began earlier may not see the audit rows of all checkpoints.
    pub(crate) fn tracked_checkpoints(&self) -> Vec<AuditCheckpoint> {
        let state = self.0.lock();
        state.missing.iter().chain(&state.newest).cloned().collect()
    }

    /// A read transaction that is already open may not see the returned audit row.
    pub(crate) fn newest_checkpoint(&self) -> Option<AuditCheckpoint> {
        self.0.lock().newest.clone()
    }

    pub(crate) async fn verify_newest_row_exists(
        &self,
        transaction: &mut Transaction,
        key: &MasterKey,
        head: Option<ChainPosition>,
        newest: Option<AuditCheckpoint>,
    ) -> Result<(), StoreError> {
        let Some(newest) = newest else { return Ok(()) };
        if head.is_some_and(|head| head.seq == newest.seq && hex::encode(head.mac) == newest.link) {
            return Ok(());
        }
        if let Some(problem) = verify_checkpoint(transaction, key, &newest).await? {
            self.mark_row_missing(newest, problem);
        }
        Ok(())
    }

    fn mark_row_missing(&self, checkpoint: AuditCheckpoint, problem: AuditIntegrityProblem) {
        let mut state = self.0.lock();
        if state.newest.take_if(|newest| *newest == checkpoint).is_some()
            && state.missing.len() < MAX_TRACKED_MISSING_ROWS
        {
            state.missing.push(checkpoint);
            state.unreported.push_back(problem);
        }
    }

    pub(crate) fn oldest_unreported_integrity_problem(&self) -> Option<AuditIntegrityProblem> {
        self.0.lock().unreported.front().cloned()
    }

    pub(crate) fn mark_integrity_problem_reported(&self, loss: &AuditIntegrityProblem) {
        self.0.lock().unreported.retain(|unreported| unreported != loss);
    }
}

pub(crate) async fn verify_checkpoints<'a>(
    transaction: &mut Transaction,
    keys: &AuditMacKeys,
    seen: impl Iterator<Item = &'a AuditCheckpoint>,
) -> Result<Vec<AuditIntegrityProblem>, StoreError> {
    let mut problems = Vec::new();
    for checkpoint in seen {
        problems.extend(verify_checkpoint(transaction, keys.current_mac_key(), checkpoint).await?);
    }
    Ok(problems)
}

/// The removal of a row by [`crate::AuditStore::prune_audit_log`] is not a problem.
async fn verify_checkpoint(
    transaction: &mut Transaction,
    key: &MasterKey,
    checkpoint: &AuditCheckpoint,
) -> Result<Option<AuditIntegrityProblem>, StoreError> {
    if checkpoint.seq == 0 {
        return Ok(None);
    }
    let sql = "SELECT mac FROM audit WHERE seq = $1";
    let row = query("verify the audit log", sql, params![checkpoint.seq]).fetch_optional(&mut *transaction).await?;
    let found = match row {
        Some(row) => row.get("mac").ok(),
        None => match ChainPosition::read_chain_record(transaction, key, CHECKPOINT_RECORD_NAME).await? {
            Some(oldest) if oldest.seq == checkpoint.seq.saturating_add(1) => Some(oldest.mac),
            Some(oldest) if oldest.seq > checkpoint.seq => return Ok(None),
            _ => {
                let what = AuditIntegrityProblemKind::RecordedRowMissing { at: checkpoint.at };
                return Ok(Some(AuditIntegrityProblem { position: checkpoint.seq, fault: what }));
            }
        },
    };
    let same = found.is_some_and(|mac| hex::encode(mac) == checkpoint.link);
    let what = AuditIntegrityProblemKind::RecordedRowReplaced { at: checkpoint.at };
    Ok((!same).then_some(AuditIntegrityProblem { position: checkpoint.seq, fault: what }))
}
