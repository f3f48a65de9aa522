//! The master key: 32 bytes in `master.key` (0600) or in `CLEW_MASTER_KEY`, written as 64 hexadecimal digits.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::data_dir::sync_folder;
use crate::error::StoreError;

/// Environment variable with the key; a file is neither read nor written where it is set.
const VARIABLE: &str = "CLEW_MASTER_KEY";

/// Environment variable with the next key, for who has the present one in the environment too.
const NEXT_VARIABLE: &str = "CLEW_NEW_MASTER_KEY";

/// Name of the file while it is being written, for its owner alone.
pub(crate) const UNFINISHED: &str = "master.key.new";

pub(crate) type MasterKey = Zeroizing<[u8; 32]>;

/// The key of the environment, else of the file.
pub(crate) fn read(file: &Path) -> Result<MasterKey, StoreError> {
    match from_environment(VARIABLE)? {
        Some(key) => Ok(key),
        None => read_file(file),
    }
}

fn read_file(file: &Path) -> Result<MasterKey, StoreError> {
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
    if from_environment(VARIABLE)?.is_some() || file.exists() {
        return read(file);
    }
    make(file)
}

fn make(file: &Path) -> Result<MasterKey, StoreError> {
    let mut key: MasterKey = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key)
        .map_err(|error| StoreError::MasterKey { reason: format!("the system has no random bytes: {error}") })?;
    keep(file, key)
}

fn keep(file: &Path, key: MasterKey) -> Result<MasterKey, StoreError> {
    let text = Zeroizing::new(format!("{}\n", hex::encode(key.as_slice())));
    // Of whoever was killed while writing one.
    let unfinished = folder_of(file).join(UNFINISHED);
    if unfinished.exists() {
        fs::remove_file(&unfinished).map_err(StoreError::file("remove", unfinished))?;
    }
    write(file, &text).and_then(|()| sync_folder(folder_of(file))).map_err(StoreError::file("write", file))?;
    Ok(key)
}

/// Where the next key is kept until it takes the place of the present one.
pub(crate) fn next_file(file: &Path) -> PathBuf {
    file.with_extension("key.next")
}

/// The next key, if one was prepared or a rotation did not come to its end.
pub(crate) fn next(file: &Path) -> Result<Option<MasterKey>, StoreError> {
    let given = from_environment(NEXT_VARIABLE)?;
    let next = next_file(file);
    if given.is_some() || from_environment(VARIABLE)?.is_some() || !next.exists() {
        return Ok(given);
    }
    read_file(&next).map(Some)
}

/// The next key; a new one if there is none. It is on disk, or in the environment, when this returns.
pub(crate) fn make_next(file: &Path) -> Result<MasterKey, StoreError> {
    let kept_in_file = from_environment(VARIABLE)?.is_none();
    let next_file = next_file(file);
    match next(file)? {
        // It must not be lost with this process.
        Some(given) if kept_in_file && !next_file.exists() => keep(&next_file, given),
        Some(next) => Ok(next),
        None if kept_in_file => make(&next_file),
        None => Err(StoreError::MasterKey {
            reason: format!(
                "{VARIABLE} is set, so the next key has to be given too: put 64 hexadecimal digits (openssl rand -hex 32) into a safe place \
                 and into {NEXT_VARIABLE}"
            ),
        }),
    }
}

/// Puts the next key into the place of the present one, which stays beside it under another name: backups from before need it. Nothing to do
/// where keys are in the environment.
pub(crate) fn take_next(file: &Path) -> Result<(), StoreError> {
    let next = next_file(file);
    if from_environment(VARIABLE)?.is_some() || !next.exists() {
        return Ok(());
    }
    let before = file.with_extension(format!("key.before-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%6fZ")));
    let taken =
        fs::hard_link(file, before).and_then(|()| fs::rename(&next, file)).and_then(|()| sync_folder(folder_of(file)));
    taken.map_err(StoreError::file("put in its place", next))
}

/// Writes the file whole or not at all: half a key could be neither used nor replaced.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut unfinished = tempfile::Builder::new().prefix(UNFINISHED).rand_bytes(0).tempfile_in(folder_of(file))?;
    unfinished.write_all(text.as_bytes())?;
    unfinished.as_file().sync_all()?;
    unfinished.persist_noclobber(file)?;
    Ok(())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn from_environment(variable: &str) -> Result<Option<MasterKey>, StoreError> {
    let Ok(text) = std::env::var(variable) else { return Ok(None) };
    let text = Zeroizing::new(text);
    parse(&text)
        .map(Some)
        .ok_or_else(|| StoreError::MasterKey { reason: format!("{variable} does not hold 64 hexadecimal digits") })
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
