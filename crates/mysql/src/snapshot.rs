//! A snapshot: all sessions of a node at one moment, joined, filtered, sorted and encoded.

mod detailed;
mod doubtful;
mod encoder;

use std::io::{self, Write};
use std::iter;

use clew_diagnose::{SortedRows, csv, json};
use clew_model::{Failure, Limitation, NodeUrl, Selection};
use serde::Serialize;
use tempfile::SpooledTempFile;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::failure;
use crate::limits::Limits;
use crate::server::Flavor;
use crate::server_instance::ServerInstance;
use crate::transactions::{BySession, Transactions};
use crate::{doctor, losses, statements, transactions};
use detailed::Details;
use encoder::{Rows, sorted_rows};

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
    /// The server that listed the sessions, where that was read.
    pub server: Option<ServerInstance>,
    /// Its rows.
    pub body: Body,
}

/// The encoded rows of a snapshot, in order.
#[derive(Debug)]
pub struct Body {
    rows: SortedRows<SpooledTempFile>,
    form: Form,
    /// What a detailed snapshot adds to each session; nothing in any other.
    details: Option<Details>,
}

impl Body {
    /// Writes all rows; `Csv` without header, `Json` without brackets. Blocks: not for a runtime's own threads. Fails where
    /// `out` does, or where the temporary file does.
    pub fn write_to(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.write_part(0, usize::MAX, out)
    }

    /// The same of at most `limit` rows, after the first `offset`.
    pub fn write_part(&mut self, offset: usize, limit: usize, out: &mut dyn Write) -> io::Result<()> {
        let separator: &[u8] = if self.form == Form::Json { b",\n" } else { b"" };
        let Some(details) = &self.details else { return self.rows.write_part(offset, limit, out, separator) };
        let form = self.form;
        self.rows.write_finished(offset, limit, out, separator, |session, row| {
            let detail = details.of(session);
            match form {
                Form::Csv { formula_guard } => csv::finish_row(row, &detail, formula_guard),
                Form::Json => json::finish_row(row, &detail),
            }
        })
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
    let rows = Rows { selection: selection.clone(), statements, form, detailed: false };
    within_limits(node, limits, Box::pin(read(whose, node, rows, limits))).await
}

/// The same of users' sessions, for a caller that may kill some of them: with the server that lists them.
pub async fn take_snapshot_with_server(
    node: &NodeUrl,
    selection: &Selection,
    statements: Statements,
    form: Form,
    limits: &Limits,
) -> Result<Snapshot, Failure> {
    let rows = Rows { selection: selection.clone(), statements, form, detailed: false };
    let reading = async {
        let mut connection = Connection::open(node, limits).await?;
        let server = connection.instance().await?;
        Ok(Snapshot { server: Some(server), ..read_from(connection, Whose::Users, rows).await? })
    };
    within_limits(node, limits, Box::pin(reading)).await
}

/// The same of users' sessions, with [`clew_model::DETAIL_COLUMNS`] after the columns of the API: digest, program, and what the
/// session waits for. Reads the locks of the node besides, over the same connection.
pub async fn take_detailed_snapshot(
    node: &NodeUrl,
    selection: &Selection,
    statements: Statements,
    form: Form,
    limits: &Limits,
) -> Result<Snapshot, Failure> {
    let rows = Rows { selection: selection.clone(), statements, form, detailed: true };
    within_limits(node, limits, Box::pin(detailed::read(node, rows, limits))).await
}

async fn within_limits(
    node: &NodeUrl,
    limits: &Limits,
    reading: impl Future<Output = Result<Snapshot, Failure>>,
) -> Result<Snapshot, Failure> {
    timeout(limits.node, failure::without_panic(node, reading))
        .await
        .unwrap_or_else(|_| Err(failure::read_timed_out(node, limits.node)))
}

/// Transactions come before sessions: what is joined must be there when the rows stream in.
async fn read(whose: Whose, node: &NodeUrl, rows: Rows, limits: &Limits) -> Result<Snapshot, Failure> {
    read_from(Connection::open(node, limits).await?, whose, rows).await
}

async fn read_from(mut connection: Connection, whose: Whose, rows: Rows) -> Result<Snapshot, Failure> {
    let mut limitations = list_limitations(&mut connection).await?;
    let transactions = match transactions::read(&mut connection).await {
        Ok(Transactions::Readable(transactions)) => BySession::new(transactions),
        Ok(Transactions::Hidden) => {
            limitations.extend(doctor::without_process(&doctor::account(&mut connection).await?));
            BySession::default()
        }
        Ok(Transactions::FromStatus(transactions)) => {
            limitations.push(doctor::part_of_transactions());
            BySession::new(transactions)
        }
        Err(error) => return Err(connection.failed(&error)),
    };
    let own = (whose == Whose::Users).then(|| connection.own_filter());
    let form = rows.form;
    let rows = sorted_rows(&mut connection, &rows, own, transactions, |_| Ok(())).await?;
    let body = Body { rows, form, details: None };
    Ok(finish(connection, body, limitations).await)
}

/// Everything was read whole.
async fn finish(mut connection: Connection, body: Body, mut limitations: Vec<Limitation>) -> Snapshot {
    limitations.append(&mut connection.limitations);
    let summary = Summary {
        server_flavor: connection.flavor,
        server_version: connection.version.clone(),
        rows: body.rows.rows(),
        limitations,
    };
    connection.close().await;
    Snapshot { summary, server: None, body }
}

/// What is missing in the process list of a MySQL server that produces it from `performance_schema`.
pub(crate) async fn list_limitations(connection: &mut Connection) -> Result<Vec<Limitation>, Failure> {
    if !show_is_cut(connection).await? {
        return Ok(Vec::new());
    }
    let missing = losses::read_of_threads(connection).await?.into_iter().map(|loss| Limitation {
        what: "Sessions may be missing in the list.".to_owned(),
        why: format!("The list is of performance_schema: performance_schema_show_processlist is ON. {}", loss.why),
        remedy: Some("SET GLOBAL performance_schema_show_processlist = OFF;".to_owned()),
        ..loss
    });
    Ok(iter::once(doctor::statements_cut()).chain(missing).collect())
}

/// Whether the server cuts statements in its process list. Asked of MySQL only; older ones do not know the question.
pub(crate) async fn show_is_cut(connection: &mut Connection) -> Result<bool, Failure> {
    if connection.flavor != Flavor::MySql {
        return Ok(false);
    }
    match connection.ask::<Option<String>>(statements::SHOW_IS_CUT).await {
        Ok(rows) => Ok(rows.first().is_some_and(|value| matches!(value.as_deref(), Some("1" | "ON")))),
        Err(crate::client::Error::Server(_)) => Ok(false),
        Err(error) => Err(connection.failed(&error)),
    }
}
