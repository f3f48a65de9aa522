//! Compatibility matrices for metadata lock modes.
//!
//! The conflict rules come from the documentation of the metadata locking subsystems in MySQL and MariaDB.
//! MySQL and MariaDB have identical compatibility matrices for object locks and for scoped locks.
//! The lock mode `INTENTION_EXCLUSIVE` occurs only on scoped locks, such as `GLOBAL` and `SCHEMA` locks.
//! The lock mode `SHARED_WRITE_LOW_PRIO` occurs only on MySQL.
//! MariaDB's backup lock has its own lock modes and compatibility matrices.
//!
//! The compatibility matrices assume the default value of the system variable `max_write_lock_count`.
//! If `max_write_lock_count` is below its default, the server grants some read locks before pending write locks.

use super::metadata_locks::MetadataLockMode;

/// Matrix of requested and granted metadata lock modes: `+` means compatible, `-` means conflicting.
///
/// Rows are requested lock modes, and columns are granted lock modes, both in the order of [`MetadataLockMode::ALL`].
const CONFLICT_MATRIX_FOR_GRANTED_LOCKS: [&[u8]; 11] = [
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

/// Columns are the pending lock modes of other sessions.
const CONFLICT_MATRIX_FOR_PENDING_LOCKS: [&[u8]; 11] = [
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

const CONFLICT_MATRIX_FOR_GRANTED_BACKUP_LOCKS: [&[u8]; 14] = [
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

const CONFLICT_MATRIX_FOR_PENDING_BACKUP_LOCKS: [&[u8]; 14] = [
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

pub(super) fn conflicts_with_granted_lock(requested: MetadataLockMode, granted: MetadataLockMode) -> bool {
    lock_modes_conflict(
        &CONFLICT_MATRIX_FOR_GRANTED_LOCKS,
        &CONFLICT_MATRIX_FOR_GRANTED_BACKUP_LOCKS,
        requested,
        granted,
    )
}

pub(super) fn conflicts_with_pending_request(requested: MetadataLockMode, pending: MetadataLockMode) -> bool {
    lock_modes_conflict(
        &CONFLICT_MATRIX_FOR_PENDING_LOCKS,
        &CONFLICT_MATRIX_FOR_PENDING_BACKUP_LOCKS,
        requested,
        pending,
    )
}

/// Lock modes from different compatibility matrices do not conflict, because they never apply to the same object.
fn lock_modes_conflict(plain: &[&[u8]], backup: &[&[u8]], row: MetadataLockMode, column: MetadataLockMode) -> bool {
    let first_backup = MetadataLockMode::BackupStart as usize;
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
    use MetadataLockMode::*;

    use super::*;

    #[test]
    fn matrices_cover_every_mode() {
        let first_backup = BackupStart as usize;
        for (table, width) in [
            (&CONFLICT_MATRIX_FOR_GRANTED_LOCKS[..], first_backup),
            (&CONFLICT_MATRIX_FOR_PENDING_LOCKS[..], first_backup),
            (&CONFLICT_MATRIX_FOR_GRANTED_BACKUP_LOCKS[..], MetadataLockMode::ALL.len() - first_backup),
            (&CONFLICT_MATRIX_FOR_PENDING_BACKUP_LOCKS[..], MetadataLockMode::ALL.len() - first_backup),
        ] {
            assert_eq!(table.len(), width);
            for row in table {
                let cells: Vec<_> = row.split(|&byte| byte == b' ').collect();
                assert_eq!(cells.len(), width);
                assert!(cells.iter().all(|cell| cell == b"+" || cell == b"-"));
            }
        }
    }

    /// Two sessions cannot hold conflicting locks, regardless of the order of the grants.
    #[test]
    fn granted_conflicts_are_symmetric() {
        let first_backup = BackupStart as usize;
        for &one in &MetadataLockMode::ALL[..first_backup] {
            for &other in &MetadataLockMode::ALL[..first_backup] {
                assert_eq!(
                    conflicts_with_granted_lock(one, other),
                    conflicts_with_granted_lock(other, one),
                    "{one:?} {other:?}"
                );
            }
        }
    }

    /// A pending request blocks only requests that it would also block as a granted lock.
    #[test]
    fn pending_conflicts_are_a_subset_of_granted_conflicts() {
        for wanted in MetadataLockMode::ALL {
            for other in MetadataLockMode::ALL {
                assert!(
                    !conflicts_with_pending_request(wanted, other) || conflicts_with_granted_lock(wanted, other),
                    "{wanted:?} {other:?}"
                );
            }
        }
    }

    /// Each conflict was observed on MySQL 9.7.4 or MariaDB 10.11.19.
    #[test]
    fn observed_conflicts_match_the_matrix() {
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
            assert!(conflicts_with_granted_lock(wanted, held), "{wanted:?} {held:?}");
        }
        assert!(conflicts_with_pending_request(SharedRead, Exclusive), "a reader waits behind a pending ALTER");
        assert!(!conflicts_with_pending_request(SharedHighPrio, Exclusive), "information_schema queries do not queue");
        assert!(
            !conflicts_with_pending_request(Exclusive, Exclusive),
            "the second ALTER waits for the lock owner, not for the first ALTER"
        );
        assert!(
            !conflicts_with_granted_lock(SharedRead, SharedWrite)
                && !conflicts_with_granted_lock(SharedWrite, SharedWrite)
        );
        assert!(
            !conflicts_with_granted_lock(SharedRead, SharedUpgradable),
            "the first lock of ALTER does not block reads"
        );
        assert!(
            !conflicts_with_granted_lock(BackupTransDml, BackupDdl)
                && !conflicts_with_granted_lock(SharedRead, BackupFtwrl2)
        );
    }
}
