//! What time it is at S3: objects are dated by its clock, and that of this machine may be wrong.

use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::{S3, passing};
use crate::error::StoreError;

impl S3 {
    /// Seconds since 1970, by S3's own clock: the date of an object that is made for it.
    pub(super) async fn now(&self) -> Result<i64, StoreError> {
        let name = passing();
        let path = self.settings.path(&name);
        let objects = &self.objects;
        self.within("write", &name, objects.put_opts(&path, PutPayload::default(), PutMode::Create.into())).await?;
        let meta = self.within("read", &name, objects.head(&path)).await;
        self.within("remove", &name, objects.delete(&path)).await?;
        Ok(meta?.last_modified.timestamp())
    }
}
