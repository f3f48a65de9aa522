//! The files of a data directory.

mod permissions;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::master_key;

/// A data directory, whether there is one yet or not.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    pub(crate) root: PathBuf,
}

impl DataDir {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The database. It is there once the directory was initialised to the end.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("clew.db")
    }

    /// The database while it is being made.
    pub(crate) fn new_database(&self) -> PathBuf {
        self.root.join("clew.db.new")
    }

    pub(crate) fn master_key(&self) -> PathBuf {
        self.root.join("master.key")
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.root.join("results")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("serve.lock")
    }

    pub(crate) fn is_initialised(&self) -> Result<bool, StoreError> {
        let database = self.database();
        database.try_exists().map_err(StoreError::file("look for", database))
    }

    /// Makes the directories that are missing, for their owner alone.
    pub(crate) fn make(&self) -> Result<(), StoreError> {
        for folder in [self.root.clone(), self.results()] {
            if !folder.is_dir() {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
                made.map_err(StoreError::file("make the folder", folder))?;
            }
        }
        Ok(())
    }

    /// Removes what an initialisation left that did not come to its end.
    pub(crate) fn remove_unfinished(&self) -> Result<(), StoreError> {
        let database = ["", "-journal", "-wal", "-shm"].map(|suffix| format!("clew.db.new{suffix}"));
        for name in database.iter().map(String::as_str).chain([master_key::UNFINISHED]) {
            let path = self.root.join(name);
            if path.exists() {
                fs::remove_file(&path).map_err(StoreError::file("remove", path))?;
            }
        }
        Ok(())
    }

    /// Makes the new database as an empty file for its owner alone; SQLite gives the files beside it the same mode.
    pub(crate) fn make_database(&self) -> Result<(), StoreError> {
        let path = self.new_database();
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map(drop).map_err(StoreError::file("make", path))
    }

    /// From here on the directory is initialised, whatever happens.
    pub(crate) fn finish(&self) -> Result<(), StoreError> {
        let database = self.new_database();
        let renamed = File::open(&database)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&database, self.database()))
            .and_then(|()| sync_folder(&self.root));
        renamed.map_err(StoreError::file("put in its place", database))
    }
}

/// Makes the names of a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
