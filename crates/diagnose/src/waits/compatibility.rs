//! Which metadata lock stands in the way of which.
//!
//! The rules are those that the servers document in their metadata-lock subsystem. One table serves MySQL and MariaDB, objects
//! and scopes: `INTENTION_EXCLUSIVE` occurs on scopes only, `SHARED_WRITE_LOW_PRIO` on MySQL only, and where both occur they
//! agree. MariaDB's backup lock has modes, and so a table, of its own. Left out is that a server turns priorities round after
//! `max_write_lock_count` grants in a row, which by default never comes.

use super::metadata::MetadataMode;

/// Rows: what is asked for. Columns: what others hold, in the order of [`MetadataMode::ALL`]. `-` stands in the way.
const HELD: [&[u8]; 11] = [
    //   IX S SH SR SW LP SU RO NW RW X
    b"+ - + + + + + + + + -", // INTENTION_EXCLUSIVE
    b"- + + + + + + + + + -", // SHARED
    b"+ + + + + + + + + + -", // SHARED_HIGH_PRIO
    b"+ + + + + + + + + - -", // SHARED_READ
    b"+ + + + + + + - - - -", // SHARED_WRITE
    b"+ + + + + + + - - - -", // SHARED_WRITE_LOW_PRIO
    b"+ + + + + + - + - - -", // SHARED_UPGRADABLE
    b"+ + + + - - + + + - -", // SHARED_READ_ONLY
    b"+ + + + - - - + - - -", // SHARED_NO_WRITE
    b"+ + + - - - - - - - -", // SHARED_NO_READ_WRITE
    b"- - - - - - - - - - -", // EXCLUSIVE
];

/// The same for what others ask for, and therefore stand before the request in the queue.
const ASKED: [&[u8]; 11] = [
    //   IX S SH SR SW LP SU RO NW RW X
    b"+ - + + + + + + + + -", // INTENTION_EXCLUSIVE
    b"+ + + + + + + + + + -", // SHARED
    b"+ + + + + + + + + + +", // SHARED_HIGH_PRIO
    b"+ + + + + + + + + - -", // SHARED_READ
    b"+ + + + + + + + - - -", // SHARED_WRITE
    b"+ + + + + + + - - - -", // SHARED_WRITE_LOW_PRIO
    b"+ + + + + + + + + + -", // SHARED_UPGRADABLE
    b"+ + + + - + + + + - -", // SHARED_READ_ONLY
    b"+ + + + + + + + + + -", // SHARED_NO_WRITE
    b"+ + + + + + + + + + -", // SHARED_NO_READ_WRITE
    b"+ + + + + + + + + + +", // EXCLUSIVE
];

/// MariaDB's backup lock: rows ask, columns hold.
const BACKUP_HELD: [&[u8]; 14] = [
    //   S0 S1 S2 S3 S4 F1 F2 D TD SD DD BL AC C
    b"- - - - - + + + + + + - + +", // BACKUP_START
    b"- + + + + + + + + + + + + +", // BACKUP_FLUSH
    b"- + + + + + + - + + + + + +", // BACKUP_WAIT_FLUSH
    b"- + + + + + + - + + - + + +", // BACKUP_WAIT_DDL
    b"- + + + + + + - + - - + + -", // BACKUP_WAIT_COMMIT
    b"+ + + + + + + - - - - + - +", // BACKUP_FTWRL1
    b"+ + + + + + + - - - - + - -", // BACKUP_FTWRL2
    b"+ - - - - - - + + + + + + +", // BACKUP_DML
    b"+ + + + + - - + + + + + + +", // BACKUP_TRANS_DML
    b"+ + + + - - - + + + + + + +", // BACKUP_SYS_DML
    b"+ + + - - - - + + + + - + +", // BACKUP_DDL
    b"- - - - - + + + + + - - + +", // BACKUP_BLOCK_DDL
    b"+ + + + + - - + + + + + + +", // BACKUP_ALTER_COPY
    b"+ + + + - + - + + + + + + +", // BACKUP_COMMIT
];

/// The same for what others ask for.
const BACKUP_ASKED: [&[u8]; 14] = [
    //   S0 S1 S2 S3 S4 F1 F2 D TD SD DD BL AC C
    b"+ - - - - + + + + + + - + +", // BACKUP_START
    b"+ + + + + + + + + + + + + +", // BACKUP_FLUSH
    b"+ + + + + + + + + + + + + +", // BACKUP_WAIT_FLUSH
    b"+ + + + + + + + + + + + + +", // BACKUP_WAIT_DDL
    b"+ + + + + + + + + + + + + +", // BACKUP_WAIT_COMMIT
    b"+ + + + + + + + + + + + + +", // BACKUP_FTWRL1
    b"+ + + + + + + + + + + + + +", // BACKUP_FTWRL2
    b"+ - - - - - - + + + + + + +", // BACKUP_DML
    b"+ + + + + - - + + + + + + +", // BACKUP_TRANS_DML
    b"+ + + + - - - + + + + + + +", // BACKUP_SYS_DML
    b"+ + + - - - - + + + + - + +", // BACKUP_DDL
    b"- + + + + + + + + + + + + +", // BACKUP_BLOCK_DDL
    b"+ + + + + - - + + + + + + +", // BACKUP_ALTER_COPY
    b"+ + + + - + - + + + + + + +", // BACKUP_COMMIT
];

