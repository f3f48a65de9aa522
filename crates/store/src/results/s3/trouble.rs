//! What went wrong with S3, in words: what, why, and what to do.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

use super::settings::S3Settings;
use crate::error::StoreError;

const KEYS: &str =
    "; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that the key may write, read, list and remove there";
const BUCKET: &str = "; make the bucket, or name another one";
/// Its code for a request with a date that is too far from its own clock.
const SKEWED: &str = "RequestTimeTooSkewed";
const CLOCK: &str = "; set the clock of this machine right";
const REACH: &str = "; check AWS_ENDPOINT_URL, the network, and whether S3 is up";

pub(super) fn setup(settings: &S3Settings, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::S3 { doing: "use", place: settings.place(""), reason: reason.to_string(), remedy: "" }
}

pub(super) fn late(doing: &'static str, place: String) -> StoreError {
    StoreError::S3 { doing, place, reason: "S3 did not answer in time".to_owned(), remedy: REACH }
}

pub(super) fn refused(doing: &'static str, place: String, error: &object_store::Error) -> StoreError {
    let (reason, remedy) = why(error);
    StoreError::S3 { doing, place, reason, remedy }
}

/// The exchange failed.
pub(super) fn broken(doing: &'static str, place: String, error: &HttpError) -> StoreError {
    let (reason, remedy) = why(error);
    StoreError::S3 { doing, place, reason, remedy }
}

/// S3 answered with an error.
pub(super) fn answered(doing: &'static str, place: String, status: http::StatusCode, body: &str) -> StoreError {
    let said = said(body);
    let reason = if said.is_empty() { format!("it answered {status}") } else { said };
    StoreError::S3 { doing, place, reason, remedy: if status == http::StatusCode::FORBIDDEN { KEYS } else { "" } }
}

/// Whether S3 refuses whatever this machine asks, as its clock is wrong.
pub(super) fn is_of_the_clock(error: &object_store::Error) -> bool {
    error.to_string().contains(SKEWED)
}

/// Whether the connection broke in the midst, so that nobody knows what became of the question.
pub(super) fn broke_off(error: &object_store::Error) -> bool {
    transport(error).is_some_and(|kind| !matches!(kind, HttpErrorKind::Timeout | HttpErrorKind::Decode))
}

/// Why, and what to do. What S3 says itself is a page of XML: its code and message are enough.
fn why(error: &(dyn Error + 'static)) -> (String, &'static str) {
    let text = error.to_string();
    let said = said(&text);
    if said.contains(SKEWED) {
        return (format!("this machine's clock is wrong, or that of S3 ({said})"), CLOCK);
    }
    let known = matches!(
        error.downcast_ref(),
        Some(object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. })
    );
    if known {
        let said = if said.is_empty() { "no reason was given" } else { &said };
        return (format!("access denied ({said})"), KEYS);
    }
    if text.contains("NoSuchBucket") {
        return ("there is no such bucket".to_owned(), BUCKET);
    }
    match transport(error) {
        Some(HttpErrorKind::Connect) => (format!("S3 cannot be reached ({})", innermost(error)), REACH),
        Some(HttpErrorKind::Timeout) => ("S3 did not answer in time".to_owned(), REACH),
        Some(_) => (format!("the connection to S3 broke ({})", innermost(error)), REACH),
        None if said.is_empty() => (text, ""),
        None => (said, ""),
    }
}

/// How the exchange failed, where it was that.
fn transport(error: &(dyn Error + 'static)) -> Option<HttpErrorKind> {
    let found = error.downcast_ref::<HttpError>().map(HttpError::kind);
    found.or_else(|| error.source().and_then(transport))
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}

/// Code and message of an error's XML, if it is there.
fn said(text: &str) -> String {
    let said = [between(text, "<Code>", "</Code>"), between(text, "<Message>", "</Message>")];
    said.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_not_taken_for_wrong_keys() {
        let said = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>";
        let source = said.into();
        let error = object_store::Error::PermissionDenied { path: "x".to_owned(), source };
        assert!(is_of_the_clock(&error));
        let error = refused("write", "s3://results/x".to_owned(), &error).to_string();
        assert!(error.contains("clock is wrong") && error.contains("RequestTimeTooSkewed"), "{error}");
        assert!(error.contains(CLOCK) && !error.contains("AWS_ACCESS_KEY_ID"), "{error}");
    }
}
