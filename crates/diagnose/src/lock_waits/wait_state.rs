//! Detects lock waits from session states.

use super::metadata_locks::MetadataLockObjectKind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LockWaitState {
    Metadata(MetadataLockObjectKind),
    /// The session waits until other sessions close the flushed table.
    TableFlush,
    TableLevelLock,
}

/// Returns true if the session state indicates a lock wait.
///
/// InnoDB row lock waits are not detected, because they do not have a distinct session state.
#[must_use]
pub fn is_lock_wait_state(state: &[u8]) -> bool {
    parse_lock_wait_state(state).is_some()
}

/// Parses a lock wait state of the process list, as observed on MySQL 9.7.4 and MariaDB 10.11.19.
pub(super) fn parse_lock_wait_state(state: &[u8]) -> Option<LockWaitState> {
    let state = String::from_utf8_lossy(state).to_ascii_lowercase();
    if state == "user lock" {
        return Some(LockWaitState::Metadata(MetadataLockObjectKind::UserLock));
    }
    let resource = state.strip_prefix("waiting for ")?;
    match resource {
        "table flush" => return Some(LockWaitState::TableFlush),
        "table level lock" => return Some(LockWaitState::TableLevelLock),
        _ => {}
    }
    let lock = resource.strip_suffix(" lock")?;
    // Some names include the suffix, such as `global read lock`; others do not, such as `tablespace`.
    let kind = match MetadataLockObjectKind::parse(resource) {
        MetadataLockObjectKind::Other(_) => {
            MetadataLockObjectKind::parse(lock.strip_suffix(" metadata").unwrap_or(lock))
        }
        kind => kind,
    };
    Some(LockWaitState::Metadata(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_mysql_and_mariadb_are_parsed() {
        for (state, expected) in [
            ("Waiting for table metadata lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Table))),
            ("Waiting for global read lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Global))),
            ("Waiting for commit lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Commit))),
            ("Waiting for backup lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Backup))),
            ("Waiting for schema metadata lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Schema))),
            (
                "Waiting for stored function metadata lock",
                Some(LockWaitState::Metadata(MetadataLockObjectKind::Function)),
            ),
            (
                "Waiting for stored procedure metadata lock",
                Some(LockWaitState::Metadata(MetadataLockObjectKind::Procedure)),
            ),
            ("Waiting for trigger metadata lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Trigger))),
            ("Waiting for event metadata lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::Event))),
            ("User lock", Some(LockWaitState::Metadata(MetadataLockObjectKind::UserLock))),
            ("Waiting for table flush", Some(LockWaitState::TableFlush)),
            ("Waiting for table level lock", Some(LockWaitState::TableLevelLock)),
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
