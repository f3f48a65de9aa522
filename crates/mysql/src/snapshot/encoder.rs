//! Joins, filters, encodes and sorts a snapshot's rows while the process list is being received.

use std::io;

use clew_diagnose::{RowSorter, SessionFilter, SortOrder, SortedRows, build_statement_template, csv, json};
use clew_model::{Failure, FailureKind, Session, SessionRow};
use tempfile::SpooledTempFile;
use tokio::task::{JoinHandle, spawn_blocking};

use super::session_spill_buffer::SessionSpillBuffer;
use super::{SessionScope, SnapshotFormat, SnapshotOptions};
use crate::connection::Connection;
use crate::elapsed_times::{self, ElapsedTimeCheckScope};
use crate::own_sessions::OwnSessionFilter;
use crate::process_list::ProcessListReader;
use crate::transactions::{TransactionsBySession, lock_wait_durations};
use crate::{failure, limitations, sql_statements};

const MAX_IN_MEMORY_ROW_BYTES: usize = 1 << 20;
const MAX_SESSIONS_PER_BATCH: usize = 256;
const MAX_STATEMENT_BYTES_PER_BATCH: usize = 1 << 20;
/// Batches whose statements contain at least this many bytes are encoded on another thread.
const MAX_STATEMENT_BYTES_FOR_INLINE_ENCODING: usize = 64 << 10;

/// Maximum number of sessions per snapshot whose elapsed times Clew checks. The maximum limits memory use.
const MAX_ELAPSED_TIME_CHECKS: usize = 2_000;

/// Reads the sessions and returns their encoded rows in sort order. Calls `observe` before encoding each session.
pub(super) async fn read_sorted_rows(
    connection: &mut Connection,
    options: &SnapshotOptions,
    transactions: TransactionsBySession,
    mut observe: impl FnMut(&Session) -> Result<(), crate::client::Error>,
) -> Result<SortedRows<SpooledTempFile>, Failure> {
    let address = connection.address.clone();
    let (flavor, own_id) = (connection.flavor, connection.id);
    let read_failure = |error: crate::client::Error| failure::failure_from_client_error(&error, &address);
    let lock_waits = lock_wait_durations(&transactions.0);
    let is_deferred = |session: &Session| {
        let lock_wait = lock_waits.get(&session.id).copied();
        session.id != own_id
            && elapsed_times::needs_elapsed_time_check(flavor, session, lock_wait, ElapsedTimeCheckScope::Busy)
    };
    let own = (options.scope == SessionScope::Users).then(|| connection.raw.own_session_filter());
    let mut pipeline = EncodingPipeline::new(SessionEncoder::new(options, own, transactions));
    let (mut deferred, mut unchecked) = (SessionSpillBuffer::default(), 0);
    let max_row_bytes = connection.raw.client.bytes.per_row;
    let query = sql_statements::PROCESS_LIST_QUERY;
    let mut sessions = match ProcessListReader::open(&mut connection.raw.client, query, max_row_bytes).await {
        Ok(sessions) => sessions,
        Err(error) => return Err(connection.explain_process_list_error(&error).await),
    };
    while let Some(session) = sessions.next().await.map_err(read_failure)? {
        if is_deferred(&session) {
            if deferred.ages.len() < MAX_ELAPSED_TIME_CHECKS {
                deferred = deferred.push(session).await.map_err(temporary_file_failure)?;
                continue;
            }
            unchecked += 1;
        }
        observe(&session).map_err(read_failure)?;
        pipeline = pipeline.push(session).await.map_err(temporary_file_failure)?;
    }
    let (limitation, oversized) = (sessions.describe_invalid_idle_times(), sessions.truncated);
    connection.limitations.extend(limitation);
    if oversized > 0 {
        let kib = max_row_bytes >> 10;
        connection.limitations.push(limitations::describe_oversized_statements(oversized, max_row_bytes, kib));
    }
    if unchecked > 0 {
        connection.limitations.push(limitations::describe_unchecked_session_durations(unchecked));
    }
    elapsed_times::correct_elapsed_times_with_timer_values(connection, &mut deferred.ages, ElapsedTimeCheckScope::Busy)
        .await?;
    let mut deferred = deferred.into_reader().map_err(temporary_file_failure)?;
    while let Some(session) = deferred.next().map_err(temporary_file_failure)? {
        observe(&session).map_err(read_failure)?;
        pipeline = pipeline.push(session).await.map_err(temporary_file_failure)?;
    }
    pipeline.finish().await.map_err(temporary_file_failure)
}

#[derive(Default)]
struct SessionBatch {
    sessions: Vec<Session>,
    bytes: usize,
}

impl SessionBatch {
    fn push(&mut self, session: Session) {
        self.bytes += statement_byte_count(&session);
        self.sessions.push(session);
    }

    fn is_full(&self) -> bool {
        self.sessions.len() >= MAX_SESSIONS_PER_BATCH || self.bytes >= MAX_STATEMENT_BYTES_PER_BATCH
    }
}

fn statement_byte_count(session: &Session) -> usize {
    session.statement.as_ref().map_or(0, Vec::len)
}

