//! What becomes of one task: queued, held, ended, handed back.

use clew_model::{RequestId, TaskOutcome, TaskStatus};

use crate::database::{Connection, query, query_scalar};
use crate::error::StoreError;
use crate::metadata::batches::Write;
use crate::metadata::rows::signed;
use crate::tasks::NewTask;

/// The turn of a new task: now (of its zone, if nothing runs), or after the last of its instance that waits, and then as many turns on as instances of its project
/// wait. So projects share equally, and in each of them its instances. From the 64th instance on it makes no difference.
pub(super) const TURN: &str = "WITH RECURSIVE others (id, number) AS ( \
         SELECT MIN(instance_id), 1 FROM tasks WHERE status = 'queued' AND project_id = $1 AND instance_id > '' \
         UNION ALL \
         SELECT (SELECT MIN(instance_id) FROM tasks WHERE status = 'queued' AND project_id = $1 AND instance_id > others.id), \
             number + 1 FROM others WHERE others.id IS NOT NULL AND number < 64) \
     SELECT 1 + (SELECT COUNT(*) FROM others WHERE id <> $2) + (SELECT MAX(turn) FROM ( \
         SELECT MAX(turn) AS turn FROM tasks WHERE status = 'queued' AND project_id = $1 AND instance_id = $2 UNION ALL \
         SELECT COALESCE((SELECT MAX(turn) FROM tasks WHERE status = 'running'), \
             (SELECT MIN(turn) FROM tasks WHERE status = 'queued' AND zone = COALESCE((SELECT zone FROM nodes WHERE id = $3), '')), \
             0)) AS turns)";

/// In the queue of its node, if that is not full.
pub(super) const QUEUE: &str = "INSERT INTO tasks \
         (request_id, project_id, instance_id, node_id, selection, masked, status, created_at, turn, zone) \
     SELECT $1, $2, $3, $4, $5, $6, 'queued', $7, $8, COALESCE((SELECT zone FROM nodes WHERE id = $4), '') \
     WHERE (SELECT COUNT(*) FROM tasks WHERE node_id = $4 AND status = 'queued') < $9";

/// Only its newest holder can hold it on, …
pub(super) const RENEW: &str = "UPDATE tasks SET lease_until = $1 \
     WHERE request_id = $2 AND fence = $3 AND status = 'running' AND lease_until > $4";
/// … end it, …
pub(super) const END: &str = "UPDATE tasks SET status = $1, failure_kind = $2, failure_detail = $3, result_name = $4, result_rows = $5, \
         result_bytes = $6, result_sha256 = $7, ended_at = $8, lease_until = NULL \
     WHERE request_id = $9 AND fence = $10 AND status = 'running'";
/// … and hand it back.
pub(super) const RELEASE: &str = "UPDATE tasks SET status = 'queued', worker = NULL, lease_until = NULL, attempts = attempts - 1 \
     WHERE request_id = $1 AND fence = $2 AND status = 'running'";

pub(super) struct QueueTask {
    pub(super) task: NewTask,
    pub(super) selection: String,
    pub(super) now: i64,
    pub(super) queue_limit: u32,
}

impl Write for QueueTask {
    /// Whether the queue of its node had room.
    type Answer = bool;
    const DOING: &'static str = "queue a collection";

    async fn write(&self, connection: &mut Connection) -> Result<bool, StoreError> {
        let failed = StoreError::database(Self::DOING);
        let turn: i64 = query_scalar(TURN)
            .bind(self.task.project_id.as_str())
            .bind(self.task.instance_id.as_str())
            .bind(self.task.node_id.as_str())
            .fetch_one(&mut *connection)
            .await
            .map_err(&failed)?;
        let queued = query(QUEUE)
            .bind(self.task.request_id.as_str())
            .bind(self.task.project_id.as_str())
            .bind(self.task.instance_id.as_str())
            .bind(self.task.node_id.as_str())
            .bind(&self.selection)
            .bind(self.task.masked)
            .bind(self.now)
            .bind(turn)
            .bind(self.queue_limit)
            .execute(connection)
            .await
            .map_err(failed)?;
        Ok(queued > 0)
    }
}

pub(super) struct RenewLease {
    pub(super) id: RequestId,
    pub(super) fence: i64,
    pub(super) now: i64,
    pub(super) until: i64,
}

impl Write for RenewLease {
    type Answer = bool;
    const DOING: &'static str = "renew a lease";

    async fn write(&self, connection: &mut Connection) -> Result<bool, StoreError> {
        let renewed = query(RENEW)
            .bind(self.until)
            .bind(self.id.as_str())
            .bind(self.fence)
            .bind(self.now)
            .execute(connection)
            .await
            .map_err(StoreError::database(Self::DOING))?;
        Ok(renewed > 0)
    }
}

pub(super) struct EndTask {
    pub(super) id: RequestId,
    pub(super) fence: i64,
    pub(super) outcome: TaskOutcome,
    pub(super) now: i64,
}

impl Write for EndTask {
    type Answer = bool;
    const DOING: &'static str = "record the end of a collection";

    async fn write(&self, connection: &mut Connection) -> Result<bool, StoreError> {
        let (status, failure, result) = match &self.outcome {
            TaskOutcome::Finished { result_name, rows, bytes, sha256 } => {
                (TaskStatus::Finished, None, Some((result_name, signed(*rows), signed(*bytes), sha256)))
            }
            TaskOutcome::Failed(failure) => (TaskStatus::Error, Some(failure), None),
        };
        let ended = query(END)
            .bind(status.name())
            .bind(failure.map(|failure| failure.kind.name()))
            .bind(failure.map(|failure| &failure.detail))
            .bind(result.map(|(name, ..)| name))
            .bind(result.map(|(_, rows, ..)| rows))
            .bind(result.map(|(_, _, bytes, _)| bytes))
            .bind(result.map(|(.., sha256)| sha256))
            .bind(self.now)
            .bind(self.id.as_str())
            .bind(self.fence)
            .execute(connection)
            .await
            .map_err(StoreError::database(Self::DOING))?;
        Ok(ended > 0)
    }
}

pub(super) struct ReleaseTask {
    pub(super) id: RequestId,
    pub(super) fence: i64,
}

impl Write for ReleaseTask {
    type Answer = bool;
    const DOING: &'static str = "hand back a collection";

    async fn write(&self, connection: &mut Connection) -> Result<bool, StoreError> {
        let released = query(RELEASE)
            .bind(self.id.as_str())
            .bind(self.fence)
            .execute(connection)
            .await
            .map_err(StoreError::database(Self::DOING))?;
        Ok(released > 0)
    }
}
