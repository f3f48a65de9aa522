//! Reads request bodies with a size limit and a timeout.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use crate::error::RequestBodyError;

/// Reads a request body. Fails if the body exceeds `max_bytes` or is not received within `read_timeout`.
pub async fn read_request_body(
    body: Body,
    max_bytes: usize,
    read_timeout: Duration,
) -> Result<Bytes, RequestBodyError> {
    // Reject bodies whose declared length exceeds the limit before reading them.
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(RequestBodyError::TooLarge);
    }
    match timeout(read_timeout, Limited::new(body, max_bytes).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(RequestBodyError::TooLarge),
        Ok(Err(error)) => Err(RequestBodyError::Failed(error)),
        Err(_) => Err(RequestBodyError::TimedOut),
    }
}