/// Whether a request has to wait for a lock of that mode that another session holds on the same object.
pub(super) fn waits_for_held(wanted: MetadataMode, held: MetadataMode) -> bool {
    conflicts(&HELD, &BACKUP_HELD, wanted, held)
}

/// Whether a request has to wait as long as another session asks for that mode on the same object.
pub(super) fn waits_for_asked(wanted: MetadataMode, asked: MetadataMode) -> bool {
    conflicts(&ASKED, &BACKUP_ASKED, wanted, asked)
}

/// Modes of different tables never meet on one object.
fn conflicts(plain: &[&[u8]], backup: &[&[u8]], row: MetadataMode, column: MetadataMode) -> bool {
    let first_backup = MetadataMode::BackupStart as usize;
    let (row, column) = (row as usize, column as usize);
    let (table, row, column) = match (row.checked_sub(first_backup), column.checked_sub(first_backup)) {
        (None, None) => (plain, row, column),
        (Some(row), Some(column)) => (backup, row, column),
        _ => return false,
    };
    table.get(row).and_then(|cells| cells.get(column * 2)) == Some(&b'-')
}

#[cfg(test)]
mod tests {
    use MetadataMode::*;

    use super::*;

    #[test]
    fn every_row_has_a_cell_for_every_mode() {
        let first_backup = BackupStart as usize;
        for (table, width) in [
            (&HELD[..], first_backup),
            (&ASKED[..], first_backup),
            (&BACKUP_HELD[..], MetadataMode::ALL.len() - first_backup),
            (&BACKUP_ASKED[..], MetadataMode::ALL.len() - first_backup),
        ] {
            assert_eq!(table.len(), width);
            for row in table {
                let cells: Vec<_> = row.split(|&byte| byte == b' ').collect();
                assert_eq!(cells.len(), width);
                assert!(cells.iter().all(|cell| cell == b"+" || cell == b"-"));
            }
        }
    }

    /// Two sessions cannot hold what excludes each other, whoever came first.
    #[test]
    fn holding_excludes_both_ways_on_objects_and_scopes() {
        let first_backup = BackupStart as usize;
        for &one in &MetadataMode::ALL[..first_backup] {
            for &other in &MetadataMode::ALL[..first_backup] {
                assert_eq!(waits_for_held(one, other), waits_for_held(other, one), "{one:?} {other:?}");
            }
        }
    }

    /// What the servers rely on themselves: what waits stands in the way of nobody whom it would not block once granted.
    #[test]
    fn nothing_waits_for_a_request_that_it_would_not_wait_for_once_granted() {
        for &wanted in MetadataMode::ALL {
            for &other in MetadataMode::ALL {
                assert!(!waits_for_asked(wanted, other) || waits_for_held(wanted, other), "{wanted:?} {other:?}");
            }
        }
    }

    /// Each was seen on MySQL 9.7.4 or MariaDB 10.11.19 (spec/waits.md).
    #[test]
    fn what_was_seen_on_servers_is_what_the_table_says() {
        for (wanted, held) in [
            (IntentionExclusive, Shared),
            (SharedRead, SharedNoReadWrite),
            (Exclusive, SharedRead),
            (Exclusive, SharedWrite),
            (Exclusive, Exclusive),
            (SharedNoWrite, SharedNoWrite),
            (BackupTransDml, BackupFtwrl1),
            (BackupDdl, BackupBlockDdl),
        ] {
            assert!(waits_for_held(wanted, held), "{wanted:?} {held:?}");
        }
        assert!(waits_for_asked(SharedRead, Exclusive), "a reader behind an ALTER that waits");
        assert!(!waits_for_asked(SharedHighPrio, Exclusive), "information_schema does not queue");
        assert!(!waits_for_asked(Exclusive, Exclusive), "the second ALTER waits for who holds, not for the first");
        assert!(!waits_for_held(SharedRead, SharedWrite) && !waits_for_held(SharedWrite, SharedWrite));
        assert!(!waits_for_held(SharedRead, SharedUpgradable), "ALTER's first lock lets everybody read");
        assert!(!waits_for_held(BackupTransDml, BackupDdl) && !waits_for_held(SharedRead, BackupFtwrl2));
    }
}
