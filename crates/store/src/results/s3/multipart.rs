//! Incomplete multipart uploads: `ListMultipartUploads`, which `object_store` does not provide.

use http::Request;
use jiff::Timestamp;
use object_store::aws::AwsAuthorizer;
use object_store::client::HttpRequestBody;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use serde::Deserialize;
use tokio::time::timeout;

use super::{OPERATION_TIMEOUT, S3, error};
use crate::error::StoreError;

/// An incomplete upload of a Clew object.
pub(super) struct IncompleteUpload {
    path: Path,
    id: String,
    /// Start time, in seconds since 1970.
    pub(super) started: i64,
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
    /// Lists up to 1000 uploads, the maximum of an S3 response. The next garbage collection handles the rest.
    pub(super) async fn uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError> {
        let body = self.list_uploads().await?;
        let listing: Listing = quick_xml::de::from_str(&body)
            .map_err(|error| self.failed("list uploads to", "", &format!("the answer cannot be read: {error}")))?;
        let ours = listing.uploads.into_iter().filter_map(|upload| {
            let path = Path::parse(&upload.key).ok()?;
            self.name(&path)?;
            Some(IncompleteUpload { path, id: upload.id, started: upload.initiated.as_second() })
        });
        Ok(ours.collect())
    }

    async fn list_uploads(&self) -> Result<String, StoreError> {
        const ACTION: &str = "list uploads to";
        let settings = &self.settings;
        // Only the slashes of the prefix need escaping: [`S3Settings::new`] restricts its characters.
        let prefix = settings.prefix().to_string().replace('/', "%2F");
        let url = format!("{}/{}?prefix={prefix}&uploads=", settings.endpoint(), settings.bucket());
        let failed = |error: &dyn std::fmt::Display| self.failed(ACTION, "", &error.to_string());
        let mut request = Request::get(url).body(HttpRequestBody::empty()).map_err(|error| failed(&error))?;
        let credential = self.with_timeout(ACTION, "", self.objects.credentials().get_credential()).await?;
        let signer = AwsAuthorizer::new(&credential, "s3", settings.region());
        signer.try_authorize(&mut request, None).map_err(|error| failed(&error))?;
        let exchange = async {
            let response = self.http.execute(request).await?;
            let status = response.status();
            Ok((status, response.into_body().bytes().await?))
        };
        let (status, body) = match timeout(OPERATION_TIMEOUT, exchange).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(error::exchange_failed(ACTION, settings.uri(""), &error)),
            Err(_) => return Err(error::timed_out(ACTION, settings.uri(""))),
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() { Ok(body) } else { Err(error::error_response(ACTION, settings.uri(""), status, &body)) }
    }

    pub(super) async fn abort_upload(&self, upload: &IncompleteUpload) -> Result<(), StoreError> {
        let name = upload.path.filename().unwrap_or_default();
        match timeout(OPERATION_TIMEOUT, self.objects.abort_multipart(&upload.path, &upload.id)).await {
            // The upload was completed or aborted meanwhile.
            Ok(Err(object_store::Error::NotFound { .. })) => Ok(()),
            aborted => self.check_response("give up an upload of", name, aborted),
        }
    }
}
