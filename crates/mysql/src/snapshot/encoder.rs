//! Rows of a snapshot while they stream in: joined, filtered and encoded as they come, then sorted.

use std::io;

use clew_diagnose::{Filter, Order, RowSorter, SortedRows, csv, json, template};
use clew_model::{Failure, FailureKind, Selection, Session, SessionRow};
use tempfile::SpooledTempFile;
use tokio::task::{JoinHandle, spawn_blocking};

use super::doubtful::Doubtful;
use super::{Form, Statements};
use crate::connection::Connection;
use crate::own_sessions::OwnSessionFilter;
use crate::statement_ages::{self, Checked};
use crate::transactions::BySession;
use crate::{doctor, failure, sessions};

/// Encoded rows stay in memory up to this many bytes, then go to a temporary file.
const SPOOL_IN_MEMORY: usize = 1 << 20;
/// Heavy sessions are encoded in batches of at most this many …
const BATCH_ROWS: usize = 256;
/// … and about this many bytes of statements.
const BATCH_BYTES: usize = 1 << 20;
/// Fewer bytes of statements are encoded where they are read: handing them to another thread costs two wake-ups.
const LIGHT_BYTES: usize = 64 << 10;

/// Sessions that do something whose seconds are checked: more would not fit the memory of a snapshot.
const MAX_CHECKED: usize = 2_000;

/// Which rows a snapshot has, and in what form.
pub(super) struct Rows {
    pub(super) selection: Selection,
    pub(super) statements: Statements,
    pub(super) form: Form,
    /// Whether each row is left open: its details are known when all were read.
    pub(super) detailed: bool,
}

/// Reads all sessions of a connection, and gives rows in their order. Without own sessions everybody's are shown; `look` sees each
/// session before it is encoded.
pub(super) async fn sorted_rows(
    connection: &mut Connection,
    rows: &Rows,
    own: Option<OwnSessionFilter>,
    transactions: BySession,
    mut look: impl FnMut(&Session) -> Result<(), crate::client::Error>,
) -> Result<SortedRows<SpooledTempFile>, Failure> {
    let address = connection.address.clone();
    let (flavor, own_id) = (connection.flavor, connection.id);
    let lost = |error: crate::client::Error| failure::from_client(&error, &address);
    let lock_waits = transactions.lock_waits();
    let is_doubtful = |session: &Session| {
        let lock_wait = lock_waits.get(&session.id).copied();
        session.id != own_id && statement_ages::must_be_checked(flavor, session, lock_wait, Checked::Busy)
    };
    let mut work = Work::new(Encoder::new(rows, own, transactions));
    let (mut doubtful, mut unchecked) = (Doubtful::default(), 0);
    let mut sessions = sessions::read(connection, sessions::MAX_ROW).await.map_err(lost)?;
    while let Some(session) = sessions.next().await.map_err(lost)? {
        if is_doubtful(&session) {
            if doubtful.ages.len() < MAX_CHECKED {
                doubtful = doubtful.push(session).await.map_err(spool_failed)?;
                continue;
            }
            unchecked += 1;
        }
        look(&session).map_err(lost)?;
        work = work.take(session).await.map_err(spool_failed)?;
    }
    let (limitation, too_long) = (sessions.limitation(), doctor::statements_too_long(sessions.truncated()));
    connection.limitations.extend(limitation.into_iter().chain(too_long));
    if unchecked > 0 {
        connection.limitations.push(statement_ages::too_many(unchecked));
    }
    statement_ages::check(connection, &mut doubtful.ages, Checked::Busy).await?;
    let mut doubtful = doubtful.into_sessions().map_err(spool_failed)?;
    while let Some(session) = doubtful.next().map_err(spool_failed)? {
        look(&session).map_err(lost)?;
        work = work.take(session).await.map_err(spool_failed)?;
    }
    work.finish().await.map_err(spool_failed)
}

/// Sessions on their way to the encoder.
#[derive(Default)]
struct Batch {
    sessions: Vec<Session>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, session: Session) {
        self.bytes += statement_bytes(&session);
        self.sessions.push(session);
    }

    fn is_full(&self) -> bool {
        self.sessions.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }
}

fn statement_bytes(session: &Session) -> usize {
    session.statement.as_ref().map_or(0, Vec::len)
}

/// Encodes light sessions as they come, where they are read: their memory is used again by the next one. Heavy ones go in batches
/// to a thread, one at a time, while the reader reads on.
struct Work {
    encoder: At,
    batch: Batch,
}

