//! Is every row there, and as it was written?

use super::chain::{CHANGED_HEAD, CHECKPOINT, End, HEAD};
use super::keys::AuditKeys;
use super::row::Row;
use super::witness::compare_all;
use crate::audit::{AuditCheckpoint, AuditFault, AuditProblem, AuditVerification};
use crate::database::{Connection, query};
use crate::error::StoreError;
use crate::master_key::MasterKey;
use crate::store::Store;

/// Rows that are in memory at once.
const PAGE: u32 = 500;

impl Store {
    /// Verifies the whole audit as it is at one moment, and compares it with checkpoints from before and with the newest rows that this
    /// process wrote or read: without its newest rows, and with an earlier record of the newest one, the audit is sound in itself. Memory
    /// stays flat.
    pub async fn verify_audit(&self, checkpoints: &[AuditCheckpoint]) -> Result<AuditVerification, StoreError> {
        self.check_key().await?;
        let seen_links = self.seen_links.all();
        let failed = StoreError::database("verify the audit");
        let mut transaction = self.database.begin_reading().await.map_err(&failed)?;
        let keys = AuditKeys::read(&mut transaction, &self.sealer, &self.keys).await?;
        let mut walk = Walk::begin(&mut transaction, &keys).await?;
        walk.through(&mut transaction, &keys, i64::MAX).await?;
        let seen = compare_all(&mut transaction, &keys, seen_links.iter().chain(checkpoints)).await?;
        Ok(walk.end(seen))
    }
}

/// A walk along the chain, from the oldest row to the newest.
pub(super) struct Walk {
    /// The newest row, as the head has it.
    head: Option<End>,
    /// The row before the next one; nothing if it cannot be known.
    before: Option<End>,
    /// Whether that one is as it was written, so that its MAC can be compared with what the next one says.
    before_sound: bool,
    /// The position that was looked at last.
    at: i64,
    found: AuditVerification,
}

impl Walk {
    pub(super) async fn begin(connection: &mut Connection, keys: &AuditKeys) -> Result<Self, StoreError> {
        let checkpoint = End::read(connection, keys.now(), CHECKPOINT).await?;
        let mut walk = Self {
            head: End::read(connection, keys.now(), HEAD).await?,
            before: checkpoint.map(|end| End { seq: end.seq.saturating_sub(1), mac: end.mac }),
            before_sound: true,
            at: i64::MIN,
            found: AuditVerification::default(),
        };
        if checkpoint.is_none() {
            walk.problem(0, AuditFault::CheckpointChanged);
        }
        Ok(walk)
    }

    /// Walks through the rows up to and with a position.
    pub(super) async fn through(
        &mut self,
        connection: &mut Connection,
        keys: &AuditKeys,
        last: i64,
    ) -> Result<(), StoreError> {
        let failed = StoreError::database("verify the audit");
        loop {
            let rows = query("SELECT * FROM audit WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3")
                .bind(self.at)
                .bind(last)
                .bind(PAGE)
                .fetch_all(&mut *connection)
                .await
                .map_err(&failed)?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                self.at = row.try_get("seq").map_err(&failed)?;
                self.step(self.at, Row::read(row).ok(), keys.of(self.at));
            }
        }
    }

    fn step(&mut self, seq: i64, row: Option<(Row, [u8; 32])>, key: &MasterKey) {
        self.found.rows += 1;
        let sound = row.as_ref().is_some_and(|(row, mac)| row.mac(key) == *mac);
        if !self.is_within(seq, sound) {
            return self.problem(seq, if sound { AuditFault::OutOfOrder } else { AuditFault::Changed });
        }
        let gap = self.gap_before(seq);
        self.found.first.get_or_insert(seq);
        self.found.last = Some(seq);
        let previous = row.as_ref().map(|(row, _)| row.previous);
        if !sound {
            self.problem(seq, AuditFault::Changed);
        } else if previous == Some(CHANGED_HEAD) {
            self.problem(seq, AuditFault::AfterChangedHead);
        } else if !gap && self.before_sound && self.before.is_some_and(|before| previous != Some(before.mac)) {
            self.problem(seq, AuditFault::OutOfOrder);
        }
        self.before = Some(End { seq, mac: row.map_or(CHANGED_HEAD, |(_, mac)| mac) });
        self.before_sound = sound;
    }

    /// Whether a row can be at this position at all: not before the checkpoint, and after the head only with a MAC that is
    /// right.
    fn is_within(&self, seq: i64, sound: bool) -> bool {
        self.before.is_none_or(|before| seq > before.seq) && (sound || self.head.is_none_or(|head| seq <= head.seq))
    }

    /// Whether rows are missing before this one.
    fn gap_before(&mut self, seq: i64) -> bool {
        let Some(before) = self.before else {
            self.reposition(seq);
            return true;
        };
        let expected = before.seq.saturating_add(1);
        if seq <= expected {
            return false;
        }
        let what = match self.found.first {
            None => AuditFault::MissingBefore { first: seq },
            Some(_) => AuditFault::Missing { through: seq - 1 },
        };
        self.problem(expected, what);
        true
    }

    /// Of a checkpoint that was changed only the first row tells where it may have been.
    fn reposition(&mut self, seq: i64) {
        if let Some(problem) = self.found.problems.first_mut() {
            problem.position = seq;
        }
    }

    /// What is wrong so far, in words.
    pub(super) fn problems(&self) -> Vec<String> {
        self.found.problems.iter().map(ToString::to_string).collect()
    }

    /// `seen` is what is wrong with rows that were seen before.
    fn end(mut self, seen: Vec<AuditProblem>) -> AuditVerification {
        let last = self.before.map_or(0, |before| before.seq);
        match self.head {
            None => self.problem(last, AuditFault::HeadChanged),
            Some(head) => {
                self.found.newest = hex::encode(head.mac);
                if head.seq > last {
                    self.problem(head.seq, AuditFault::MissingAfter { last: self.found.last });
                } else if head.seq < last
                    || (self.before_sound && self.before.is_some_and(|before| before.mac != head.mac))
                {
                    self.problem(last, AuditFault::HeadChanged);
                }
            }
        }
        for AuditProblem { position, what } in seen {
            self.problem(position, what);
        }
        self.found
    }

    fn problem(&mut self, position: i64, what: AuditFault) {
        if self.found.problems.len() < AuditVerification::MOST_PROBLEMS {
            self.found.problems.push(AuditProblem { position, what });
        } else {
            self.found.more_problems += 1;
        }
    }
}
