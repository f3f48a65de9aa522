//! Parses transactions from `SHOW ENGINE INNODB STATUS`, which Clew runs if `innodb_trx` is unreadable or a start time is ambiguous.
//!
//! The output of `SHOW ENGINE INNODB STATUS` has no stable format and contains parts of SQL statements.
//! `SHOW ENGINE INNODB STATUS` omits read-only transactions and the number of tables that a transaction has locked.

use clew_model::{Session, Transaction};

const TRANSACTION_LINE_PREFIX: &str = "---TRANSACTION ";
const SESSION_LINE_PREFIXES: [&str; 2] = ["MySQL thread id ", "MariaDB thread id "];

/// Skips transactions without a session.
pub(crate) fn parse_transactions(status: &str) -> Vec<Transaction> {
    let section = status.split_once("\nTRANSACTIONS\n").map_or("", |(_, rest)| rest);
    let section = section.rsplit_once("\nFILE I/O\n").map_or(section, |(section, _)| section);
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in section.lines() {
        if line.starts_with(TRANSACTION_LINE_PREFIX) {
            blocks.push(vec![line]);
        } else if let Some(block) = blocks.last_mut() {
            block.push(line);
        }
    }
    blocks.iter().filter_map(|block| parse_transaction(block)).collect()
}

/// Parses a transaction, whose first line has the form `---TRANSACTION 1579, ACTIVE 1 sec …`.
fn parse_transaction(block: &[&str]) -> Option<Transaction> {
    let (head, rest) = block.split_first()?;
    let (id, state) = head.strip_prefix(TRANSACTION_LINE_PREFIX)?.split_once(", ACTIVE ")?;
    let session = rest.iter().position(|line| SESSION_LINE_PREFIXES.iter().any(|start| line.starts_with(start)))?;
    let (about, session) = (rest.get(..session)?, rest.get(session)?);
    let locks = about.iter().find(|line| line.contains(" lock struct(s)")).copied().unwrap_or_default();
    let waits = locks.starts_with("LOCK WAIT ");
    let waited = rest.iter().find_map(|line| parse_lock_wait_seconds(line));
    Some(Transaction {
        session_id: parse_number_after_marker(session, " thread id ")?,
        id: id.parse().ok()?,
        state: if waits {
            Transaction::TRANSACTION_STATE_LOCK_WAIT.into()
        } else if locks.starts_with("ROLLING BACK ") {
            Transaction::TRANSACTION_STATE_ROLLING_BACK.into()
        } else {
            Transaction::TRANSACTION_STATE_RUNNING.into()
        },
        seconds: Session::sanitize_duration_seconds(parse_number_before_marker(state, " sec").unwrap_or(0).into()),
        lock_wait_seconds: waits.then(|| Session::sanitize_duration_seconds(waited.unwrap_or(0).into())),
        rows_locked: parse_number_before_marker(locks, " row lock(s)").unwrap_or(0),
        tables_locked: None,
        rows_modified: parse_number_after_marker(locks, "undo log entries ").unwrap_or(0),
    })
}

/// MySQL prints lock wait times in seconds; MariaDB prints them in microseconds.
fn parse_lock_wait_seconds(line: &str) -> Option<u64> {
    parse_number_before_marker(line, " SEC FOR THIS LOCK TO BE GRANTED")
        .or_else(|| Some(parse_number_before_marker(line, " us FOR THIS LOCK TO BE GRANTED")? / 1_000_000))
}

fn parse_number_before_marker(text: &str, mark: &str) -> Option<u64> {
    let (before, _) = text.split_once(mark)?;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn parse_number_after_marker(text: &str, mark: &str) -> Option<u64> {
    let (_, after) = text.split_once(mark)?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shortened output of MySQL 9.7.4.
    const STATUS: &str = include_str!("../fixtures/innodb-status-mysql-9.7.txt");

    #[test]
    fn holder_and_waiter_are_parsed_without_idle_transactions() {
        let holder = Transaction {
            session_id: 46,
            id: 1576,
            state: "RUNNING".into(),
            seconds: 2,
            lock_wait_seconds: None,
            rows_locked: 4,
            tables_locked: None,
            rows_modified: 3,
        };
        let waiter = Transaction {
            session_id: 47,
            id: 1579,
            state: "LOCK WAIT".into(),
            seconds: 1,
            lock_wait_seconds: Some(1),
            rows_locked: 1,
            tables_locked: None,
            rows_modified: 0,
        };
        assert_eq!(parse_transactions(STATUS), [waiter, holder]);
    }

    #[test]
    fn malformed_status_has_no_transactions() {
        for text in
            ["", "TRANSACTIONS", "\nTRANSACTIONS\n", "\nTRANSACTIONS\n---TRANSACTION x, ACTIVE y sec\nMySQL thread id"]
        {
            assert_eq!(parse_transactions(text), [], "{text:?}");
        }
        let of_mariadb = STATUS.replace("\nMySQL thread id ", "\nMariaDB thread id ");
        let of_mariadb = of_mariadb.replace(" SEC FOR THIS LOCK", "000000 us FOR THIS LOCK");
        assert!(of_mariadb != STATUS && parse_transactions(&of_mariadb) == parse_transactions(STATUS));
        let cut = STATUS.get(..STATUS.find("MySQL thread id 46").unwrap()).unwrap();
        assert_eq!(parse_transactions(cut).len(), 1);
    }
}