/// Encodes sessions while Clew is still reading the process list.
/// Encodes long statements on a blocking thread in batches of sessions, one batch at a time.
struct EncodingPipeline {
    encoder: EncoderState,
    batch: SessionBatch,
}

enum EncoderState {
    Idle(Box<SessionEncoder>),
    Encoding(JoinHandle<io::Result<Box<SessionEncoder>>>),
}

impl EncoderState {
    async fn wait_for_encoder(self) -> io::Result<Box<SessionEncoder>> {
        match self {
            Self::Idle(encoder) => Ok(encoder),
            Self::Encoding(task) => task.await.map_err(io::Error::other)?,
        }
    }

    async fn spawn_batch_encoding(self, batch: SessionBatch) -> io::Result<Self> {
        let mut encoder = self.wait_for_encoder().await?;
        if encoder.can_encode_inline(batch.bytes) {
            encoder.encode_batch(batch)?;
            return Ok(Self::Idle(encoder));
        }
        Ok(Self::Encoding(spawn_blocking(move || encoder.encode_batch(batch).map(|()| encoder))))
    }
}

impl EncodingPipeline {
    fn new(encoder: SessionEncoder) -> Self {
        Self { encoder: EncoderState::Idle(Box::new(encoder)), batch: SessionBatch::default() }
    }

    async fn push(mut self, session: Session) -> io::Result<Self> {
        if let EncoderState::Idle(encoder) = &mut self.encoder
            && encoder.can_encode_inline(statement_byte_count(&session))
        {
            encoder.encode_session(session)?;
            return Ok(self);
        }
        self.batch.push(session);
        if self.batch.is_full() {
            self.encoder = self.encoder.spawn_batch_encoding(std::mem::take(&mut self.batch)).await?;
        }
        Ok(self)
    }

    async fn finish(self) -> io::Result<SortedRows<SpooledTempFile>> {
        let encoder = self.encoder.spawn_batch_encoding(self.batch).await?.wait_for_encoder().await?;
        if encoder.can_encode_inline(0) {
            return encoder.sorter.into_sorted_rows();
        }
        spawn_blocking(|| encoder.sorter.into_sorted_rows()).await.map_err(io::Error::other)?
    }
}

struct SessionEncoder {
    masked: bool,
    format: SnapshotFormat,
    detailed: bool,
    own: Option<OwnSessionFilter>,
    transactions: TransactionsBySession,
    filter: SessionFilter,
    order: SortOrder,
    sorter: RowSorter<SpooledTempFile>,
    encoded: Vec<u8>,
}

impl SessionEncoder {
    fn new(options: &SnapshotOptions, own: Option<OwnSessionFilter>, transactions: TransactionsBySession) -> Self {
        let filter = SessionFilter::new(options.selection.clone());
        let order = SortOrder::new(&options.selection);
        Self {
            masked: options.masked,
            format: options.format,
            detailed: options.detailed,
            filter: if own.is_none() { filter.with_internal_sessions() } else { filter },
            own,
            transactions,
            order,
            sorter: RowSorter::new(SpooledTempFile::new(MAX_IN_MEMORY_ROW_BYTES)),
            encoded: Vec::new(),
        }
    }

    /// Returns true if encoding is fast enough to run on the async thread.
    fn can_encode_inline(&self, bytes: usize) -> bool {
        !self.masked
            && bytes < MAX_STATEMENT_BYTES_FOR_INLINE_ENCODING
            && self.sorter.total_bytes()
                < MAX_IN_MEMORY_ROW_BYTES.saturating_sub(MAX_STATEMENT_BYTES_FOR_INLINE_ENCODING) as u64
    }

    fn encode_batch(&mut self, batch: SessionBatch) -> io::Result<()> {
        batch.sessions.into_iter().try_for_each(|session| self.encode_session(session))
    }

    fn encode_session(&mut self, mut session: Session) -> io::Result<()> {
        if self.own.as_mut().is_some_and(|own| own.is_own_session(&session)) {
            return Ok(());
        }
        // Filter after template generation. Matching `sql_key` against the full statement would disclose literals.
        if self.masked {
            session.statement = session.statement.map(|statement| build_statement_template(&statement));
        }
        let row = SessionRow { session: &session, transaction: self.transactions.get(session.id) };
        if !self.filter.matches(&row) {
            return Ok(());
        }
        let encoded = &mut self.encoded;
        encoded.clear();
        match (self.format, self.detailed) {
            (SnapshotFormat::Csv { formula_guard }, false) => csv::encode_row(encoded, &row, formula_guard),
            (SnapshotFormat::Csv { formula_guard }, true) => csv::encode_session_columns(encoded, &row, formula_guard),
            (SnapshotFormat::Json, false) => json::encode_row(encoded, &row),
            (SnapshotFormat::Json, true) => json::encode_session_fields(encoded, &row),
        }
        self.sorter.push(self.order.compute_sort_rank(&row), encoded)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "taken by `map_err`")]
fn temporary_file_failure(error: io::Error) -> Failure {
    Failure::new(
        FailureKind::StoreFailed,
        format!("cannot store rows in the temporary directory {}: {error}", tempfile::env::temp_dir().display()),
    )
}
