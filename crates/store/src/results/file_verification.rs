//! Verifies the length and hash of result files.

use std::fs::File;
use std::io;
use std::io::{Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::collection_tasks::ResultMetadata;
use crate::error::StoreError;

const MAX_CACHED_VERIFICATIONS: usize = 4096;

/// Maximum time between two file changes that can result in the same timestamp.
const FILE_TIMESTAMP_RESOLUTION: Duration = Duration::from_secs(2);

/// Inode number, length in bytes, `mtime` and `ctime` (both in nanoseconds) of a file.
type FileIdentity = (u64, u64, i64, i64);

/// Maps each file name to the [`FileIdentity`] of the verified file.
#[derive(Debug)]
pub(super) struct VerifiedFileCache(Cache<String, FileIdentity>);

impl Default for VerifiedFileCache {
    fn default() -> Self {
        Self(Cache::new(MAX_CACHED_VERIFICATIONS))
    }
}

impl VerifiedFileCache {
    /// `now` must be the current time or earlier. A later time can prevent the cache from detecting changes to the file.
    pub(super) fn verify_file_length_and_hash(
        &self,
        file: &File,
        result: &ResultMetadata,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let unreadable = |error: io::Error| StoreError::ResultCorrupt {
            name: result.name.clone(),
            reason: format!("it cannot be read: {error}"),
        };
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.len() != result.bytes {
            let reason = format!("it has {} bytes instead of {}", metadata.len(), result.bytes);
            return Err(StoreError::ResultCorrupt { name: result.name.clone(), reason });
        }
        let nanoseconds_since_epoch =
            |seconds: i64, nanoseconds: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds);
        let identity = (
            metadata.ino(),
            metadata.len(),
            nanoseconds_since_epoch(metadata.mtime(), metadata.mtime_nsec()),
            nanoseconds_since_epoch(metadata.ctime(), metadata.ctime_nsec()),
        );
        if self.is_verified(&result.name, identity) {
            return Ok(());
        }
        if hash_file(file).map_err(unreadable)? != result.sha256 {
            let reason = "its content differs from the written data".to_owned();
            return Err(StoreError::ResultCorrupt { name: result.name.clone(), reason });
        }
        if can_cache_verification(identity.2.max(identity.3), now) {
            self.0.insert(result.name.clone(), identity);
        }
        Ok(())
    }

    fn is_verified(&self, name: &str, identity: FileIdentity) -> bool {
        self.0.get(name) == Some(identity)
    }
}

/// Returns true if the file's last change is old enough that another change would produce a different timestamp.
/// `changed` is the time of the file's last change, as a Unix timestamp in nanoseconds.
fn can_cache_verification(changed: i64, now: SystemTime) -> bool {
    let changed = UNIX_EPOCH.checked_add(Duration::from_nanos(changed.unsigned_abs()));
    changed.is_some_and(|changed| now.duration_since(changed).is_ok_and(|since| since > FILE_TIMESTAMP_RESOLUTION))
}

fn hash_file(mut file: &File) -> io::Result<String> {
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
    fn recently_changed_file_is_not_settled() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        assert!(can_cache_verification(997_000_000_000, now));
        for changed in [998_500_000_000, 1_000_000_000_000, 1_001_000_000_000, i64::MAX] {
            assert!(!can_cache_verification(changed, now), "{changed}");
        }
    }

    #[test]
    fn settled_file_is_hashed_once_until_it_changes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"abc").unwrap();
        let sha256 = hex::encode(Sha256::digest(b"abc"));
        let right = ResultMetadata { name: "a".into(), rows: 1, bytes: 3, sha256, limitations: None };
        let wrong = ResultMetadata { sha256: "00".repeat(32), ..right.clone() };
        let verified = VerifiedFileCache::default();
        let open = || File::open(file.path()).unwrap();
        let (now, later) = (SystemTime::now(), SystemTime::now() + 2 * FILE_TIMESTAMP_RESOLUTION);
        verified.verify_file_length_and_hash(&open(), &right, now).unwrap();
        assert!(verified.verify_file_length_and_hash(&open(), &wrong, later).is_err(), "cached too early");
        let opened = open();
        verified.verify_file_length_and_hash(&opened, &right, later).unwrap();
        assert_eq!(io::read_to_string(opened).unwrap(), "abc", "the file is rewound");
        verified.verify_file_length_and_hash(&open(), &wrong, later).unwrap();
        std::fs::write(file.path(), "abd").unwrap();
        file.as_file().set_modified(UNIX_EPOCH).unwrap();
        assert!(matches!(
            verified.verify_file_length_and_hash(&open(), &right, later),
            Err(StoreError::ResultCorrupt { .. })
        ));
    }

    #[test]
    fn every_part_of_the_identity_is_compared() {
        let verified = VerifiedFileCache::default();
        verified.0.insert("a".to_owned(), (1, 2, 3, 4));
        assert!(verified.is_verified("a", (1, 2, 3, 4)));
        for (name, identity) in [("b", (1, 2, 3, 4)), ("a", (9, 2, 3, 4)), ("a", (1, 2, 9, 4)), ("a", (1, 2, 3, 9))] {
            assert!(!verified.is_verified(name, identity), "{name} {identity:?}");
        }
    }
}
