//! Rotation of the master key: what it sealed is sealed anew, what is derived from it is made anew.
//!
//! There are two places that cannot change at one moment: the key's and the database's. So the next key is kept beside the present one before
//! anything is sealed with it; one transaction seals everything; then the next key takes its place. Whoever opens the store in between finds
//! that only the next key fits, and puts it into its place ([`Store::open`]).

use clew_model::Origin;

use crate::data_dir::DataDir;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::location::Location;
use crate::master_key;
use crate::sealing::Sealer;
use crate::serving_lock;
use crate::store::Store;

/// What a rotation has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Secrets that were sealed anew.
    pub sealed: u64,
    /// Secrets that were changed outside of Clew before: nobody could open them, and nobody can.
    pub damaged: u64,
}

impl Store {
    /// Makes the next key, if there is none yet, and changes nothing else: it can be brought to other machines before it is needed.
    /// Returns the name of its file.
    pub fn prepare_rotation(location: impl Into<Location>) -> Result<std::path::PathBuf, StoreError> {
        let dir = DataDir::new(&location.into().data_dir);
        master_key::read(&dir.master_key())?;
        master_key::make_next(&dir.master_key())?;
        Ok(master_key::next_file(&dir.master_key()))
    }

    /// Seals everything with the next key and puts it into the place of the present one. A crash on the way loses nothing: the next call, or
    /// whoever opens the store, goes on from there.
    ///
    /// A folder that is served is refused. Processes that share a database cope: with the old key they can neither take up collections nor
    /// write anything that has to do with it ([`StoreError::MasterKeyRotated`]).
    pub async fn rotate_master_key(by: &Origin, location: impl Into<Location>) -> Result<Rotated, StoreError> {
        let location = location.into();
        let dir = DataDir::new(&location.data_dir);
        let store = Self::open(location).await?;
        let _lock = serving_lock::take(&dir)?;
        let next = master_key::make_next(&dir.master_key())?;
        let rotated = store.seal_everything_with(by, &Sealer::new(&next), &DerivedKeys::new(&next)).await?;
        master_key::take_next(&dir.master_key())?;
        store.close().await;
        Ok(rotated)
    }
}
