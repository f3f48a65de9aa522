//! Converts S3 errors to [`StoreError`]. Error messages can include a hint on how to fix the problem.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

use crate::error::StoreError;
use crate::results::s3::settings::S3Settings;

const ACCESS_DENIED_HINT: &str =
    "; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that the key may write, read, list and remove there";
const MISSING_BUCKET_HINT: &str = "; create the bucket, or use another one";
const CLOCK_SKEW_ERROR_CODE: &str = "RequestTimeTooSkewed";
const CLOCK_SKEW_HINT: &str = "; correct the clock of this machine";
const CONNECTION_FAILURE_HINT: &str = "; check AWS_ENDPOINT_URL, the network, and whether S3 is up";

pub(super) fn invalid_settings_error(settings: &S3Settings, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::S3 { action: "use", location: settings.object_uri(""), reason: reason.to_string(), remedy: "" }
}

pub(super) fn timeout_error(action: &'static str, location: String) -> StoreError {
    StoreError::S3 {
        action,
        location,
        reason: "S3 did not respond in time".to_owned(),
        remedy: CONNECTION_FAILURE_HINT,
    }
}

/// `error` is an error of the S3 client or of its HTTP client.
pub(super) fn request_error(action: &'static str, location: String, error: &(dyn Error + 'static)) -> StoreError {
    let (reason, remedy) = describe_object_storage_error(error);
    StoreError::S3 { action, location, reason, remedy }
}

pub(super) fn http_response_error(
    action: &'static str,
    location: String,
    status: http::StatusCode,
    body: &str,
) -> StoreError {
    let message = extract_xml_error_message(body);
    let reason = if message.is_empty() { format!("S3 responded with {status}") } else { message };
    StoreError::S3 {
        action,
        location,
        reason,
        remedy: if status == http::StatusCode::FORBIDDEN { ACCESS_DENIED_HINT } else { "" },
    }
}

pub(super) fn is_clock_skew_error(error: &object_store::Error) -> bool {
    error.to_string().contains(CLOCK_SKEW_ERROR_CODE)
}

/// S3 may have executed the request despite the lost connection.
pub(super) fn is_connection_loss_error(error: &object_store::Error) -> bool {
    find_http_error_kind(error).is_some_and(|kind| !matches!(kind, HttpErrorKind::Timeout | HttpErrorKind::Decode))
}

fn describe_object_storage_error(error: &(dyn Error + 'static)) -> (String, &'static str) {
    let text = error.to_string();
    let message = extract_xml_error_message(&text);
    if message.contains(CLOCK_SKEW_ERROR_CODE) {
        return (format!("this machine's clock is wrong, or that of S3 ({message})"), CLOCK_SKEW_HINT);
    }
    let is_denied = matches!(
        error.downcast_ref(),
        Some(object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. })
    );
    if is_denied {
        let message = if message.is_empty() { "S3 gave no reason" } else { &message };
        return (format!("access denied ({message})"), ACCESS_DENIED_HINT);
    }
    if text.contains("NoSuchBucket") {
        return ("there is no such bucket".to_owned(), MISSING_BUCKET_HINT);
    }
    match find_http_error_kind(error) {
        Some(HttpErrorKind::Connect) => {
            (format!("S3 cannot be reached ({})", find_root_cause(error)), CONNECTION_FAILURE_HINT)
        }
        Some(HttpErrorKind::Timeout) => ("S3 did not respond in time".to_owned(), CONNECTION_FAILURE_HINT),
        Some(_) => (format!("the connection to S3 was lost ({})", find_root_cause(error)), CONNECTION_FAILURE_HINT),
        None if message.is_empty() => (text, ""),
        None => (message, ""),
    }
}

fn find_http_error_kind(error: &(dyn Error + 'static)) -> Option<HttpErrorKind> {
    let found = error.downcast_ref::<HttpError>().map(HttpError::kind);
    found.or_else(|| error.source().and_then(find_http_error_kind))
}

fn find_root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, find_root_cause)
}

fn extract_xml_error_message(text: &str) -> String {
    let message =
        [extract_text_between(text, "<Code>", "</Code>"), extract_text_between(text, "<Message>", "</Message>")];
    message.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

fn extract_text_between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_skew_is_not_reported_as_wrong_credentials() {
        let message = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>";
        let source = message.into();
        let error = object_store::Error::PermissionDenied { path: "x".to_owned(), source };
        assert!(is_clock_skew_error(&error));
        let error = request_error("write", "s3://results/x".to_owned(), &error).to_string();
        assert!(error.contains("clock is wrong") && error.contains("RequestTimeTooSkewed"), "{error}");
        assert!(error.contains(CLOCK_SKEW_HINT) && !error.contains("AWS_ACCESS_KEY_ID"), "{error}");
    }
}
