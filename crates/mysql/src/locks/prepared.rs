//! Transactions of no session: prepared by XA, and left.

use std::collections::HashMap;

use clew_diagnose::waits::{MetadataKind, MetadataObject, TableName};
use clew_model::{Failure, Limitation, LimitationKind, Transaction};

use super::text::text;
use crate::connection::Connection;
use crate::server::Flavor;
use crate::{doctor, statements};

/// A transaction of no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prepared {
    /// Its number.
    pub(super) transaction: u64,
    /// Its name, in the form that `XA COMMIT` and `XA ROLLBACK` take.
    pub(super) xid: Option<String>,
    /// The thread that it was prepared in; nothing if the server was started since.
    thread: Option<u64>,
    /// Tables that it has locks on.
    pub(super) tables: Vec<TableName>,
}

impl Prepared {
    /// Whether a metadata lock that is listed under a thread may belong to it.
    pub(super) fn may_own(&self, thread: u64, object: &MetadataObject) -> bool {
        let on_table = match object {
            MetadataObject { kind: MetadataKind::Table, schema: Some(schema), name: Some(name) } => {
                self.tables.iter().any(|table| table.schema == *schema && table.table == *name)
            }
            _ => false,
        };
        on_table && self.thread.is_none_or(|own| own == thread)
    }
}

/// A row of `data_locks`: transaction, thread, schema, table.
type TableRow = (u64, Option<u64>, Option<Vec<u8>>, Option<Vec<u8>>);
/// A row of `XA RECOVER`: format, lengths of the two parts of the name, both parts.
type NameRow = (i64, usize, usize, Vec<u8>);

/// All of them. Costs nothing where there are none.
pub(super) async fn read(
    connection: &mut Connection,
    transactions: &[Transaction],
    account: &str,
    locks_readable: bool,
    limitations: &mut Vec<Limitation>,
) -> Result<Vec<Prepared>, Failure> {
    let mut prepared: Vec<Prepared> = transactions
        .iter()
        .filter(|transaction| transaction.session_id == 0)
        .map(|transaction| Prepared { transaction: transaction.id, xid: None, thread: None, tables: Vec::new() })
        .collect();
    if prepared.is_empty() {
        return Ok(prepared);
    }
    if connection.flavor == Flavor::MySql && locks_readable {
        add_tables(connection, &mut prepared).await?;
    }
    match connection.ask::<NameRow>(statements::PREPARED).await {
        Ok(names) => name(&mut prepared, &names),
        Err(crate::client::Error::Server(error)) => limitations.push(no_names(&error.message, account)),
        Err(error) => return Err(connection.failed(&error)),
    }
    Ok(prepared)
}

async fn add_tables(connection: &mut Connection, prepared: &mut [Prepared]) -> Result<(), Failure> {
    let ids: Vec<u64> = prepared.iter().map(|prepared| prepared.transaction).collect();
    let rows: Vec<TableRow> =
        connection.ask(&statements::locked_tables(&ids)).await.map_err(|error| connection.failed(&error))?;
    let mut tables: HashMap<u64, Vec<TableName>> = HashMap::new();
    let mut threads = HashMap::new();
    for (transaction, thread, schema, table) in rows {
        if let (Some(schema), Some(table)) = (schema, table) {
            tables.entry(transaction).or_default().push(TableName { schema: text(schema), table: text(table) });
        }
        threads.insert(transaction, thread.filter(|&thread| thread != 0));
    }
    for prepared in prepared {
        prepared.tables = tables.remove(&prepared.transaction).unwrap_or_default();
        prepared.thread = threads.get(&prepared.transaction).copied().flatten();
    }
    Ok(())
}

/// The server does not say which name is which transaction's; with one of each there is no question.
fn name(prepared: &mut [Prepared], names: &[NameRow]) {
    if let ([prepared], [name]) = (prepared, names) {
        prepared.xid = xid(name);
    }
}

/// The name in a form that can be pasted; parts that are no plain text in hexadecimal.
fn xid((format, first, second, both): &NameRow) -> Option<String> {
    let (first, rest) = both.split_at_checked(*first)?;
    let second = rest.get(..*second)?;
    let mut printed = part(first);
    if !second.is_empty() || *format != 1 {
        printed = format!("{printed},{}", part(second));
    }
    Some(if *format == 1 { printed } else { format!("{printed},{format}") })
}

fn part(bytes: &[u8]) -> String {
    let plain = bytes.iter().all(|byte| byte.is_ascii_graphic() && !b"'\\".contains(byte));
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => format!("'{text}'"),
        _ => {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("X'{}'", digits.concat())
        }
    }
}

fn no_names(why: &str, account: &str) -> Limitation {
    Limitation {
        kind: LimitationKind::NoPreparedNames,
        what: "Names of prepared XA transactions cannot be read.".to_owned(),
        why: format!("XA RECOVER was refused: {why}"),
        remedy: Some(format!("GRANT XA_RECOVER_ADMIN ON *.* TO {};", doctor::quoted(account))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_pasted() {
        for (row, printed) in [
            ((1, 2, 0, b"g1".to_vec()), Some("'g1'")),
            ((1, 2, 1, b"g1b".to_vec()), Some("'g1','b'")),
            ((7, 2, 0, b"g1".to_vec()), Some("'g1','',7")),
            ((1, 2, 1, b"o'\x01".to_vec()), Some("X'6f27',X'01'")),
            ((1, 3, 0, b"g1".to_vec()), None),
            ((1, 2, 1, b"g1".to_vec()), None),
        ] {
            assert_eq!(xid(&row).as_deref(), printed, "{row:?}");
        }
    }
}
