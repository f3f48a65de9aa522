//! Restricts access to the data directory to its owner: mode 0700 for directories and 0600 for files.
//! Opening a data directory removes all permissions for other accounts.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use tracing::warn;

use super::DataDir;
use crate::error::StoreError;

/// Mask for the permission bits of group and others.
const NON_OWNER_PERMISSION_MASK: u32 = 0o077;
/// File mode bit that is set on shared directories such as `/tmp`.
const STICKY_MODE_BIT: u32 = 0o1000;
/// Name prefixes of the expected entries in a data directory: Clew's files and directories, and `lost+found`.
const EXPECTED_ENTRY_PREFIXES: [&str; 6] = ["clew.db", "master.key", "results", "spill", "serve.lock", "lost+found"];
/// Name prefixes of the files whose permissions Clew restricts.
/// The master key file is excluded, because `master_key.rs` rejects a key file that other accounts can read.
const RESTRICTED_FILE_PREFIXES: [&str; 3] = ["clew.db", "serve.lock", "master.key.before-"];

impl DataDir {
    /// Restricts access to an existing data directory to its owner before initialisation.
    /// Fails if other accounts can access the data directory and this process does not own the directory.
    /// Fails if other accounts can access the data directory and it contains files that do not belong to Clew.
    pub(crate) fn restrict_uninitialised_directory(&self) -> Result<(), StoreError> {
        if !self.root.is_dir() {
            return Ok(());
        }
        let foreign =
            self.read_entry_names()?.into_iter().find(|name| !starts_with_any(name, &EXPECTED_ENTRY_PREFIXES));
        restrict_file_mode(&self.root, 0o700, foreign.as_deref())
    }

    /// Removes other accounts' access to the data directory, its subdirectories, and database, lock and old key files.
    /// Fails if other accounts can access a directory or file that this process does not own.
    pub(crate) fn restrict_data_directory(&self) -> Result<(), StoreError> {
        if !self.root.is_dir() {
            return Ok(());
        }
        let names = self.read_entry_names()?;
        if names.iter().any(|name| starts_with_any(name, &EXPECTED_ENTRY_PREFIXES)) {
            restrict_file_mode(&self.root, 0o700, None)?;
        }
        restrict_file_mode(&self.results_path(), 0o700, None)?;
        restrict_file_mode(&self.root.join("spill"), 0o700, None)?;
        for name in names.iter().filter(|name| starts_with_any(name, &RESTRICTED_FILE_PREFIXES)) {
            restrict_file_mode(&self.root.join(name), 0o600, None)?;
        }
        Ok(())
    }

    /// Returns the names of the directory entries.
    fn read_entry_names(&self) -> Result<Vec<String>, StoreError> {
        let entries = fs::read_dir(&self.root).map_err(StoreError::file_error("read the directory", &self.root))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::file_error("read the directory", &self.root))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// Restricts access to the result files to their owner.
    pub(crate) fn restrict_result_files(&self) -> Result<(), StoreError> {
        let folder = self.results_path();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::file_error("read the directory", folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(StoreError::file_error("read the directory", &folder))?.path();
            restrict_file_mode(&path, 0o600, None)?;
        }
        Ok(())
    }
}

fn starts_with_any(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Restricts access to a file or directory to its owner.
/// `foreign` is the name of a directory entry that Clew did not create, if any.
fn restrict_file_mode(path: &Path, mode: u32, foreign: Option<&str>) -> Result<(), StoreError> {
    // Do not follow symbolic links to files, because their targets are outside the directory.
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::file_error("read the permissions of", path)(error)),
    };
    let found = if found.is_symlink() && mode == 0o700 { fs::metadata(path).unwrap_or(found) } else { found };
    let before = found.permissions().mode() & 0o7777;
    if before & NON_OWNER_PERMISSION_MASK == 0 || found.is_symlink() || (mode == 0o600 && !found.is_file()) {
        return Ok(());
    }
    let refused = |reason: &str| StoreError::OpenToOthers {
        path: path.to_owned(),
        mode: before,
        reason: reason.to_owned(),
        wanted: mode,
    };
    if !is_owned_by_process(&found) {
        return Err(refused("it belongs to another account"));
    }
    if before & STICKY_MODE_BIT != 0 {
        return Err(refused("it is a directory that accounts share"));
    }
    if let Some(foreign) = foreign {
        return Err(refused(&format!("it also contains files of other programs, such as {foreign}")));
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(StoreError::file_error("restrict", path))?;
    warn!(file.path = %path.display(), "permissions restricted from {before:o} to {mode:o}");
    Ok(())
}

fn is_owned_by_process(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}
