//! Rows of a snapshot while they stream in: joined, filtered and encoded beside the reading, then sorted.

use std::collections::HashMap;
use std::io;

use clew_diagnose::{Filter, Order, RowSorter, SortedRows, csv, json, template};
use clew_model::{Failure, FailureKind, Selection, Session, SessionRow, Transaction};
use tempfile::SpooledTempFile;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Form, Statements};
use crate::connection::Connection;
use crate::own_sessions::Own;
use crate::{failure, sessions};

/// Encoded rows stay in memory up to this many bytes, then go to a temporary file.
const SPOOL_IN_MEMORY: usize = 1 << 20;
/// Sessions travel from the reader to the encoder in batches of at most this many …
const BATCH_ROWS: usize = 256;
/// … and about this many bytes of statements.
const BATCH_BYTES: usize = 1 << 20;

/// Which rows a snapshot has, and in what form.
pub(super) struct Rows {
    pub(super) selection: Selection,
    pub(super) statements: Statements,
    pub(super) form: Form,
    /// Whether each row is left open: its details are known when all were read.
    pub(super) detailed: bool,
}

/// Takes sessions in, and gives rows in their order.
pub(super) struct Encoder {
    batches: mpsc::Sender<Vec<Session>>,
    task: JoinHandle<io::Result<SortedRows<SpooledTempFile>>>,
}

impl Encoder {
    /// Works off the runtime's threads. Without own sessions everybody's are shown.
    pub(super) fn start(rows: Rows, own: Option<Own>, transactions: HashMap<u64, Transaction>) -> Self {
        let (batches, incoming) = mpsc::channel(2);
        let task = tokio::task::spawn_blocking(move || encode(&rows, own.as_ref(), &transactions, incoming));
        Self { batches, task }
    }

    /// Reads all sessions of a connection; `look` sees each before it goes.
    pub(super) async fn feed(
        self,
        connection: &mut Connection,
        look: impl FnMut(&Session),
    ) -> Result<SortedRows<SpooledTempFile>, Failure> {
        let streamed = stream(connection, self.batches, look).await;
        let sorted = self.task.await.map_err(|error| spool_failed(&io::Error::other(error)))?;
        streamed?;
        sorted.map_err(|error| spool_failed(&error))
    }
}

/// Hands sessions on in batches. A reader that is faster than the encoder waits for it; an encoder that failed ends it.
async fn stream(
    connection: &mut Connection,
    batches: mpsc::Sender<Vec<Session>>,
    mut look: impl FnMut(&Session),
) -> Result<(), Failure> {
    let address = connection.address.clone();
    let lost = |error: mysql_async::Error| failure::from_driver(&error, &address);
    let mut sessions = sessions::read(connection).await.map_err(lost)?;
    let mut batch = Vec::new();
    let mut bytes = 0;
    while let Some(session) = sessions.next().await.map_err(lost)? {
        look(&session);
        bytes += session.statement.as_ref().map_or(0, Vec::len);
        batch.push(session);
        if batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
            bytes = 0;
            if batches.send(std::mem::take(&mut batch)).await.is_err() {
                break;
            }
        }
    }
    let _ = batches.send(batch).await;
    Ok(())
}

fn encode(
    rows: &Rows,
    own: Option<&Own>,
    transactions: &HashMap<u64, Transaction>,
    mut incoming: mpsc::Receiver<Vec<Session>>,
) -> io::Result<SortedRows<SpooledTempFile>> {
    let filter = Filter::new(&rows.selection);
    let filter = if own.is_none() { filter.with_internal() } else { filter };
    let order = Order::new(&rows.selection);
    let mut sorter = RowSorter::new(order, SpooledTempFile::new(SPOOL_IN_MEMORY));
    let mut encoded = Vec::new();
    while let Some(batch) = incoming.blocking_recv() {
        let is_own = own.map(Own::known);
        for mut session in batch {
            if is_own.as_ref().is_some_and(|is_own| is_own(&session)) {
                continue;
            }
            // Before the filter: a `sql_key` that looked at the statement would tell, one guess at a time, what stands in it.
            if rows.statements == Statements::Templates {
                session.statement = session.statement.map(|statement| template(&statement));
            }
            let row = SessionRow { session: &session, transaction: transactions.get(&session.id) };
            if !filter.keeps(&row) {
                continue;
            }
            encoded.clear();
            match (rows.form, rows.detailed) {
                (Form::Csv { formula_guard }, false) => csv::encode_row(&mut encoded, &row, formula_guard),
                (Form::Csv { formula_guard }, true) => csv::begin_row(&mut encoded, &row, formula_guard),
                (Form::Json, false) => json::encode_row(&mut encoded, &row),
                (Form::Json, true) => json::begin_row(&mut encoded, &row),
            }
            sorter.push(order.rank(&row), &encoded)?;
        }
    }
    sorter.finish()
}

fn spool_failed(error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::StoreFailed,
        format!("could not keep rows in the temporary folder {}: {error}", std::env::temp_dir().display()),
    )
}
