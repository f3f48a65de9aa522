//! Whether a result's file still is what was written.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::tasks::ResultRecord;

/// Files whose hash was found right, by name. At most this many are remembered.
const REMEMBERED: usize = 4096;

/// File systems count time in steps of up to two seconds: a change within the same step as the one before cannot be seen.
const STEP: Duration = Duration::from_secs(2);

/// What changes when a file does: inode, length, and the times of its last change in nanoseconds.
type Identity = (u64, u64, i64, i64);

#[derive(Debug, Default)]
pub(super) struct Verified {
    known: Mutex<HashMap<String, Identity>>,
}

impl Verified {
    /// Checks length and hash, and rewinds the file. `now` is a moment not after the look at it.
    pub(super) fn check(&self, file: &File, result: &ResultRecord, now: SystemTime) -> Result<(), StoreError> {
        let unreadable = |error: io::Error| StoreError::ResultCorrupt {
            name: result.name.clone(),
            reason: format!("it cannot be read: {error}"),
        };
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.len() != result.bytes {
            let reason = format!("it has {} bytes, {} were written", metadata.len(), result.bytes);
            return Err(StoreError::ResultCorrupt { name: result.name.clone(), reason });
        }
        let changed = |seconds: i64, nanoseconds: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds);
        let identity = (
            metadata.ino(),
            metadata.len(),
            changed(metadata.mtime(), metadata.mtime_nsec()),
            changed(metadata.ctime(), metadata.ctime_nsec()),
        );
        if self.remembers(&result.name, identity) {
            return Ok(());
        }
        if hash_of(file).map_err(unreadable)? != result.sha256 {
            let reason = "its bytes are not those that were written".to_owned();
            return Err(StoreError::ResultCorrupt { name: result.name.clone(), reason });
        }
        if settled(identity.2.max(identity.3), now) {
            self.remember(&result.name, identity);
        }
        Ok(())
    }

    fn remembers(&self, name: &str, identity: Identity) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name) == Some(&identity)
    }

    fn remember(&self, name: &str, identity: Identity) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(name.to_owned(), identity);
    }
}

/// Whether a later change of a file, whose last one was at `changed` in nanoseconds since 1970, would be seen.
fn settled(changed: i64, now: SystemTime) -> bool {
    let changed = UNIX_EPOCH.checked_add(Duration::from_nanos(changed.unsigned_abs()));
    changed.is_some_and(|changed| now.duration_since(changed).is_ok_and(|since| since > STEP))
}

fn hash_of(mut file: &File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hash.update(buffer.get(..length).unwrap_or_default());
    }
    file.rewind()?;
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_just_changed_is_not_taken_on_trust() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        assert!(settled(997_000_000_000, now));
        for changed in [998_500_000_000, 1_000_000_000_000, 1_001_000_000_000, i64::MAX] {
            assert!(!settled(changed, now), "{changed}");
        }
    }

    #[test]
    fn a_settled_file_is_hashed_once_and_again_after_a_change() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"abc").unwrap();
        let sha256 = hex::encode(Sha256::digest(b"abc"));
        let right = ResultRecord { name: "a".into(), rows: 1, bytes: 3, sha256 };
        let wrong = ResultRecord { sha256: "00".repeat(32), ..right.clone() };
        let verified = Verified::default();
        let open = || File::open(file.path()).unwrap();
        let (now, later) = (SystemTime::now(), SystemTime::now() + 2 * STEP);
        verified.check(&open(), &right, now).unwrap();
        assert!(verified.check(&open(), &wrong, later).is_err(), "remembered too early");
        let opened = open();
        verified.check(&opened, &right, later).unwrap();
        assert_eq!(io::read_to_string(opened).unwrap(), "abc", "left at its start");
        verified.check(&open(), &wrong, later).unwrap();
        std::fs::write(file.path(), "abd").unwrap();
        file.as_file().set_modified(UNIX_EPOCH).unwrap();
        assert!(matches!(verified.check(&open(), &right, later), Err(StoreError::ResultCorrupt { .. })));
    }

    #[test]
    fn what_was_verified_is_known_by_its_whole_identity() {
        let verified = Verified::default();
        verified.remember("a", (1, 2, 3, 4));
        assert!(verified.remembers("a", (1, 2, 3, 4)));
        for (name, identity) in [("b", (1, 2, 3, 4)), ("a", (9, 2, 3, 4)), ("a", (1, 2, 9, 4)), ("a", (1, 2, 3, 9))] {
            assert!(!verified.remembers(name, identity), "{name} {identity:?}");
        }
    }
}
