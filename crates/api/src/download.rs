//! Serves stored results as CSV downloads with a header row.

use std::ops::Range;

use axum::response::Response;
use clew_http::{Download, FileStream};
use clew_model::ApiErrorDefinition;
use clew_store::StoredResult;
use futures_util::future::Either;
use http::{HeaderMap, Method, StatusCode};

use crate::error::ApiError;

#[derive(Debug)]
pub(crate) struct StoredResultDownload {
    pub(crate) header: Vec<u8>,
    pub(crate) stored: StoredResult,
    pub(crate) stored_bytes: u64,
    /// Strong entity tag of the uncompressed content, without quotes.
    pub(crate) etag: String,
    pub(crate) file_name: String,
}

impl StoredResultDownload {
    pub(crate) fn build_response(self, method: &Method, headers: &HeaderMap) -> Result<Response, ApiError> {
        let open_range = |range: Range<u64>| match self.stored {
            StoredResult::File(file) => Either::Left(FileStream::new(file, range)),
            StoredResult::Object(object) => Either::Right(object.into_chunk_stream(range)),
        };
        let download = Download {
            prefix: self.header.into(),
            content_bytes: self.stored_bytes,
            open_range,
            tag: self.etag,
            content_type: "text/csv; charset=utf-8; header=present",
            file_name: self.file_name,
            vary: "Accept-Encoding, X-Language",
        };
        let length = download.uncompressed_length();
        let mut response = download.build_response(method, headers).map_err(ApiError::internal_error)?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            let arguments = [("length", length.to_string())];
            let error = ApiError::with_detail(ApiErrorDefinition::RANGE_NOT_SATISFIABLE, "range-limit", arguments);
            response.extensions_mut().insert(error);
        }
        Ok(response)
    }
}
