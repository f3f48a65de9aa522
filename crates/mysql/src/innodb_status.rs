//! Transactions as `SHOW ENGINE INNODB STATUS` prints them, for where the table of transactions cannot be read.
//!
//! The text is made for eyes and holds pieces of strangers' statements, so it is the second choice. It has no read-only
//! transactions and no count of locked tables.

use clew_model::{Session, Transaction};

/// Starts each transaction.
const START: &str = "---TRANSACTION ";
/// Start the line of a transaction's session.
const SESSIONS: [&str; 2] = ["MySQL thread id ", "MariaDB thread id "];

/// The open transactions of the section `TRANSACTIONS` that belong to a session.
pub(crate) fn transactions(status: &str) -> Vec<Transaction> {
    let section = status.split_once("\nTRANSACTIONS\n").map_or("", |(_, rest)| rest);
    let section = section.rsplit_once("\nFILE I/O\n").map_or(section, |(section, _)| section);
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in section.lines() {
        if line.starts_with(START) {
            blocks.push(vec![line]);
        } else if let Some(block) = blocks.last_mut() {
            block.push(line);
        }
    }
    blocks.iter().filter_map(|block| transaction(block)).collect()
}

/// `---TRANSACTION 1579, ACTIVE 1 sec …`, then lines about locks, then the session's, then its statement.
fn transaction(block: &[&str]) -> Option<Transaction> {
    let (head, rest) = block.split_first()?;
    let (id, state) = head.strip_prefix(START)?.split_once(", ACTIVE ")?;
    let session = rest.iter().position(|line| SESSIONS.iter().any(|start| line.starts_with(start)))?;
    let (about, session) = (rest.get(..session)?, rest.get(session)?);
    let locks = about.iter().find(|line| line.contains(" lock struct(s)")).copied().unwrap_or_default();
    let waits = locks.starts_with("LOCK WAIT ");
    let waited = rest.iter().find_map(|line| waited(line));
    Some(Transaction {
        session_id: number_after(session, " thread id ")?,
        id: id.parse().ok()?,
        state: if waits {
            Transaction::LOCK_WAIT.into()
        } else if locks.starts_with("ROLLING BACK ") {
            Transaction::ROLLING_BACK.into()
        } else {
            Transaction::RUNNING.into()
        },
        seconds: Session::believable_seconds(number_before(state, " sec").unwrap_or(0).into()),
        lock_wait_seconds: waits.then(|| Session::believable_seconds(waited.unwrap_or(0).into())),
        rows_locked: number_before(locks, " row lock(s)").unwrap_or(0),
        tables_locked: None,
        rows_modified: number_after(locks, "undo log entries ").unwrap_or(0),
    })
}

/// Seconds of a line about a lock wait: MySQL prints seconds, MariaDB microseconds.
fn waited(line: &str) -> Option<u64> {
    number_before(line, " SEC FOR THIS LOCK TO BE GRANTED")
        .or_else(|| Some(number_before(line, " us FOR THIS LOCK TO BE GRANTED")? / 1_000_000))
}

/// The number that stands right before `mark`.
fn number_before(text: &str, mark: &str) -> Option<u64> {
    let (before, _) = text.split_once(mark)?;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The number that stands right after `mark`.
fn number_after(text: &str, mark: &str) -> Option<u64> {
    let (_, after) = text.split_once(mark)?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What MySQL 9.7.4 printed, shortened.
    const STATUS: &str = include_str!("../fixtures/innodb-status-mysql-9.7.txt");

    #[test]
    fn a_holder_and_its_waiter_are_read_and_idle_ones_left_out() {
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
        assert_eq!(transactions(STATUS), [waiter, holder]);
    }

    #[test]
    fn text_that_is_no_status_has_no_transactions() {
        for text in
            ["", "TRANSACTIONS", "\nTRANSACTIONS\n", "\nTRANSACTIONS\n---TRANSACTION x, ACTIVE y sec\nMySQL thread id"]
        {
            assert_eq!(transactions(text), [], "{text:?}");
        }
        let of_mariadb = STATUS.replace("\nMySQL thread id ", "\nMariaDB thread id ");
        let of_mariadb = of_mariadb.replace(" SEC FOR THIS LOCK", "000000 us FOR THIS LOCK");
        assert!(of_mariadb != STATUS && transactions(&of_mariadb) == transactions(STATUS));
        let cut = STATUS.get(..STATUS.find("MySQL thread id 46").unwrap()).unwrap();
        assert_eq!(transactions(cut).len(), 1);
    }
}
