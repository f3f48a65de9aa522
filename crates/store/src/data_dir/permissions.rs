//! Restricts access to the data directory to its owner: mode 0700 for directories and 0600 for files.

use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::{fs, io};

use tracing::warn;

use crate::data_dir::DataDir;
use crate::error::StoreError;

const NON_OWNER_PERMISSION_MASK: u32 = 0o077;
const STICKY_BIT: u32 = 0o1000;
/// Some file systems create `lost+found` in their root directory.
const EXPECTED_FILE_NAME_PREFIXES: [&str; 6] =
    ["clew.db", "master.key", "results", "spill", "serve.lock", "lost+found"];
/// Clew never changes the mode of `master.key`. If other accounts can read the file, Clew refuses to use it.
const OWNER_ONLY_FILE_NAME_PREFIXES: [&str; 3] = ["clew.db", "serve.lock", "master.key.before-"];

impl DataDir {
    /// Clew does not change the mode of a directory that is shared, has another owner or contains foreign files.
    pub(crate) fn restrict_permissions_before_init(&self) -> Result<(), StoreError> {
        if !self.root.is_dir() {
            return Ok(());
        }
        let foreign_file = self
            .read_directory_entry_names()?
            .into_iter()
            .find(|name| !starts_with_any_prefix(name, &EXPECTED_FILE_NAME_PREFIXES));
        restrict_path_permissions(&self.root, 0o700, foreign_file.as_deref())
    }

    pub(crate) fn restrict_data_directory_permissions(&self) -> Result<(), StoreError> {
        if !self.root.is_dir() {
            return Ok(());
        }
        let names = self.read_directory_entry_names()?;
        if names.iter().any(|name| starts_with_any_prefix(name, &EXPECTED_FILE_NAME_PREFIXES)) {
            restrict_path_permissions(&self.root, 0o700, None)?;
        }
        restrict_path_permissions(&self.results_dir(), 0o700, None)?;
        restrict_path_permissions(&self.root.join("spill"), 0o700, None)?;
        for name in names.iter().filter(|name| starts_with_any_prefix(name, &OWNER_ONLY_FILE_NAME_PREFIXES)) {
            restrict_path_permissions(&self.root.join(name), 0o600, None)?;
        }
        Ok(())
    }

    fn read_directory_entry_names(&self) -> Result<Vec<String>, StoreError> {
        let entries = fs::read_dir(&self.root).map_err(StoreError::file_error("read the directory", &self.root))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::file_error("read the directory", &self.root))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    pub(crate) fn restrict_result_file_permissions(&self) -> Result<(), StoreError> {
        let folder = self.results_dir();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::file_error("read the directory", folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(StoreError::file_error("read the directory", &folder))?.path();
            restrict_path_permissions(&path, 0o600, None)?;
        }
        Ok(())
    }
}

fn starts_with_any_prefix(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn restrict_path_permissions(path: &Path, mode: u32, foreign_file: Option<&str>) -> Result<(), StoreError> {
    // A symbolic link may refer to a file outside the directory.
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
    if !is_owned_by_current_user(&found) {
        return Err(refused("it belongs to another account"));
    }
    if before & STICKY_BIT != 0 {
        return Err(refused("it is a directory that accounts share"));
    }
    if let Some(foreign_file) = foreign_file {
        return Err(refused(&format!("it also contains files of other programs, such as {foreign_file}")));
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(StoreError::file_error("restrict", path))?;
    warn!(file.path = %path.display(), "permissions restricted from {before:o} to {mode:o}");
    Ok(())
}

fn is_owned_by_current_user(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}
