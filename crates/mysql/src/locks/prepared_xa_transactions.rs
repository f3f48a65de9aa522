//! Reads XA transactions that are in the prepared state and not attached to a session.

use std::collections::HashMap;

use clew_diagnose::lock_waits::{MetadataLockObject, MetadataLockObjectKind};
use clew_model::{Failure, Limitation, Transaction};

use super::identifiers::decode_text_column;
use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::{limitations, sql_statements};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PreparedXaTransaction {
    pub(super) transaction: u64,
    /// XID of the transaction in the syntax of `XA COMMIT` and `XA ROLLBACK`.
    pub(super) xid: Option<String>,
    /// Id of the thread that prepared the transaction, or `None` if the server has restarted since then.
    thread: Option<u64>,
    pub(super) tables: Vec<MetadataLockObject>,
}

impl PreparedXaTransaction {
    /// The server lists the metadata locks of a prepared transaction under the thread that prepared it.
    pub(super) fn may_hold_metadata_lock(&self, thread: u64, object: &MetadataLockObject) -> bool {
        self.tables.contains(object) && self.thread.is_none_or(|own| own == thread)
    }
}

/// Row of `data_locks`: transaction id, thread id, schema, and table.
type TableRow = (u64, Option<u64>, Option<Vec<u8>>, Option<Vec<u8>>);
/// Row of `XA RECOVER`: format id, length of `gtrid`, length of `bqual`, and data (`gtrid` followed by `bqual`).
type XidRow = (i64, usize, usize, Vec<u8>);

/// Returns the prepared XA transactions in `transactions`, with their XIDs and locked tables if known.
pub(super) async fn read_prepared_transactions(
    connection: &mut Connection,
    transactions: &[Transaction],
    account: &str,
    locks_readable: bool,
    limitations: &mut Vec<Limitation>,
) -> Result<Vec<PreparedXaTransaction>, Failure> {
    let mut prepared: Vec<PreparedXaTransaction> = transactions
        .iter()
        .filter(|transaction| transaction.session_id == 0)
        .map(|transaction| PreparedXaTransaction {
            transaction: transaction.id,
            xid: None,
            thread: None,
            tables: Vec::new(),
        })
        .collect();
    if prepared.is_empty() {
        return Ok(prepared);
    }
    if connection.flavor == Flavor::MySql && locks_readable {
        load_locked_tables_of_transactions(connection, &mut prepared).await?;
    }
    match connection.try_read_rows(sql_statements::XA_RECOVER_QUERY).await? {
        Ok(names) => {
            // With several XIDs, the assignment would be ambiguous: the server lists XIDs without transaction ids.
            let names: Vec<XidRow> = names;
            if let ([prepared], [name]) = (prepared.as_mut_slice(), names.as_slice()) {
                prepared.xid = format_xid(name);
            }
        }
        Err(error) => limitations.push(limitations::describe_unreadable_xids(&error.message, account)),
    }
    Ok(prepared)
}

async fn load_locked_tables_of_transactions(
    connection: &mut Connection,
    prepared: &mut [PreparedXaTransaction],
) -> Result<(), Failure> {
    let ids: Vec<u64> = prepared.iter().map(|prepared| prepared.transaction).collect();
    let rows: Vec<TableRow> = connection.read_rows(&sql_statements::locked_tables_query(&ids)).await?;
    let mut tables: HashMap<u64, Vec<MetadataLockObject>> = HashMap::new();
    let mut threads = HashMap::new();
    for (transaction, thread, schema, table) in rows {
        if let (Some(schema), Some(table)) = (schema, table) {
            let (schema, name) = (Some(decode_text_column(schema)), Some(decode_text_column(table)));
            let table = MetadataLockObject { kind: MetadataLockObjectKind::Table, schema, name };
            tables.entry(transaction).or_default().push(table);
        }
        threads.insert(transaction, thread.filter(|&thread| thread != 0));
    }
    for prepared in prepared {
        prepared.tables = tables.remove(&prepared.transaction).unwrap_or_default();
        prepared.thread = threads.get(&prepared.transaction).copied().flatten();
    }
    Ok(())
}

/// Formats an XID. Parts that are not printable ASCII are formatted as hexadecimal literals.
fn format_xid((format, first, second, both): &XidRow) -> Option<String> {
    let (first, rest) = both.split_at_checked(*first)?;
    let second = rest.get(..*second)?;
    let mut printed = format_xid_part(first);
    if !second.is_empty() || *format != 1 {
        printed = format!("{printed},{}", format_xid_part(second));
    }
    Some(if *format == 1 { printed } else { format!("{printed},{format}") })
}

fn format_xid_part(bytes: &[u8]) -> String {
    let plain = bytes.iter().all(|byte| byte.is_ascii_graphic() && !b"'\\".contains(byte));
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => format!("'{text}'"),
        _ => {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("X'{}'", digits.concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xid_is_formatted_as_a_literal() {
        for (row, printed) in [
            ((1, 2, 0, b"g1".to_vec()), Some("'g1'")),
            ((1, 2, 1, b"g1b".to_vec()), Some("'g1','b'")),
            ((7, 2, 0, b"g1".to_vec()), Some("'g1','',7")),
            ((1, 2, 1, b"o'\x01".to_vec()), Some("X'6f27',X'01'")),
            ((1, 3, 0, b"g1".to_vec()), None),
            ((1, 2, 1, b"g1".to_vec()), None),
        ] {
            assert_eq!(format_xid(&row).as_deref(), printed, "{row:?}");
        }
    }
}