/// Where the encoder is: here, or with the thread that works with it.
enum At {
    Here(Box<Encoder>),
    Elsewhere(JoinHandle<io::Result<Box<Encoder>>>),
}

impl At {
    /// The encoder, when it is done.
    async fn encoder(self) -> io::Result<Box<Encoder>> {
        match self {
            Self::Here(encoder) => Ok(encoder),
            Self::Elsewhere(task) => task.await.map_err(io::Error::other)?,
        }
    }

    /// Encodes a batch: a light one here, any other off the runtime's threads.
    async fn encode(self, batch: Batch) -> io::Result<Self> {
        let mut encoder = self.encoder().await?;
        if encoder.is_light(batch.bytes) {
            encoder.take_all(batch)?;
            return Ok(Self::Here(encoder));
        }
        Ok(Self::Elsewhere(spawn_blocking(move || encoder.take_all(batch).map(|()| encoder))))
    }
}

impl Work {
    fn new(encoder: Encoder) -> Self {
        Self { encoder: At::Here(Box::new(encoder)), batch: Batch::default() }
    }

    async fn take(mut self, session: Session) -> io::Result<Self> {
        if let At::Here(encoder) = &mut self.encoder
            && encoder.is_light(statement_bytes(&session))
        {
            encoder.take(session)?;
            return Ok(self);
        }
        self.batch.push(session);
        if self.batch.is_full() {
            self.encoder = self.encoder.encode(std::mem::take(&mut self.batch)).await?;
        }
        Ok(self)
    }

    /// The rows in their order.
    async fn finish(self) -> io::Result<SortedRows<SpooledTempFile>> {
        let encoder = self.encoder.encode(self.batch).await?.encoder().await?;
        if encoder.is_light(0) {
            return encoder.sorter.finish();
        }
        spawn_blocking(|| encoder.sorter.finish()).await.map_err(io::Error::other)?
    }
}

/// Takes sessions in any order.
struct Encoder {
    statements: Statements,
    form: Form,
    detailed: bool,
    own: Option<OwnSessionFilter>,
    transactions: BySession,
    filter: Filter<'static>,
    order: Order,
    sorter: RowSorter<SpooledTempFile>,
    /// The row that is being encoded.
    encoded: Vec<u8>,
}

impl Encoder {
    fn new(rows: &Rows, own: Option<OwnSessionFilter>, transactions: BySession) -> Self {
        let filter = Filter::owning(rows.selection.clone());
        let order = Order::new(&rows.selection);
        Self {
            statements: rows.statements,
            form: rows.form,
            detailed: rows.detailed,
            filter: if own.is_none() { filter.with_internal() } else { filter },
            own,
            transactions,
            order,
            sorter: RowSorter::new(SpooledTempFile::new(SPOOL_IN_MEMORY)),
            encoded: Vec::new(),
        }
    }

    /// Whether so many bytes of statements are so little work that a runtime's thread may do it: they are copied, and to memory.
    fn is_light(&self, bytes: usize) -> bool {
        self.statements == Statements::Whole
            && bytes < LIGHT_BYTES
            && self.sorter.bytes() < SPOOL_IN_MEMORY.saturating_sub(LIGHT_BYTES) as u64
    }

    fn take_all(&mut self, batch: Batch) -> io::Result<()> {
        batch.sessions.into_iter().try_for_each(|session| self.take(session))
    }

    fn take(&mut self, mut session: Session) -> io::Result<()> {
        if self.own.as_mut().is_some_and(|own| own.is_own(&session)) {
            return Ok(());
        }
        // Before the filter: a `sql_key` that looked at the statement would tell, one guess at a time, what stands in it.
        if self.statements == Statements::Templates {
            session.statement = session.statement.map(|statement| template(&statement));
        }
        let row = SessionRow { session: &session, transaction: self.transactions.get(session.id) };
        if !self.filter.keeps(&row) {
            return Ok(());
        }
        let encoded = &mut self.encoded;
        encoded.clear();
        match (self.form, self.detailed) {
            (Form::Csv { formula_guard }, false) => csv::encode_row(encoded, &row, formula_guard),
            (Form::Csv { formula_guard }, true) => csv::begin_row(encoded, &row, formula_guard),
            (Form::Json, false) => json::encode_row(encoded, &row),
            (Form::Json, true) => json::begin_row(encoded, &row),
        }
        self.sorter.push(self.order.rank(&row), encoded)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "taken by `map_err`")]
fn spool_failed(error: io::Error) -> Failure {
    Failure::new(
        FailureKind::StoreFailed,
        format!("could not keep rows in the temporary folder {}: {error}", tempfile::env::temp_dir().display()),
    )
}
