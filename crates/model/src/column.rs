//! Definitions of the snapshot columns (TaurusDB API spec, section 1.5) and the columns added by the `--detail` option.
//!
//! The CSV, JSON and terminal output formats use the same column definitions.

use crate::session::{SessionDetail, SessionRow};

/// Data type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Bytes, usually UTF-8.
    Text,
    /// Integer, or empty.
    Number,
}

/// Value of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Text, as received from the server.
    Text(&'a [u8]),
    /// Integer.
    Number(u64),
    /// Empty cell: the value is SQL NULL, or the column does not apply to the session.
    Empty,
}

/// Function that returns the value of a column for a session and its transaction.
pub type RowCell = for<'a> fn(&SessionRow<'a>) -> Cell<'a>;
/// Function that extracts a cell value from a [`SessionDetail`].
pub type DetailCell = fn(&SessionDetail) -> Cell<'_>;

/// Definition of an output column: names, data type, description, and a function that returns the cell value.
#[derive(Debug)]
pub struct Column<C = RowCell> {
    /// Column name in JSON, in the OpenAPI document and in English CSV headers.
    pub key: &'static str,
    /// Column name in Chinese CSV headers.
    pub label_zh: &'static str,
    /// Data type of the cells.
    pub kind: ColumnKind,
    /// One-line description.
    pub description: &'static str,
    /// Function that returns the value of the column for a row.
    pub cell: C,
}

fn to_text_cell<T: AsRef<[u8]>>(value: Option<&T>) -> Cell<'_> {
    value.map_or(Cell::Empty, |text| Cell::Text(text.as_ref()))
}

fn to_number_cell<'a>(value: Option<u64>) -> Cell<'a> {
    value.map_or(Cell::Empty, Cell::Number)
}

macro_rules! columns {
    ($($key:literal, $label_zh:literal, $kind:ident, $description:literal, $cell:expr;)+) => {
        [$(Column { key: $key, label_zh: $label_zh, kind: ColumnKind::$kind, description: $description, cell: $cell }),+]
    };
}

/// Columns of a snapshot (a list of sessions with their transactions), in output order.
pub static SESSION_SNAPSHOT_COLUMNS: [Column; 15] = columns! {
    "session_id", "会话ID", Number, "Thread id of the session, as used by KILL",
        |row| Cell::Number(row.session.id);
    "user", "用户名", Text, "Account name",
        |row| Cell::Text(&row.session.user);
    "host", "主机IP", Text, "Client address, host:port",
        |row| Cell::Text(&row.session.host);
    "database_name", "数据库名", Text, "Default database; empty if none is selected",
        |row| to_text_cell(row.session.database.as_ref());
    "execution_status", "执行状态", Text, "Thread state as reported by the server",
        |row| to_text_cell(row.session.state.as_ref());
    "command", "命令类型", Text, "Command type: Sleep, Query, …",
        |row| Cell::Text(&row.session.command);
    "sql_statement", "SQL语句", Text, "Full text of the running statement",
        |row| to_text_cell(row.session.statement.as_ref());
    "state_duration", "状态持续时间 (s)", Number, "Time in the current state, in seconds",
        |row| Cell::Number(row.session.seconds);
    "transaction_duration", "事务持续时间 (s)", Number, "Age of the open transaction, in seconds",
        |row| to_number_cell(row.transaction.map(|trx| trx.seconds));
    "transaction_id", "事务ID", Number, "Transaction id assigned by the server",
        |row| to_number_cell(row.transaction.map(|trx| trx.id));
    "transaction_lock_wait_time", "事务锁等待时长 (s)", Number, "Lock wait time of the transaction, in seconds; empty if the transaction does not wait",
        |row| to_number_cell(row.transaction.and_then(|trx| trx.lock_wait_seconds));
    "transaction_status", "事务状态", Text, "Transaction state: RUNNING, LOCK WAIT, ROLLING BACK or COMMITTING",
        |row| row.transaction.map_or(Cell::Empty, |trx| Cell::Text(trx.state.as_bytes()));
    "rows_locked_by_transactions", "事务锁定行数", Number, "Number of rows locked by the transaction, as estimated by the server",
        |row| to_number_cell(row.transaction.map(|trx| trx.rows_locked));
    "tables_locked_by_transactions", "事务锁定表数量", Number, "Number of tables locked by the transaction",
        |row| to_number_cell(row.transaction.and_then(|trx| trx.tables_locked));
    "rows_updated_by_transactions", "事务更新行数", Number, "Number of rows modified by the transaction",
        |row| to_number_cell(row.transaction.map(|trx| trx.rows_modified));
};

/// Columns that a detailed snapshot adds after [`SESSION_SNAPSHOT_COLUMNS`]. Results of collection tasks omit them.
pub static SESSION_DETAIL_COLUMNS: [Column<DetailCell>; 5] = columns! {
    "statement_digest", "SQL指纹", Text, "Statement digest computed by the server: equal for statements that differ only in literals",
        |detail| to_text_cell(detail.statement_digest.as_ref());
    "program_name", "程序名", Text, "Client program name from the connection attribute program_name; empty if the client does not send it",
        |detail| to_text_cell(detail.program_name.as_ref());
    "waits_for", "等待对象", Text, "Lock or resource that the session waits for; empty if the session is not blocked",
        |detail| to_text_cell(detail.waits_for.as_ref());
    "blocker_id", "阻塞会话ID", Number, "Id of the session that blocks this session, on the path to the root blocker",
        |detail| to_number_cell(detail.blocker_id);
    "root_blocker_id", "根阻塞会话ID", Number, "Id of the root blocker; the highest-ranked one if there are several",
        |detail| to_number_cell(detail.root_blocker_id);
};
