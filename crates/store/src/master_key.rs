//! Reads and creates the master key, which consists of 32 bytes and is stored as 64 hexadecimal digits.
//! The file `master.key` (mode 0600) or the environment variable `CLEW_MASTER_KEY` contains the master key.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::fsync::sync_directory;

/// If the variable is set, Clew ignores the key file.
const MASTER_KEY_ENV_VAR: &str = "CLEW_MASTER_KEY";

/// A master key rotation requires this variable if `CLEW_MASTER_KEY` is set.
const NEXT_MASTER_KEY_ENV_VAR: &str = "CLEW_NEW_MASTER_KEY";

pub(crate) const TEMPORARY_MASTER_KEY_FILE_NAME: &str = "master.key.new";

pub(crate) type MasterKey = Zeroizing<[u8; 32]>;

pub(crate) fn read_master_key(file: &Path) -> Result<MasterKey, StoreError> {
    match read_master_key_env_var(MASTER_KEY_ENV_VAR)? {
        Some(key) => Ok(key),
        None => read_master_key_file(file),
    }
}

fn read_master_key_file(file: &Path) -> Result<MasterKey, StoreError> {
    let mode = fs::metadata(file).map_err(|error| unreadable_key_error(file, &error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(StoreError::MasterKey(format!(
            "{} is readable by other accounts (mode {:o}); run chmod 600 on it",
            file.display(),
            mode & 0o777
        )));
    }
    let text = Zeroizing::new(fs::read_to_string(file).map_err(|error| unreadable_key_error(file, &error))?);
    parse_master_key(&text).ok_or_else(|| {
        StoreError::MasterKey(format!(
            "{} does not contain 64 hexadecimal digits; restore it from a backup",
            file.display()
        ))
    })
}

pub(crate) fn load_or_create_master_key(file: &Path) -> Result<MasterKey, StoreError> {
    if read_master_key_env_var(MASTER_KEY_ENV_VAR)?.is_some() || file.exists() {
        return read_master_key(file);
    }
    create_master_key(file)
}

fn create_master_key(file: &Path) -> Result<MasterKey, StoreError> {
    let mut key: MasterKey = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key)
        .map_err(|error| StoreError::MasterKey(format!("the system returned no random bytes: {error}")))?;
    write_master_key(file, key)
}

fn write_master_key(file: &Path, key: MasterKey) -> Result<MasterKey, StoreError> {
    let text = Zeroizing::new(format!("{}\n", hex::encode(key.as_slice())));
    // An interrupted process may have left this file behind.
    let temporary = parent_or_current_directory(file).join(TEMPORARY_MASTER_KEY_FILE_NAME);
    if temporary.exists() {
        fs::remove_file(&temporary).map_err(StoreError::file_error("remove", temporary))?;
    }
    write_key_file(file, &text)
        .and_then(|()| sync_directory(parent_or_current_directory(file)))
        .map_err(StoreError::file_error("write", file))?;
    Ok(key)
}

pub(crate) fn next_master_key_path(file: &Path) -> PathBuf {
    file.with_extension("key.next")
}

/// Returns `None` if no key rotation is pending.
pub(crate) fn read_new_master_key(file: &Path) -> Result<Option<MasterKey>, StoreError> {
    let from_env = read_master_key_env_var(NEXT_MASTER_KEY_ENV_VAR)?;
    let next = next_master_key_path(file);
    if from_env.is_some() || read_master_key_env_var(MASTER_KEY_ENV_VAR)?.is_some() || !next.exists() {
        return Ok(from_env);
    }
    read_master_key_file(&next).map(Some)
}

pub(crate) fn load_or_create_next_master_key(file: &Path) -> Result<MasterKey, StoreError> {
    let stored_in_file = read_master_key_env_var(MASTER_KEY_ENV_VAR)?.is_none();
    let next_path = next_master_key_path(file);
    match read_new_master_key(file)? {
        // The environment variable is lost when this process exits, so the key is also stored in a file.
        Some(from_env) if stored_in_file && !next_path.exists() => write_master_key(&next_path, from_env),
        Some(next) => Ok(next),
        None if stored_in_file => create_master_key(&next_path),
        None => Err(StoreError::MasterKey(format!(
            "{MASTER_KEY_ENV_VAR} is set, so {NEXT_MASTER_KEY_ENV_VAR} is required too: generate 64 hexadecimal digits (openssl rand -hex 32), store them \
                 in a safe place and set {NEXT_MASTER_KEY_ENV_VAR}"
        ))),
    }
}

/// Keeps the old key file under another name, because existing backups require the old key.
pub(crate) fn activate_next_master_key(file: &Path) -> Result<(), StoreError> {
    let next = next_master_key_path(file);
    if read_master_key_env_var(MASTER_KEY_ENV_VAR)?.is_some() || !next.exists() {
        return Ok(());
    }
    let before = file.with_extension(format!("key.before-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%6fZ")));
    let promoted = fs::hard_link(file, before)
        .and_then(|()| fs::rename(&next, file))
        .and_then(|()| sync_directory(parent_or_current_directory(file)));
    promoted.map_err(StoreError::file_error("rename", next))
}

/// Writes the key file atomically, so that a crash cannot leave a partial file.
fn write_key_file(file: &Path, text: &str) -> io::Result<()> {
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_MASTER_KEY_FILE_NAME)
        .rand_bytes(0)
        .tempfile_in(parent_or_current_directory(file))?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist_noclobber(file)?;
    Ok(())
}

fn parent_or_current_directory(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn read_master_key_env_var(variable: &str) -> Result<Option<MasterKey>, StoreError> {
    let Ok(text) = std::env::var(variable) else { return Ok(None) };
    let text = Zeroizing::new(text);
    parse_master_key(&text)
        .map(Some)
        .ok_or_else(|| StoreError::MasterKey(format!("{variable} does not contain 64 hexadecimal digits")))
}

fn parse_master_key(text: &str) -> Option<MasterKey> {
    let mut key: MasterKey = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *key).ok()?;
    Some(key)
}

fn unreadable_key_error(file: &Path, error: &io::Error) -> StoreError {
    StoreError::MasterKey(format!(
        "{} cannot be read ({error}); restore it from a backup or set {MASTER_KEY_ENV_VAR}: without the key, stored passwords cannot be decrypted",
        file.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_created_once_with_owner_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        let created = load_or_create_master_key(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*load_or_create_master_key(&file).unwrap(), *created);
        assert_eq!(*read_master_key(&file).unwrap(), *created);
    }

    #[test]
    fn key_readable_by_others_or_malformed_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        assert!(read_master_key(&file).unwrap_err().to_string().contains("cannot be read"));
        load_or_create_master_key(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_master_key(&file).unwrap_err().to_string().contains("mode 644"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "not a key").unwrap();
        assert!(load_or_create_master_key(&file).unwrap_err().to_string().contains("64 hexadecimal digits"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "not a key");
    }
}
