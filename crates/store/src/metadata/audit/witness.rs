//! Links of the chain that were seen before. Without its newest rows, and with an earlier record of the newest one, the chain is sound in
//! itself: only a link from before the removal proves that rows are missing. A process remembers the newest link that it wrote or read; an
//! exported checkpoint remembers one for longer than a process lives.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::rows::hash;
use super::chain::{CHECKPOINT, End, HEAD};
use super::keys::AuditKeys;
use crate::audit::{AuditCheckpoint, AuditFault, AuditProblem};
use crate::database::{Connection, query};
use crate::error::StoreError;
use crate::master_key::MasterKey;
use crate::store::Store;

/// Missing links that are remembered at most.
const MAX_MISSING: usize = 100;

/// The newest link that this process knows, and those that turned out to be missing. Clones share everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeenLinks(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// It was in the audit when it was last compared, or was committed since.
    newest: Option<AuditCheckpoint>,
    missing: Vec<AuditCheckpoint>,
    /// Losses that the audit has no event of yet.
    unreported: VecDeque<AuditProblem>,
}

impl SeenLinks {
    /// Remembers the newest row after a commit. Transactions that append have compared the one before it. Rows that are older than the
    /// newest known one are ignored: commits are recorded in any order.
    pub(crate) fn record(&self, newest: AuditCheckpoint) {
        let mut seen = self.seen();
        if seen.newest.as_ref().is_none_or(|known| known.seq < newest.seq) {
            seen.newest = Some(newest);
        }
    }

    /// All known rows. To be compared in a transaction that begins afterwards, as for [`SeenLinks::newest`].
    pub(super) fn all(&self) -> Vec<AuditCheckpoint> {
        let seen = self.seen();
        seen.missing.iter().chain(&seen.newest).cloned().collect()
    }

    /// The newest known row. To be compared in a transaction that begins afterwards: it may not see rows that were recorded since.
    pub(super) fn newest(&self) -> Option<AuditCheckpoint> {
        self.seen().newest.clone()
    }

    /// Compares a row that was the newest known one with the audit, given its head. Where the head is that row, there is nothing to read.
    pub(super) async fn compare_with_head(
        &self,
        connection: &mut Connection,
        key: &MasterKey,
        head: Option<End>,
        known: Option<AuditCheckpoint>,
    ) -> Result<(), StoreError> {
        let Some(known) = known else { return Ok(()) };
        if head.is_some_and(|head| head.seq == known.seq && hex::encode(head.mac) == known.link) {
            return Ok(());
        }
        if let Some(problem) = compare(connection, key, &known).await? {
            self.set_missing(known, problem);
        }
        Ok(())
    }

    /// The link stays known as evidence, and the next one that is recorded is the newest. A link that is no longer the newest one was
    /// compared meanwhile.
    fn set_missing(&self, checkpoint: AuditCheckpoint, problem: AuditProblem) {
        let mut seen = self.seen();
        if seen.newest.take_if(|known| *known == checkpoint).is_some() && seen.missing.len() < MAX_MISSING {
            seen.missing.push(checkpoint);
            seen.unreported.push_back(problem);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// The newest row of the audit, to be kept outside of the store. Fails where the audit has no sound record of it.
    pub async fn audit_checkpoint(&self) -> Result<AuditCheckpoint, StoreError> {
        self.check_key().await?;
        let failed = StoreError::database("read the newest row of the audit");
        let mut transaction = self.database.begin_reading().await.map_err(&failed)?;
        let keys = AuditKeys::read(&mut transaction, &self.sealer, &self.keys).await?;
        let head = End::read(&mut transaction, keys.now(), HEAD).await?;
        let head = head.ok_or_else(|| StoreError::Damaged {
            what: "audit",
            reason: "the record of its newest row was changed; clew audit verify names what is missing".to_owned(),
        })?;
        Ok(AuditCheckpoint { seq: head.seq, link: hex::encode(head.mac), at: self.clock.milliseconds() })
    }

    /// Checks that the newest row which this process knows is still in the audit, and remembers the newest one of now. Returns a loss
    /// that was found here or by a write, until [`Store::acknowledge_audit_loss`]; [`Store::verify_audit`] names it as long as the process
    /// lives.
    pub async fn check_audit_growth(&self) -> Result<Option<AuditProblem>, StoreError> {
        let known = self.seen_links.newest();
        let failed = StoreError::database("compare the audit with what was seen of it");
        let mut transaction = self.database.begin_reading().await.map_err(&failed)?;
        let keys = AuditKeys::read(&mut transaction, &self.sealer, &self.keys).await?;
        let head = End::read(&mut transaction, keys.now(), HEAD).await?;
        self.seen_links.compare_with_head(&mut transaction, keys.now(), head, known).await?;
        if let Some(head) = head {
            let at = self.clock.milliseconds();
            self.seen_links.record(AuditCheckpoint { seq: head.seq, link: hex::encode(head.mac), at });
        }
        Ok(self.seen_links.seen().unreported.front().cloned())
    }

    /// Ends the reports of a loss: the caller has recorded it.
    pub fn acknowledge_audit_loss(&self, loss: &AuditProblem) {
        self.seen_links.seen().unreported.retain(|unreported| unreported != loss);
    }
}

/// What is wrong with rows that were seen before.
pub(super) async fn compare_all<'a>(
    connection: &mut Connection,
    keys: &AuditKeys,
    seen: impl Iterator<Item = &'a AuditCheckpoint>,
) -> Result<Vec<AuditProblem>, StoreError> {
    let mut problems = Vec::new();
    for checkpoint in seen {
        problems.extend(compare(connection, keys.now(), checkpoint).await?);
    }
    Ok(problems)
}

/// Whether the audit still has a row that was seen. A row that retention removed since is sound: the record of the oldest row is sealed,
/// and only moves forward.
async fn compare(
    connection: &mut Connection,
    key: &MasterKey,
    checkpoint: &AuditCheckpoint,
) -> Result<Option<AuditProblem>, StoreError> {
    if checkpoint.seq == 0 {
        return Ok(None);
    }
    let row = query("SELECT mac FROM audit WHERE seq = $1")
        .bind(checkpoint.seq)
        .fetch_optional(&mut *connection)
        .await
        .map_err(StoreError::database("verify the audit"))?;
    let found = match row {
        Some(row) => hash(&row, "mac").ok(),
        None => match End::read(connection, key, CHECKPOINT).await? {
            Some(oldest) if oldest.seq == checkpoint.seq.saturating_add(1) => Some(oldest.mac),
            Some(oldest) if oldest.seq > checkpoint.seq => return Ok(None),
            _ => {
                let what = AuditFault::SeenMissing { at: checkpoint.at };
                return Ok(Some(AuditProblem { position: checkpoint.seq, what }));
            }
        },
    };
    let same = found.is_some_and(|mac| hex::encode(mac) == checkpoint.link);
    let what = AuditFault::SeenReplaced { at: checkpoint.at };
    Ok((!same).then_some(AuditProblem { position: checkpoint.seq, what }))
}
