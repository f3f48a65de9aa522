//! Lists incomplete multipart uploads with direct S3 requests, because `object_store` has no such operation.

use http::Request;
use jiff::Timestamp;
use object_store::aws::AwsAuthorizer;
use object_store::client::{HttpError, HttpRequestBody};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use serde::Deserialize;
use tokio::time::timeout;

use crate::error::StoreError;
use crate::results::s3::{OPERATION_TIMEOUT, S3, error};

pub(super) struct IncompleteUpload {
    path: Path,
    id: String,
    /// Unix timestamp in seconds.
    pub(super) started: i64,
}

#[derive(Deserialize)]
struct ListMultipartUploadsResult {
    #[serde(default, rename = "Upload")]
    uploads: Vec<ListedMultipartUpload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedMultipartUpload {
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    initiated: Timestamp,
}

impl S3 {
    /// Lists at most 1,000 incomplete uploads, which is the maximum that one S3 response can contain.
    /// Later garbage collection runs process the remaining uploads.
    pub(super) async fn list_incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError> {
        let body = self.list_multipart_uploads().await?;
        let listing: ListMultipartUploadsResult = quick_xml::de::from_str(&body).map_err(|error| {
            self.object_storage_error("list the uploads of", "", &format!("the response cannot be parsed: {error}"))
        })?;
        let ours = listing.uploads.into_iter().filter_map(|upload| {
            let path = Path::parse(&upload.key).ok()?;
            self.parse_object_key(&path)?;
            Some(IncompleteUpload { path, id: upload.id, started: upload.initiated.as_second() })
        });
        Ok(ours.collect())
    }

    async fn list_multipart_uploads(&self) -> Result<String, StoreError> {
        const LIST_UPLOADS_ERROR_CONTEXT: &str = "list the uploads of";
        let settings = &self.settings;
        // [`S3Settings::new`] restricts the characters of the prefix, so only slashes need escaping.
        let prefix = settings.prefix.to_string().replace('/', "%2F");
        let url = format!("{}/{}?prefix={prefix}&uploads=", settings.endpoint, settings.bucket);
        let failed = |error: &dyn std::fmt::Display| {
            self.object_storage_error(LIST_UPLOADS_ERROR_CONTEXT, "", &error.to_string())
        };
        let mut request = Request::get(url).body(HttpRequestBody::empty()).map_err(|error| failed(&error))?;
        let credential = self
            .run_with_operation_timeout(LIST_UPLOADS_ERROR_CONTEXT, "", self.objects.credentials().get_credential())
            .await?;
        let signer = AwsAuthorizer::new(&credential, "s3", &settings.region);
        signer.try_authorize(&mut request, None).map_err(|error| failed(&error))?;
        let exchange = async {
            let response = self.http.execute(request).await?;
            let status = response.status();
            Ok::<_, HttpError>((status, response.into_body().bytes().await?))
        };
        let (status, body) = match timeout(OPERATION_TIMEOUT, exchange).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                return Err(error::request_error(LIST_UPLOADS_ERROR_CONTEXT, settings.object_uri(""), &error));
            }
            Err(_) => return Err(error::timeout_error(LIST_UPLOADS_ERROR_CONTEXT, settings.object_uri(""))),
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() {
            Ok(body)
        } else {
            Err(error::http_response_error(LIST_UPLOADS_ERROR_CONTEXT, settings.object_uri(""), status, &body))
        }
    }

    pub(super) async fn abort_upload(&self, upload: &IncompleteUpload) -> Result<(), StoreError> {
        let name = upload.path.filename().unwrap_or_default();
        match timeout(OPERATION_TIMEOUT, self.objects.abort_multipart(&upload.path, &upload.id)).await {
            // The upload was completed or aborted concurrently.
            Ok(Err(object_store::Error::NotFound { .. })) => Ok(()),
            aborted => self.check_object_storage_response("abort an upload of", name, aborted),
        }
    }
}
