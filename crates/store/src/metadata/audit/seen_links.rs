//! MACs of rows that were the newest at some time, for the detection of a truncated audit.
//!
//! If the newest rows are removed and the head is rolled back, the chain is intact.
//! Only a MAC from before the removal proves that rows are missing.
//! A process stores the newest MAC that it wrote or read. An exported checkpoint outlives the process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::row_mapping::hash_column;
use super::chain::{CHECKPOINT, ChainEnd, HEAD};
use super::keys::AuditKeys;
use crate::audit::{AuditCheckpoint, AuditFault, AuditProblem};
use crate::database::{Transaction, query};
use crate::error::StoreError;
use crate::master_key::MasterKey;
use crate::store::Store;

/// Maximum number of stored missing rows.
const MAX_MISSING: usize = 100;

/// Newest row of this process, and rows that were detected as missing. Clones share their state.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeenLinks(Arc<Mutex<SeenState>>);

#[derive(Debug, Default)]
struct SeenState {
    /// Newest row. It was present at the last comparison, or was committed after it.
    newest: Option<AuditCheckpoint>,
    missing: Vec<AuditCheckpoint>,
    /// Losses without an audit event so far.
    unreported: VecDeque<AuditProblem>,
}

impl SeenLinks {
    /// Stores the newest row after a commit. The appending transaction has compared its predecessor.
    /// Older rows are ignored: commits are recorded in any order.
    pub(crate) fn record(&self, newest: AuditCheckpoint) {
        let mut seen = self.lock();
        if seen.newest.as_ref().is_none_or(|last| last.seq < newest.seq) {
            seen.newest = Some(newest);
        }
    }

    /// Returns all stored rows. Compare them in a transaction that begins afterwards, as for [`SeenLinks::newest`].
    pub(super) fn all(&self) -> Vec<AuditCheckpoint> {
        let seen = self.lock();
        seen.missing.iter().chain(&seen.newest).cloned().collect()
    }

    /// Returns the newest row.
    /// Compare it in a transaction that begins afterwards: an earlier snapshot may not contain it.
    pub(super) fn newest(&self) -> Option<AuditCheckpoint> {
        self.lock().newest.clone()
    }

    /// Compares a previously newest row with the audit. If the head is that row, nothing is read.
    pub(super) async fn compare_with_head(
        &self,
        transaction: &mut Transaction,
        key: &MasterKey,
        head: Option<ChainEnd>,
        newest: Option<AuditCheckpoint>,
    ) -> Result<(), StoreError> {
        let Some(newest) = newest else { return Ok(()) };
        if head.is_some_and(|head| head.seq == newest.seq && hex::encode(head.mac) == newest.link) {
            return Ok(());
        }
        if let Some(problem) = compare_row(transaction, key, &newest).await? {
            self.mark_missing(newest, problem);
        }
        Ok(())
    }

    /// Marks a row as missing and keeps it as evidence.
    /// Does nothing if the row is no longer the newest one: it was compared meanwhile.
    fn mark_missing(&self, checkpoint: AuditCheckpoint, problem: AuditProblem) {
        let mut seen = self.lock();
        if seen.newest.take_if(|newest| *newest == checkpoint).is_some() && seen.missing.len() < MAX_MISSING {
            seen.missing.push(checkpoint);
            seen.unreported.push_back(problem);
        }
    }

    fn lock(&self) -> MutexGuard<'_, SeenState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Returns the newest row of the audit, to be stored outside of the database. Fails if the head was changed.
    pub async fn audit_checkpoint(&self) -> Result<AuditCheckpoint, StoreError> {
        self.check_key_id().await?;
        let failed = StoreError::database("read the newest row of the audit");
        let mut transaction = self.database.begin_read().await.map_err(&failed)?;
        let keys = AuditKeys::read(&mut transaction, &self.sealer, &self.keys).await?;
        let head = ChainEnd::read(&mut transaction, keys.current(), HEAD).await?;
        let head = head.ok_or_else(|| StoreError::Damaged {
            what: "audit",
            reason: "the record of its newest row was changed; clew audit verify names what is missing".to_owned(),
        })?;
        Ok(AuditCheckpoint { seq: head.seq, link: hex::encode(head.mac), at: self.clock.milliseconds() })
    }

    /// Checks that the newest row of this process is still in the audit, and stores the current newest row.
    /// Returns a loss that was detected here or by a write, until [`Store::acknowledge_audit_loss`].
    /// [`Store::verify_audit`] reports it during the life of the process.
    pub async fn check_audit_growth(&self) -> Result<Option<AuditProblem>, StoreError> {
        let newest = self.seen_links.newest();
        let failed = StoreError::database("compare the audit with what was seen of it");
        let mut transaction = self.database.begin_read().await.map_err(&failed)?;
        let keys = AuditKeys::read(&mut transaction, &self.sealer, &self.keys).await?;
        let head = ChainEnd::read(&mut transaction, keys.current(), HEAD).await?;
        self.seen_links.compare_with_head(&mut transaction, keys.current(), head, newest).await?;
        if let Some(head) = head {
            let at = self.clock.milliseconds();
            self.seen_links.record(AuditCheckpoint { seq: head.seq, link: hex::encode(head.mac), at });
        }
        Ok(self.seen_links.lock().unreported.front().cloned())
    }

    /// Ends the reports of a loss that the caller has recorded.
    pub fn acknowledge_audit_loss(&self, loss: &AuditProblem) {
        self.seen_links.lock().unreported.retain(|unreported| unreported != loss);
    }
}

/// Returns the problems of recorded rows.
pub(super) async fn compare_all<'a>(
    transaction: &mut Transaction,
    keys: &AuditKeys,
    seen: impl Iterator<Item = &'a AuditCheckpoint>,
) -> Result<Vec<AuditProblem>, StoreError> {
    let mut problems = Vec::new();
    for checkpoint in seen {
        problems.extend(compare_row(transaction, keys.current(), checkpoint).await?);
    }
    Ok(problems)
}

/// Checks that the audit contains a recorded row.
/// A row that retention has removed is valid: the checkpoint is authenticated and only moves forward.
async fn compare_row(
    transaction: &mut Transaction,
    key: &MasterKey,
    checkpoint: &AuditCheckpoint,
) -> Result<Option<AuditProblem>, StoreError> {
    if checkpoint.seq == 0 {
        return Ok(None);
    }
    let row = query("SELECT mac FROM audit WHERE seq = $1")
        .bind(checkpoint.seq)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(StoreError::database("verify the audit"))?;
    let found = match row {
        Some(row) => hash_column(&row, "mac").ok(),
        None => match ChainEnd::read(transaction, key, CHECKPOINT).await? {
            Some(oldest) if oldest.seq == checkpoint.seq.saturating_add(1) => Some(oldest.mac),
            Some(oldest) if oldest.seq > checkpoint.seq => return Ok(None),
            _ => {
                let what = AuditFault::RecordedRowMissing { at: checkpoint.at };
                return Ok(Some(AuditProblem { position: checkpoint.seq, fault: what }));
            }
        },
    };
    let same = found.is_some_and(|mac| hex::encode(mac) == checkpoint.link);
    let what = AuditFault::RecordedRowReplaced { at: checkpoint.at };
    Ok((!same).then_some(AuditProblem { position: checkpoint.seq, fault: what }))
}
