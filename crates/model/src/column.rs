//! Definitions of the snapshot columns (TaurusDB API spec, section 1.5) and the columns added by the `--detail` option.
//!
//! CSV, JSON, terminal output, the OpenAPI document and the web page share the column definitions.

use crate::session::SessionRow;
use crate::session_detail::SessionDetail;

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
    /// The value is SQL NULL, or the column does not apply to the row.
    Empty,
}

/// Function that extracts a cell value from a session and its transaction.
pub type RowCell = for<'a> fn(&SessionRow<'a>) -> Cell<'a>;
/// Function that extracts a cell value from a [`SessionDetail`].
pub type DetailCell = fn(&SessionDetail) -> Cell<'_>;

/// Column definition with names, data type, description and cell accessor.
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
    /// Function that returns the value of this column for a given session.
    pub cell: C,
}

fn to_text_cell<T: AsRef<[u8]>>(value: Option<&T>) -> Cell<'_> {
    value.map_or(Cell::Empty, |text| Cell::Text(text.as_ref()))
}

fn to_number_cell<'a>(value: Option<u64>) -> Cell<'a> {
    value.map_or(Cell::Empty, Cell::Number)
}

/// Columns of a snapshot (a list of sessions with their transactions), in output order.
pub static SESSION_SNAPSHOT_COLUMNS: [Column; 15] = [
    Column {
        key: "session_id",
        label_zh: "会话ID",
        kind: ColumnKind::Number,
        description: "Thread id of the session, as used by KILL",
        cell: |row| Cell::Number(row.session.id),
    },
    Column {
        key: "user",
        label_zh: "用户名",
        kind: ColumnKind::Text,
        description: "Account name",
        cell: |row| Cell::Text(&row.session.user),
    },
    Column {
        key: "host",
        label_zh: "主机IP",
        kind: ColumnKind::Text,
        description: "Client address, host:port",
        cell: |row| Cell::Text(&row.session.host),
    },
    Column {
        key: "database_name",
        label_zh: "数据库名",
        kind: ColumnKind::Text,
        description: "Default database; empty if none is selected",
        cell: |row| to_text_cell(row.session.database.as_ref()),
    },
    Column {
        key: "execution_status",
        label_zh: "执行状态",
        kind: ColumnKind::Text,
        description: "Thread state as reported by the server",
        cell: |row| to_text_cell(row.session.state.as_ref()),
    },
    Column {
        key: "command",
        label_zh: "命令类型",
        kind: ColumnKind::Text,
        description: "Command type: Sleep, Query, …",
        cell: |row| Cell::Text(&row.session.command),
    },
    Column {
        key: "sql_statement",
        label_zh: "SQL语句",
        kind: ColumnKind::Text,
        description: "Full text of the running statement",
        cell: |row| to_text_cell(row.session.statement.as_ref()),
    },
    Column {
        key: "state_duration",
        label_zh: "状态持续时间 (s)",
        kind: ColumnKind::Number,
        description: "Time in the current state, in seconds",
        cell: |row| Cell::Number(row.session.seconds),
    },
    Column {
        key: "transaction_duration",
        label_zh: "事务持续时间 (s)",
        kind: ColumnKind::Number,
        description: "Age of the open transaction, in seconds",
        cell: |row| to_number_cell(row.transaction.map(|trx| trx.seconds)),
    },
    Column {
        key: "transaction_id",
        label_zh: "事务ID",
        kind: ColumnKind::Number,
        description: "Transaction id assigned by the server",
        cell: |row| to_number_cell(row.transaction.map(|trx| trx.id)),
    },
    Column {
        key: "transaction_lock_wait_time",
        label_zh: "事务锁等待时长 (s)",
        kind: ColumnKind::Number,
        description: "Lock wait time of the transaction, in seconds; empty if the transaction does not wait",
        cell: |row| to_number_cell(row.transaction.and_then(|trx| trx.lock_wait_seconds)),
    },
    Column {
        key: "transaction_status",
        label_zh: "事务状态",
        kind: ColumnKind::Text,
        description: "Transaction state: RUNNING, LOCK WAIT, ROLLING BACK or COMMITTING",
        cell: |row| row.transaction.map_or(Cell::Empty, |trx| Cell::Text(trx.state.as_bytes())),
    },
    Column {
        key: "rows_locked_by_transactions",
        label_zh: "事务锁定行数",
        kind: ColumnKind::Number,
        description: "Number of rows locked by the transaction, as estimated by the server",
        cell: |row| to_number_cell(row.transaction.map(|trx| trx.rows_locked)),
    },
    Column {
        key: "tables_locked_by_transactions",
        label_zh: "事务锁定表数量",
        kind: ColumnKind::Number,
        description: "Number of tables locked by the transaction",
        cell: |row| to_number_cell(row.transaction.and_then(|trx| trx.tables_locked)),
    },
    Column {
        key: "rows_updated_by_transactions",
        label_zh: "事务更新行数",
        kind: ColumnKind::Number,
        description: "Number of rows modified by the transaction",
        cell: |row| to_number_cell(row.transaction.map(|trx| trx.rows_modified)),
    },
];

/// Columns that a detailed snapshot adds after [`SESSION_SNAPSHOT_COLUMNS`]. API responses omit the added columns.
pub static SESSION_DETAIL_COLUMNS: [Column<DetailCell>; 5] = [
    Column {
        key: "statement_digest",
        label_zh: "SQL指纹",
        kind: ColumnKind::Text,
        description: "Statement digest computed by the server: equal for statements that differ only in literals",
        cell: |detail| to_text_cell(detail.statement_digest.as_ref()),
    },
    Column {
        key: "program_name",
        label_zh: "程序名",
        kind: ColumnKind::Text,
        description: "Client program name from the connection attribute program_name; empty if the client does not send it",
        cell: |detail| to_text_cell(detail.program_name.as_ref()),
    },
    Column {
        key: "waits_for",
        label_zh: "等待对象",
        kind: ColumnKind::Text,
        description: "Lock or resource that the session waits for; empty if the session is not blocked",
        cell: |detail| to_text_cell(detail.waits_for.as_ref()),
    },
    Column {
        key: "blocker_id",
        label_zh: "阻塞会话ID",
        kind: ColumnKind::Number,
        description: "Id of the session that blocks this session, on the path to the root blocker",
        cell: |detail| to_number_cell(detail.blocker_id),
    },
    Column {
        key: "root_blocker_id",
        label_zh: "根阻塞会话ID",
        kind: ColumnKind::Number,
        description: "Id of the root blocker; the highest-ranked one if there are several",
        cell: |detail| to_number_cell(detail.root_blocker_id),
    },
];
