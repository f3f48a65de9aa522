//! The master key: 32 bytes in `master.key` (0600) or in `CLEW_MASTER_KEY`, written as 64 hexadecimal digits.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::StoreError;

/// Environment variable with the key; a file is neither read nor written where it is set.
const VARIABLE: &str = "CLEW_MASTER_KEY";

/// Name of the file while it is being written, for its owner alone.
pub(crate) const UNFINISHED: &str = "master.key.new";

pub(crate) type MasterKey = Zeroizing<[u8; 32]>;

/// The key of the environment, else of the file.
pub(crate) fn read(file: &Path) -> Result<MasterKey, StoreError> {
    if let Some(key) = from_environment()? {
        return Ok(key);
    }
    let mode = fs::metadata(file).map_err(|error| missing(file, &error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(StoreError::MasterKey {
            reason: format!("{} can be read by others (mode {:o}); run chmod 600 on it", file.display(), mode & 0o777),
        });
    }
    let text = Zeroizing::new(fs::read_to_string(file).map_err(|error| missing(file, &error))?);
    parse(&text).ok_or_else(|| StoreError::MasterKey {
        reason: format!("{} does not hold 64 hexadecimal digits; restore it from a backup", file.display()),
    })
}

/// The key of the environment or of a file that is there already, else a new one in the file. Never overwrites a key.
pub(crate) fn read_or_make(file: &Path) -> Result<MasterKey, StoreError> {
    if from_environment()?.is_some() || file.exists() {
        return read(file);
    }
    let mut key: MasterKey = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key)
        .map_err(|error| StoreError::MasterKey { reason: format!("the system has no random bytes: {error}") })?;
    let text = Zeroizing::new(format!("{}\n", hex::encode(key.as_slice())));
    write(file, &text).map_err(StoreError::file("write", file))?;
    Ok(key)
}

/// Writes the file whole or not at all: half a key could be neither used nor replaced.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut unfinished = tempfile::Builder::new().prefix(UNFINISHED).rand_bytes(0).tempfile_in(folder)?;
    unfinished.write_all(text.as_bytes())?;
    unfinished.as_file().sync_all()?;
    unfinished.persist_noclobber(file)?;
    Ok(())
}

fn from_environment() -> Result<Option<MasterKey>, StoreError> {
    let Ok(text) = std::env::var(VARIABLE) else { return Ok(None) };
    let text = Zeroizing::new(text);
    parse(&text)
        .map(Some)
        .ok_or_else(|| StoreError::MasterKey { reason: format!("{VARIABLE} does not hold 64 hexadecimal digits") })
}

fn parse(text: &str) -> Option<MasterKey> {
    let mut key: MasterKey = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *key).ok()?;
    Some(key)
}

fn missing(file: &Path, error: &io::Error) -> StoreError {
    StoreError::MasterKey {
        reason: format!(
            "{} cannot be read ({error}); restore it from a backup or set {VARIABLE}: without it no stored password can be opened",
            file.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        let made = read_or_make(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*read_or_make(&file).unwrap(), *made);
        assert_eq!(*read(&file).unwrap(), *made);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_so_is_a_broken_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        assert!(read(&file).unwrap_err().to_string().contains("cannot be read"));
        read_or_make(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("mode 644"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "not a key").unwrap();
        assert!(read_or_make(&file).unwrap_err().to_string().contains("64 hexadecimal digits"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "not a key");
    }
}
