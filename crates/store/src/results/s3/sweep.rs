//! Removing what no task names: objects, and uploads that nobody will complete.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::time::timeout;

use super::{LIMIT, S3};
use crate::error::StoreError;

impl S3 {
    /// Only what has a name that Clew gives is looked at. Returns how many objects and uploads are gone.
    pub(in crate::results) async fn sweep(&self, known: &[String], age: Duration) -> Result<usize, StoreError> {
        let known: HashSet<&str> = known.iter().map(String::as_str).collect();
        let mut objects = self.names().await?;
        objects.retain(|(name, _)| !known.contains(name.as_str()));
        let uploads = self.uploads().await?;
        if objects.is_empty() && uploads.is_empty() {
            return Ok(0);
        }
        let old = self.now().await?.saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        let mut removed = 0;
        for (name, _) in objects.iter().filter(|(_, made)| *made <= old) {
            self.within("remove", name, self.objects.delete(&self.settings.path(name))).await?;
            removed += 1;
        }
        for upload in uploads.iter().filter(|upload| upload.begun <= old) {
            self.give_up(upload).await?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Names of Clew's objects, and when they were made: seconds since 1970.
    pub(super) async fn names(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let mut listed = self.objects.list(Some(self.settings.prefix()));
        let mut names = Vec::new();
        loop {
            match timeout(LIMIT, listed.next()).await {
                Ok(None) => return Ok(names),
                Ok(Some(Ok(meta))) => {
                    let name = self.name(&meta.location).map(str::to_owned);
                    names.extend(name.map(|name| (name, meta.last_modified.timestamp())));
                }
                Ok(Some(Err(error))) => self.told("list", "", Ok(Err(error)))?,
                Err(late) => self.told("list", "", Err(late))?,
            }
        }
    }
}
