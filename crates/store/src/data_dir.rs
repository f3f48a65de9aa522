//! Paths and files in the data directory.

mod permissions;

use std::fs;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::fsync::sync_directory;
use crate::master_key;

#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    pub(crate) root: PathBuf,
}

impl DataDir {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn database_path(&self) -> PathBuf {
        self.root.join("clew.db")
    }

    pub(crate) fn temporary_database_path(&self) -> PathBuf {
        self.root.join("clew.db.new")
    }

    pub(crate) fn master_key_path(&self) -> PathBuf {
        self.root.join("master.key")
    }

    pub(crate) fn results_dir(&self) -> PathBuf {
        self.root.join("results")
    }

    pub(crate) fn lock_file_path(&self) -> PathBuf {
        self.root.join("serve.lock")
    }

    pub(crate) fn is_initialized(&self) -> Result<bool, StoreError> {
        let database = self.database_path();
        database.try_exists().map_err(StoreError::file_error("look for", database))
    }

    pub(crate) fn create_directories(&self) -> Result<(), StoreError> {
        for folder in [self.root.clone(), self.results_dir()] {
            if !folder.is_dir() {
                let created = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
                created.map_err(StoreError::file_error("create the directory", folder))?;
            }
        }
        Ok(())
    }

    pub(crate) fn remove_partial_initialization_files(&self) -> Result<(), StoreError> {
        let database = ["", "-journal", "-wal", "-shm"].map(|suffix| format!("clew.db.new{suffix}"));
        for name in database.iter().map(String::as_str).chain([master_key::TEMPORARY_MASTER_KEY_FILE_NAME]) {
            let path = self.root.join(name);
            if path.exists() {
                fs::remove_file(&path).map_err(StoreError::file_error("remove", path))?;
            }
        }
        Ok(())
    }

    /// SQLite creates its WAL files with the mode of the database file.
    pub(crate) fn create_database_file(&self) -> Result<(), StoreError> {
        let path = self.temporary_database_path();
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        created.map(drop).map_err(StoreError::file_error("create", path))
    }

    pub(crate) fn persist_temporary_database_file(&self) -> Result<(), StoreError> {
        let database = self.temporary_database_path();
        let renamed = File::open(&database)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&database, self.database_path()))
            .and_then(|()| sync_directory(&self.root));
        renamed.map_err(StoreError::file_error("rename", database))
    }
}
