//! Reads the time of the S3 server. The S3 server sets the timestamps of objects by its own clock.

use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::error::StoreError;
use crate::results::s3::{S3, generate_temporary_object_name};

impl S3 {
    /// Creates a temporary object and returns its modification time as a Unix timestamp in seconds.
    pub(super) async fn read_server_time(&self) -> Result<i64, StoreError> {
        let name = generate_temporary_object_name();
        let path = self.settings.object_path(&name);
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
