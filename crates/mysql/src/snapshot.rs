//! A snapshot: all sessions of a node at one moment, joined, filtered, sorted and encoded.

use std::collections::HashMap;
use std::io::{self, Write};

use clew_diagnose::{Filter, Order, RowSorter, SortedRows, csv, json, template};
use clew_model::{Failure, FailureKind, Limitation, NodeUrl, Selection, Session, SessionRow, Transaction};
use serde::Serialize;
use tempfile::SpooledTempFile;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::failure;
use crate::limits::Limits;
use crate::own_sessions::Own;
use crate::server::Flavor;
use crate::transactions::{Transactions, by_session};
use crate::{doctor, sessions, statements, transactions};

/// Encoded rows stay in memory up to this many bytes, then go to a temporary file.
const SPOOL_IN_MEMORY: usize = 1 << 20;
/// Sessions travel from the reader to the encoder in batches of at most this many …
const BATCH_ROWS: usize = 256;
/// … and about this many bytes of statements.
const BATCH_BYTES: usize = 1 << 20;

/// How rows are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As CSV without a header row.
    Csv {
        /// Whether text that a spreadsheet would take for a formula is disarmed.
        formula_guard: bool,
    },
    /// As JSON objects with commas between them.
    Json,
}

/// How much of each statement a snapshot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statements {
    /// All of it.
    Whole,
    /// Its template, without a literal (see [`clew_diagnose::template`]). The filter `sql_key` then looks at the template.
    Templates,
}

impl Statements {
    /// Templates where statements are masked.
    #[must_use]
    pub fn masked(masked: bool) -> Self {
        if masked { Self::Templates } else { Self::Whole }
    }
}

/// Whose sessions a snapshot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of users.
    Users,
    /// Internal ones too, Clew's own among them.
    Everybody,
}

/// What a snapshot is of, and what it could not show.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Family of the server.
    pub server_flavor: Flavor,
    /// Its version, as it prints it.
    pub server_version: String,
    /// How many sessions the snapshot has.
    pub rows: u64,
    /// What it could not show, and why.
    pub limitations: Vec<Limitation>,
}

/// A snapshot whose rows wait to be written.
#[derive(Debug)]
pub struct Snapshot {
    /// What it is of.
    pub summary: Summary,
    /// Its rows.
    pub body: Body,
}

/// The encoded rows of a snapshot, in order.
#[derive(Debug)]
pub struct Body {
    rows: SortedRows<SpooledTempFile>,
    separator: &'static [u8],
}

impl Body {
    /// Writes all rows; `Csv` without header, `Json` without brackets. Blocks: not for a runtime's own threads. Fails where
    /// `out` does, or where the temporary file does.
    pub fn write_to(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.rows.write_to(out, self.separator)
    }

    /// The same of at most `limit` rows, after the first `offset`.
    pub fn write_part(&mut self, offset: usize, limit: usize, out: &mut dyn Write) -> io::Result<()> {
        self.rows.write_part(offset, limit, out, self.separator)
    }
}

/// Takes a snapshot of a node.
///
/// Fails with the reason, within the limits. What was under way on the server when this fails or is dropped is killed there,
/// in the background ([`crate::settle_kills`] waits for that).
pub async fn take_snapshot(
    node: &NodeUrl,
    selection: &Selection,
    statements: Statements,
    form: Form,
    limits: &Limits,
) -> Result<Snapshot, Failure> {
    take_snapshot_of(Whose::Users, node, selection, statements, form, limits).await
}

/// The same, with internal sessions if they are wanted.
pub async fn take_snapshot_of(
    whose: Whose,
    node: &NodeUrl,
    selection: &Selection,
    statements: Statements,
    form: Form,
    limits: &Limits,
) -> Result<Snapshot, Failure> {
    timeout(limits.node, failure::without_panic(node, read(whose, node, selection, statements, form, limits)))
        .await
        .unwrap_or_else(|_| Err(failure::timed_out(&node.address(), "reading sessions", limits.node)))
}

