//! Column table: the columns of a snapshot (spec section 1.5), and the columns that `--detail` adds.
//!
//! CSV, JSON, terminal output, the OpenAPI description and the page use this table.

use crate::detail::SessionDetail;
use crate::session::SessionRow;

/// Type of the cells of a column.
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
    /// SQL NULL, or a value that does not apply to the row.
    Empty,
}

/// Function that returns the cell of a session and its transaction.
pub type RowCell = for<'a> fn(&SessionRow<'a>) -> Cell<'a>;
/// Function that returns the cell of a session's details.
pub type DetailCell = fn(&SessionDetail) -> Cell<'_>;

/// Column: names, type, and the function that returns its cells.
#[derive(Debug)]
pub struct Column<C = RowCell> {
    /// Name in CSV headers (en-us), in JSON and in the OpenAPI description.
    pub key: &'static str,
    /// Header in zh-cn.
    pub label_zh: &'static str,
    /// Type of the cells.
    pub kind: ColumnKind,
    /// Description in one line.
    pub description: &'static str,
    /// Function that returns the cell of a row.
    pub cell: C,
}

fn text_cell<T: AsRef<[u8]>>(value: Option<&T>) -> Cell<'_> {
    value.map_or(Cell::Empty, |text| Cell::Text(text.as_ref()))
}

fn number_cell<'a>(value: Option<u64>) -> Cell<'a> {
    value.map_or(Cell::Empty, Cell::Number)
}

/// Columns of a collection, in order.
pub static COLUMNS: [Column; 15] = [
    Column {
        key: "session_id",
        label_zh: "会话ID",
        kind: ColumnKind::Number,
        description: "Thread id of the session, the number that KILL takes",
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
        description: "Default database; empty if none was chosen",
        cell: |row| text_cell(row.session.database.as_ref()),
    },
    Column {
        key: "execution_status",
        label_zh: "执行状态",
        kind: ColumnKind::Text,
        description: "What the thread is doing now",
        cell: |row| text_cell(row.session.state.as_ref()),
    },
    Column {
        key: "command",
        label_zh: "命令类型",
        kind: ColumnKind::Text,
        description: "Kind of command: Sleep, Query, …",
        cell: |row| Cell::Text(&row.session.command),
    },
    Column {
        key: "sql_statement",
        label_zh: "SQL语句",
        kind: ColumnKind::Text,
        description: "The running statement, whole",
        cell: |row| text_cell(row.session.statement.as_ref()),
    },
    Column {
        key: "state_duration",
        label_zh: "状态持续时间 (s)",
        kind: ColumnKind::Number,
        description: "Seconds in the current state",
        cell: |row| Cell::Number(row.session.seconds),
    },
    Column {
        key: "transaction_duration",
        label_zh: "事务持续时间 (s)",
        kind: ColumnKind::Number,
        description: "Seconds since the open transaction began",
        cell: |row| number_cell(row.transaction.map(|trx| trx.seconds)),
    },
    Column {
        key: "transaction_id",
        label_zh: "事务ID",
        kind: ColumnKind::Number,
        description: "The server's number of the open transaction",
        cell: |row| number_cell(row.transaction.map(|trx| trx.id)),
    },
    Column {
        key: "transaction_lock_wait_time",
        label_zh: "事务锁等待时长 (s)",
        kind: ColumnKind::Number,
        description: "Seconds that the transaction has waited for a lock; empty if it does not wait",
        cell: |row| number_cell(row.transaction.and_then(|trx| trx.lock_wait_seconds)),
    },
    Column {
        key: "transaction_status",
        label_zh: "事务状态",
        kind: ColumnKind::Text,
        description: "RUNNING, LOCK WAIT, ROLLING BACK or COMMITTING",
        cell: |row| row.transaction.map_or(Cell::Empty, |trx| Cell::Text(trx.state.as_bytes())),
    },
    Column {
        key: "rows_locked_by_transactions",
        label_zh: "事务锁定行数",
        kind: ColumnKind::Number,
        description: "Rows that the transaction has locked, as the server estimates them",
        cell: |row| number_cell(row.transaction.map(|trx| trx.rows_locked)),
    },
    Column {
        key: "tables_locked_by_transactions",
        label_zh: "事务锁定表数量",
        kind: ColumnKind::Number,
        description: "Tables that the transaction has locked",
        cell: |row| number_cell(row.transaction.and_then(|trx| trx.tables_locked)),
    },
    Column {
        key: "rows_updated_by_transactions",
        label_zh: "事务更新行数",
        kind: ColumnKind::Number,
        description: "Rows that the transaction has changed",
        cell: |row| number_cell(row.transaction.map(|trx| trx.rows_modified)),
    },
];

/// Additional columns of a detailed snapshot, in order, after [`COLUMNS`]. The API does not return them.
pub static DETAIL_COLUMNS: [Column<DetailCell>; 5] = [
    Column {
        key: "statement_digest",
        label_zh: "SQL指纹",
        kind: ColumnKind::Text,
        description: "The server's own digest of the running statement: equal for statements that differ in literals only",
        cell: |detail| text_cell(detail.statement_digest.as_ref()),
    },
    Column {
        key: "program_name",
        label_zh: "程序名",
        kind: ColumnKind::Text,
        description: "The program that opened the session, by its own word; empty if it did not say",
        cell: |detail| text_cell(detail.program_name.as_ref()),
    },
    Column {
        key: "waits_for",
        label_zh: "等待对象",
        kind: ColumnKind::Text,
        description: "What the session waits for that another one holds; empty if it waits for nobody",
        cell: |detail| text_cell(detail.waits_for.as_ref()),
    },
    Column {
        key: "blocker_id",
        label_zh: "阻塞会话ID",
        kind: ColumnKind::Number,
        description: "The session for which it waits, on the way to the root blocker",
        cell: |detail| number_cell(detail.blocker_id),
    },
    Column {
        key: "root_blocker_id",
        label_zh: "根阻塞会话ID",
        kind: ColumnKind::Number,
        description: "The session at the root of the wait: the first by rank if there are several",
        cell: |detail| number_cell(detail.root_blocker_id),
    },
];
