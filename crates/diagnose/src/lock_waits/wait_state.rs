//! Detection of lock waits from session states.

use super::metadata_locks::MetadataLockObjectKind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LockWaitState {
    Metadata(MetadataLockObjectKind),
    /// The session waits until other sessions close the flushed table.
    TableFlush,
    TableLevelLock,
}

/// Session states that indicate a lock wait, in lowercase, as observed on MySQL 9.7.4 and MariaDB 10.11.19.
const LOCK_WAIT_THREAD_STATES: [(&str, LockWaitState); 12] = [
    ("user lock", LockWaitState::Metadata(MetadataLockObjectKind::UserLock)),
    ("waiting for table metadata lock", LockWaitState::Metadata(MetadataLockObjectKind::Table)),
    ("waiting for schema metadata lock", LockWaitState::Metadata(MetadataLockObjectKind::Schema)),
    ("waiting for stored function metadata lock", LockWaitState::Metadata(MetadataLockObjectKind::Function)),
    ("waiting for stored procedure metadata lock", LockWaitState::Metadata(MetadataLockObjectKind::Procedure)),
    ("waiting for trigger metadata lock", LockWaitState::Metadata(MetadataLockObjectKind::Trigger)),
    ("waiting for event metadata lock", LockWaitState::Metadata(MetadataLockObjectKind::Event)),
    ("waiting for global read lock", LockWaitState::Metadata(MetadataLockObjectKind::Global)),
    ("waiting for commit lock", LockWaitState::Metadata(MetadataLockObjectKind::Commit)),
    ("waiting for backup lock", LockWaitState::Metadata(MetadataLockObjectKind::Backup)),
    ("waiting for table flush", LockWaitState::TableFlush),
    ("waiting for table level lock", LockWaitState::TableLevelLock),
];

/// Returns true if the session state indicates a lock wait.
///
/// The function does not detect waits for InnoDB row locks, because such waits have no session state of their own.
#[must_use]
pub fn is_lock_wait_state(state: &[u8]) -> bool {
    parse_lock_wait_state(state).is_some()
}

pub(super) fn parse_lock_wait_state(state: &[u8]) -> Option<LockWaitState> {
    let state = String::from_utf8_lossy(state).to_ascii_lowercase();
    if let Some((_, wait)) = LOCK_WAIT_THREAD_STATES.iter().find(|(name, _)| *name == state) {
        return Some(wait.clone());
    }
    let lock = state.strip_prefix("waiting for ")?.strip_suffix(" lock")?;
    let kind = lock.strip_suffix(" metadata").unwrap_or(lock);
    Some(LockWaitState::Metadata(MetadataLockObjectKind::parse(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_mysql_and_mariadb_are_parsed() {
        for (state, expected) in [
            ("Waiting for table metadata lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Table))),
            ("Waiting for global read lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Global))),
            ("Waiting for backup lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Backup))),
            ("User lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::UserLock))),
            ("Waiting for table flush", Some(LockWaitState::TableFlush)),
            ("Waiting for tablespace metadata lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Tablespace))),
            (
                "Waiting for locking service lock",
                Some(LockWaitState::Metadata(MetadataLockObjectKind::Other("locking service".into()))),
            ),
            ("updating", None),
            ("", None),
            ("Waiting for master to send event", None),
        ] {
            assert_eq!(parse_lock_wait_state(state.as_bytes()), expected, "{state}");
        }
    }
}
