//! Verifies the audit chain.

use crate::audit::chain::UNKNOWN_PREVIOUS_MAC_PLACEHOLDER;
use crate::audit::chain_records::{CHECKPOINT_RECORD_NAME, ChainPosition, HEAD_RECORD_NAME};
use crate::audit::checkpoint_tracker::verify_checkpoints;
use crate::audit::mac_keys::AuditMacKeys;
use crate::audit::row::AuditRow;
use crate::audit::{AuditCheckpoint, AuditIntegrityProblem, AuditIntegrityProblemKind, AuditVerification};
use crate::database::{Transaction, params, query};
use crate::error::StoreError;
use crate::master_key::MasterKey;
use crate::store_handles::AuditStore;

const AUDIT_ROWS_PER_PAGE: u32 = 500;

impl AuditStore<'_> {
    /// Verifies the entire audit log within a single database snapshot. Memory use is constant.
    /// Reports missing audit rows that are known from `checkpoints` or from the memory of this process.
    /// Without a checkpoint, the verification may not detect that the newest audit rows have been removed.
    pub async fn verify_audit_log(self, checkpoints: &[AuditCheckpoint]) -> Result<AuditVerification, StoreError> {
        self.store.ensure_master_key_is_current().await?;
        let tracked = self.store.checkpoint_tracker.tracked_checkpoints();
        let mut transaction = self.store.database.begin_read_transaction("verify the audit log").await?;
        let keys = AuditMacKeys::load_audit_mac_keys(&mut transaction, &self.store.sealer, &self.store.keys).await?;
        let mut verifier = ChainVerifier::start_at_checkpoint(&mut transaction, &keys).await?;
        verifier.verify_rows_up_to_seq(&mut transaction, &keys, i64::MAX).await?;
        let recorded = verify_checkpoints(&mut transaction, &keys, tracked.iter().chain(checkpoints)).await?;
        Ok(verifier.into_audit_verification(recorded))
    }
}

pub(crate) struct ChainVerifier {
    /// `None` if the head record was tampered with.
    head: Option<ChainPosition>,
    /// Position of the last verified row, or initially of the row before the oldest row.
    /// `None` if the checkpoint record was tampered with and no row has been verified yet.
    previous: Option<ChainPosition>,
    /// An invalid MAC is not compared with the copy in the next row.
    previous_is_authentic: bool,
    position: i64,
    result: AuditVerification,
}

impl ChainVerifier {
    pub(crate) async fn start_at_checkpoint(
        transaction: &mut Transaction,
        keys: &AuditMacKeys,
    ) -> Result<Self, StoreError> {
        let checkpoint =
            ChainPosition::read_chain_record(transaction, keys.current_mac_key(), CHECKPOINT_RECORD_NAME).await?;
        let mut verifier = Self {
            head: ChainPosition::read_chain_record(transaction, keys.current_mac_key(), HEAD_RECORD_NAME).await?,
            previous: checkpoint.map(|end| ChainPosition { seq: end.seq.saturating_sub(1), mac: end.mac }),
            previous_is_authentic: true,
            position: i64::MIN,
            result: AuditVerification::default(),
        };
        if checkpoint.is_none() {
            verifier.report_problem(0, AuditIntegrityProblemKind::CheckpointChanged);
        }
        Ok(verifier)
    }

