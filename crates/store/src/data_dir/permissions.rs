//! Permissions of a data directory: 0700 for folders and 0600 for files. Wider ones are tightened when the directory is opened.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use tracing::warn;

use super::DataDir;
use crate::error::StoreError;

/// Access of anybody but the owner.
const OTHERS: u32 = 0o077;
/// The sticky bit, as of `/tmp`.
const SHARED: u32 = 0o1000;
/// Names of the entries that Clew makes in a data directory begin so.
const OWN_NAMES: [&str; 6] = ["clew.db", "master.key", "results", "spill", "serve.lock", "lost+found"];
/// Names of the files that are tightened. The master key is not among them: one that others could read is refused (`master_key.rs`).
const TIGHTENED_NAMES: [&str; 3] = ["clew.db", "serve.lock", "master.key.before-"];

impl DataDir {
    /// Restricts a directory that is to be initialised. Fails where Clew is not the owner, and where it holds other things: these would
    /// become unreachable for others.
    pub(crate) fn restrict_new(&self) -> Result<(), StoreError> {
        if !self.root.is_dir() {
            return Ok(());
        }
        let foreign = self.names()?.into_iter().find(|name| !begins(name, &OWN_NAMES));
        restrict(&self.root, 0o700, foreign.as_deref())
    }

    /// Restricts the directory, its folders and its database files to their owner. Fails where Clew is not the owner.
    pub(crate) fn restrict(&self) -> Result<(), StoreError> {
        if !self.root.is_dir() {
            return Ok(());
        }
        let names = self.names()?;
        if names.iter().any(|name| begins(name, &OWN_NAMES)) {
            restrict(&self.root, 0o700, None)?;
        }
        restrict(&self.results(), 0o700, None)?;
        restrict(&self.root.join("spill"), 0o700, None)?;
        for name in names.iter().filter(|name| begins(name, &TIGHTENED_NAMES)) {
            restrict(&self.root.join(name), 0o600, None)?;
        }
        Ok(())
    }

    /// Names of the entries.
    fn names(&self) -> Result<Vec<String>, StoreError> {
        let entries = fs::read_dir(&self.root).map_err(StoreError::file("read the folder", &self.root))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::file("read the folder", &self.root))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// Restricts the stored results to their owner.
    pub(crate) fn restrict_results(&self) -> Result<(), StoreError> {
        let folder = self.results();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::file("read the folder", folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(StoreError::file("read the folder", &folder))?.path();
            restrict(&path, 0o600, None)?;
        }
        Ok(())
    }
}

fn begins(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| name.starts_with(known))
}

/// `foreign` is an entry of a folder that Clew did not make.
fn restrict(path: &Path, mode: u32, foreign: Option<&str>) -> Result<(), StoreError> {
    // A link is not followed: it would lead out of the directory.
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::file("read the permissions of", path)(error)),
    };
    let found = if found.is_symlink() && mode == 0o700 { fs::metadata(path).unwrap_or(found) } else { found };
    let before = found.permissions().mode() & 0o7777;
    if before & OTHERS == 0 || found.is_symlink() || (mode == 0o600 && !found.is_file()) {
        return Ok(());
    }
    let refused = |reason: &str| StoreError::OpenToOthers {
        path: path.to_owned(),
        mode: before,
        reason: reason.to_owned(),
        wanted: mode,
    };
    if !is_own(&found) {
        return Err(refused("it belongs to another account"));
    }
    if before & SHARED != 0 {
        return Err(refused("it is a folder that accounts share"));
    }
    if let Some(foreign) = foreign {
        return Err(refused(&format!("it holds other things too, such as {foreign}")));
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(StoreError::file("restrict", path))?;
    warn!(file.path = %path.display(), "tightened permissions from {before:o} to {mode:o}");
    Ok(())
}

fn is_own(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}
