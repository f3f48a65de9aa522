//! Removes unreferenced objects and incomplete uploads from S3.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tokio::time::timeout;

use crate::error::StoreError;
use crate::results::s3::{OPERATION_TIMEOUT, S3, generate_temporary_object_name};

impl S3 {
    pub(in crate::results) async fn remove_unreferenced_results(
        &self,
        referenced: &[String],
        age: Duration,
    ) -> Result<usize, StoreError> {
        let referenced: HashSet<&str> = referenced.iter().map(String::as_str).collect();
        let mut objects = self.list_objects().await?;
        objects.retain(|(name, _)| !referenced.contains(name.as_str()));
        let uploads = self.list_incomplete_uploads().await?;
        if objects.is_empty() && uploads.is_empty() {
            return Ok(0);
        }
        let cutoff = self.read_server_time().await?.saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        let mut removed = 0;
        for (name, _) in objects.iter().filter(|(_, created)| *created <= cutoff) {
            self.run_with_operation_timeout("remove", name, self.objects.delete(&self.settings.object_key(name)))
                .await?;
            removed += 1;
        }
        for upload in uploads.iter().filter(|upload| upload.started <= cutoff) {
            self.abort_upload(upload).await?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Lists the names and modification times (Unix timestamps in seconds) of the objects that Clew created on S3.
    pub(super) async fn list_objects(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let mut listed = self.objects.list(Some(&self.settings.prefix));
        let mut names = Vec::new();
        loop {
            match timeout(OPERATION_TIMEOUT, listed.next()).await {
                Ok(None) => return Ok(names),
                Ok(Some(Ok(meta))) => {
                    let name = self.parse_object_key(&meta.location).map(str::to_owned);
                    names.extend(name.map(|name| (name, meta.last_modified.timestamp())));
                }
                Ok(Some(Err(error))) => self.check_object_storage_response("list", "", Ok(Err(error)))?,
                Err(elapsed) => self.check_object_storage_response("list", "", Err(elapsed))?,
            }
        }
    }

    /// Reads the S3 server's time from the timestamp of a temporary object, as a Unix timestamp in seconds.
    pub(super) async fn read_server_time(&self) -> Result<i64, StoreError> {
        let name = generate_temporary_object_name();
        let path = self.settings.object_key(&name);
        let objects = &self.objects;
        self.run_with_operation_timeout(
            "write",
            &name,
            objects.put_opts(&path, PutPayload::default(), PutMode::Create.into()),
        )
        .await?;
        let meta = self.run_with_operation_timeout("read", &name, objects.head(&path)).await;
        self.run_with_operation_timeout("remove", &name, objects.delete(&path)).await?;
        Ok(meta?.last_modified.timestamp())
    }
}
