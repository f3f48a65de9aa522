//! Uploads that were begun and never completed: `ListMultipartUploads`, which the library does not know.

use http::Request;
use jiff::Timestamp;
use object_store::aws::AwsAuthorizer;
use object_store::client::HttpRequestBody;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use serde::Deserialize;
use tokio::time::timeout;

use super::{LIMIT, S3, trouble};
use crate::error::StoreError;

/// An upload of one of Clew's objects.
pub(super) struct Unfinished {
    path: Path,
    id: String,
    /// Seconds since 1970.
    pub(super) begun: i64,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default, rename = "Upload")]
    uploads: Vec<Upload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    initiated: Timestamp,
}

impl S3 {
    /// The first thousand of them, which is as many as S3 tells at a time: the next round sees the next.
    pub(super) async fn uploads(&self) -> Result<Vec<Unfinished>, StoreError> {
        let body = self.ask_for_uploads().await?;
        let listing: Listing = quick_xml::de::from_str(&body)
            .map_err(|error| self.failed("list uploads to", "", &format!("the answer cannot be read: {error}")))?;
        let ours = listing.uploads.into_iter().filter_map(|upload| {
            let path = Path::parse(&upload.key).ok()?;
            self.name(&path)?;
            Some(Unfinished { path, id: upload.id, begun: upload.initiated.as_second() })
        });
        Ok(ours.collect())
    }

    async fn ask_for_uploads(&self) -> Result<String, StoreError> {
        const DOING: &str = "list uploads to";
        let settings = &self.settings;
        // The prefix has characters only that stand for themselves, but for its slashes.
        let prefix = settings.prefix().to_string().replace('/', "%2F");
        let url = format!("{}/{}?prefix={prefix}&uploads=", settings.endpoint(), settings.bucket());
        let broken = |error: &dyn std::fmt::Display| self.failed(DOING, "", &error.to_string());
        let mut request = Request::get(url).body(HttpRequestBody::empty()).map_err(|error| broken(&error))?;
        let credential = self.within(DOING, "", self.objects.credentials().get_credential()).await?;
        let signer = AwsAuthorizer::new(&credential, "s3", settings.region());
        signer.try_authorize(&mut request, None).map_err(|error| broken(&error))?;
        let asked = async {
            let answer = self.http.execute(request).await?;
            let status = answer.status();
            Ok((status, answer.into_body().bytes().await?))
        };
        let (status, body) = match timeout(LIMIT, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(trouble::broken(DOING, settings.place(""), &error)),
            Err(_) => return Err(trouble::late(DOING, settings.place(""))),
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() { Ok(body) } else { Err(trouble::answered(DOING, settings.place(""), status, &body)) }
    }

    pub(super) async fn give_up(&self, upload: &Unfinished) -> Result<(), StoreError> {
        let name = upload.path.filename().unwrap_or_default();
        match timeout(LIMIT, self.objects.abort_multipart(&upload.path, &upload.id)).await {
            // It was completed or given up meanwhile.
            Ok(Err(object_store::Error::NotFound { .. })) => Ok(()),
            given_up => self.told("give up an upload of", name, given_up),
        }
    }
}