/// Transactions come before sessions: what is joined must be there when the rows stream in.
async fn read(
    whose: Whose,
    node: &NodeUrl,
    selection: &Selection,
    statements: Statements,
    form: Form,
    limits: &Limits,
) -> Result<Snapshot, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let mut limitations = Vec::new();
    if show_is_cut(&mut connection).await? {
        limitations.push(doctor::statements_cut());
    }
    let transactions = match transactions::read(&mut connection).await {
        Ok(Transactions::Readable(transactions)) => by_session(transactions),
        Ok(Transactions::Hidden) => {
            limitations.extend(doctor::without_process(&doctor::account(&mut connection).await?));
            HashMap::new()
        }
        Ok(Transactions::FromStatus(transactions)) => {
            limitations.push(doctor::part_of_transactions());
            by_session(transactions)
        }
        Err(error) => return Err(connection.failed(&error)),
    };
    let own = (whose == Whose::Users).then(|| connection.own());
    let (batches, encoder) = start_encoder(selection.clone(), statements, own, transactions, form);
    let streamed = stream(&mut connection, batches).await;
    let sorted = encoder.await.map_err(|error| spool_failed(&io::Error::other(error)))?;
    streamed?;
    let rows = sorted.map_err(|error| spool_failed(&error))?;
    let summary = Summary {
        server_flavor: connection.flavor,
        server_version: connection.version.clone(),
        rows: rows.rows(),
        limitations,
    };
    connection.close().await;
    let separator: &[u8] = if form == Form::Json { b",\n" } else { b"" };
    Ok(Snapshot { summary, body: Body { rows, separator } })
}

/// Whether the server cuts statements in its process list. Asked of MySQL only; older ones do not know the question.
pub(crate) async fn show_is_cut(connection: &mut Connection) -> Result<bool, Failure> {
    if connection.flavor != Flavor::MySql {
        return Ok(false);
    }
    match connection.ask::<Option<String>>(statements::SHOW_IS_CUT).await {
        Ok(rows) => Ok(rows.first().is_some_and(|value| matches!(value.as_deref(), Some("1" | "ON")))),
        Err(mysql_async::Error::Server(_)) => Ok(false),
        Err(error) => Err(connection.failed(&error)),
    }
}

/// Hands sessions on in batches. A reader that is faster than the encoder waits for it; an encoder that failed ends it.
async fn stream(connection: &mut Connection, batches: mpsc::Sender<Vec<Session>>) -> Result<(), Failure> {
    let address = connection.address.clone();
    let lost = |error: mysql_async::Error| failure::from_driver(&error, &address);
    let mut sessions = sessions::read(connection).await.map_err(lost)?;
    let mut batch = Vec::new();
    let mut bytes = 0;
    while let Some(session) = sessions.next().await.map_err(lost)? {
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

type Encoder = JoinHandle<io::Result<SortedRows<SpooledTempFile>>>;

/// Joining, filtering and encoding happen beside the reading, off the runtime's threads. Without own sessions everybody's are shown.
fn start_encoder(
    selection: Selection,
    statements: Statements,
    own: Option<Own>,
    transactions: HashMap<u64, Transaction>,
    form: Form,
) -> (mpsc::Sender<Vec<Session>>, Encoder) {
    let (batches, mut incoming) = mpsc::channel::<Vec<Session>>(2);
    let encoder = tokio::task::spawn_blocking(move || {
        let filter = Filter::new(&selection);
        let filter = if own.is_none() { filter.with_internal() } else { filter };
        let order = Order::new(&selection);
        let mut sorter = RowSorter::new(order, SpooledTempFile::new(SPOOL_IN_MEMORY));
        let mut encoded = Vec::new();
        while let Some(batch) = incoming.blocking_recv() {
            let is_own = own.as_ref().map(Own::known);
            for mut session in batch {
                if is_own.as_ref().is_some_and(|is_own| is_own(&session)) {
                    continue;
                }
                // Before the filter: a `sql_key` that looked at the statement would tell, one guess at a time, what stands in it.
                if statements == Statements::Templates {
                    session.statement = session.statement.map(|statement| template(&statement));
                }
                let row = SessionRow { session: &session, transaction: transactions.get(&session.id) };
                if !filter.keeps(&row) {
                    continue;
                }
                encoded.clear();
                match form {
                    Form::Csv { formula_guard } => csv::encode_row(&mut encoded, &row, formula_guard),
                    Form::Json => json::encode_row(&mut encoded, &row),
                }
                sorter.push(order.rank(&row), &encoded)?;
            }
        }
        sorter.finish()
    });
    (batches, encoder)
}

fn spool_failed(error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::StoreFailed,
        format!("could not keep rows in the temporary folder {}: {error}", std::env::temp_dir().display()),
    )
}