    pub(crate) async fn verify_rows_up_to_seq(
        &mut self,
        transaction: &mut Transaction,
        keys: &AuditMacKeys,
        last: i64,
    ) -> Result<(), StoreError> {
        loop {
            let sql =
                concat!("SELECT ", audit_columns!(), " FROM audit WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3");
            let parameters = params![self.position, last, AUDIT_ROWS_PER_PAGE];
            let rows = query("verify the audit log", sql, parameters).fetch_all(&mut *transaction).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                self.position = row.get("seq")?;
                self.verify_row(
                    self.position,
                    AuditRow::read_row_with_mac(row).ok(),
                    keys.mac_key_for_row(self.position),
                );
            }
        }
    }

    fn verify_row(&mut self, seq: i64, row: Option<(AuditRow, [u8; 32])>, key: &MasterKey) {
        self.result.rows += 1;
        let authentic = row.as_ref().is_some_and(|(row, mac)| row.compute_row_mac(key) == *mac);
        if !self.is_valid_sequence_number(seq, authentic) {
            return self.report_problem(
                seq,
                if authentic { AuditIntegrityProblemKind::OutOfOrder } else { AuditIntegrityProblemKind::Changed },
            );
        }
        let gap = self.report_sequence_gap(seq);
        self.result.first.get_or_insert(seq);
        self.result.last = Some(seq);
        let previous_mac = row.as_ref().map(|(row, _)| row.previous);
        if !authentic {
            self.report_problem(seq, AuditIntegrityProblemKind::Changed);
        } else if previous_mac == Some(UNKNOWN_PREVIOUS_MAC_PLACEHOLDER) {
            self.report_problem(seq, AuditIntegrityProblemKind::AfterChangedHead);
        } else if !gap
            && self.previous_is_authentic
            && self.previous.is_some_and(|previous| previous_mac != Some(previous.mac))
        {
            self.report_problem(seq, AuditIntegrityProblemKind::OutOfOrder);
        }
        self.previous = Some(ChainPosition { seq, mac: row.map_or(UNKNOWN_PREVIOUS_MAC_PLACEHOLDER, |(_, mac)| mac) });
        self.previous_is_authentic = authentic;
    }

    fn is_valid_sequence_number(&self, seq: i64, authentic: bool) -> bool {
        self.previous.is_none_or(|previous| seq > previous.seq)
            && (authentic || self.head.is_none_or(|head| seq <= head.seq))
    }

    /// Returns true if rows are missing or the previous row is unknown.
    fn report_sequence_gap(&mut self, seq: i64) -> bool {
        let Some(previous) = self.previous else {
            self.set_checkpoint_problem_position(seq);
            return true;
        };
        let expected = previous.seq.saturating_add(1);
        if seq <= expected {
            return false;
        }
        let what = match self.result.first {
            None => AuditIntegrityProblemKind::MissingBefore { first: seq },
            Some(_) => AuditIntegrityProblemKind::Missing { through: seq - 1 },
        };
        self.report_problem(expected, what);
        true
    }

    /// The first problem is the tampered checkpoint record, which is reported before any row is read.
    fn set_checkpoint_problem_position(&mut self, seq: i64) {
        if let Some(problem) = self.result.problems.first_mut() {
            problem.position = seq;
        }
    }

    pub(crate) fn describe_problems(&self) -> Vec<String> {
        self.result.problems.iter().map(ToString::to_string).collect()
    }

    fn into_audit_verification(mut self, recorded: Vec<AuditIntegrityProblem>) -> AuditVerification {
        let last = self.previous.map_or(0, |previous| previous.seq);
        match self.head {
            None => self.report_problem(last, AuditIntegrityProblemKind::HeadChanged),
            Some(head) => {
                self.result.newest = hex::encode(head.mac);
                if head.seq > last {
                    self.report_problem(head.seq, AuditIntegrityProblemKind::MissingAfter { last: self.result.last });
                } else if head.seq < last
                    || (self.previous_is_authentic && self.previous.is_some_and(|previous| previous.mac != head.mac))
                {
                    self.report_problem(last, AuditIntegrityProblemKind::HeadChanged);
                }
            }
        }
        for AuditIntegrityProblem { position, fault: what } in recorded {
            self.report_problem(position, what);
        }
        self.result
    }

    fn report_problem(&mut self, position: i64, what: AuditIntegrityProblemKind) {
        if self.result.problems.len() < AuditVerification::MAX_LISTED_INTEGRITY_PROBLEMS {
            self.result.problems.push(AuditIntegrityProblem { position, fault: what });
        } else {
            self.result.more_problems += 1;
        }
    }
}
