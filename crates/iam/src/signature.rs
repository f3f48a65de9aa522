//! SDK-HMAC-SHA256: how the cloud's SDKs sign requests (spec section 8.1).
//!
//! Both halves stand here, so that what the client signs and what the server checks cannot drift apart.

mod authorization;
mod canonical;

use clew_model::AccessKeyId;
use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use authorization::Authorization;

/// The algorithm's name in the `Authorization` header.
pub const ALGORITHM: &str = "SDK-HMAC-SHA256";
/// How far a request's date may be from the server's clock, in either direction.
pub const MAX_DRIFT: SignedDuration = SignedDuration::from_mins(15);
/// Value of `X-Sdk-Content-Sha256` that leaves the body out of the signature.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

const EMPTY_BODY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const DATE_HEADER: &str = "x-sdk-date";
const CONTENT_HASH_HEADER: &str = "x-sdk-content-sha256";

/// What of a request is signed.
#[derive(Debug, Clone)]
pub struct RequestToSign<'a, T = String> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path as it goes over the wire, percent-encoded.
    pub path: &'a str,
    /// The query as it goes over the wire, without `?`.
    pub query: &'a str,
    /// All headers: name in lower case, value as text.
    pub headers: &'a [(T, T)],
    /// SHA-256 of the body in hexadecimal, from [`body_sha256`].
    pub body_sha256: String,
}

impl<T: AsRef<str>> RequestToSign<'_, T> {
    /// The value of a header, trimmed; the first if it was sent more than once.
    fn value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.as_ref() == name).map(|(_, value)| value.as_ref().trim())
    }

    /// How often a header was sent.
    fn times_sent(&self, name: &str) -> usize {
        self.headers.iter().filter(|(header, _)| header.as_ref() == name).count()
    }

    /// The hash that enters the signature: the SDK takes its own header's word unless the body is empty.
    fn hash_to_sign(&self) -> &str {
        match self.value(CONTENT_HASH_HEADER) {
            Some(told) if self.body_sha256 != EMPTY_BODY_SHA256 => told,
            _ => &self.body_sha256,
        }
    }
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header names another algorithm, or none.
    #[error("the Authorization header does not start with {ALGORITHM}")]
    Algorithm,
    /// A part of the header is missing, repeated or not of its form.
    #[error("the Authorization header has no valid {0}")]
    Malformed(&'static str),
    /// A header that must be signed is not in the list.
    #[error("the header {0} is not among the signed ones")]
    NotSigned(String),
    /// A header of the list was not sent.
    #[error("the header {0} is listed as signed but was not sent")]
    NotSent(String),
    /// A signed header was sent more than once, so that it is unclear which was signed.
    #[error("the signed header {0} was sent more than once")]
    Repeated(String),
    /// `X-Sdk-Date` is not of its form.
    #[error("X-Sdk-Date is not of the form YYYYMMDDTHHMMSSZ")]
    Date,
    /// The request is too old, or from the future.
    #[error(
        "X-Sdk-Date is more than 15 minutes away from the server's clock, which says {now}; set the client's clock"
    )]
    Drift {
        /// The server's clock.
        now: Timestamp,
    },
    /// The body is not the one that was signed.
    #[error("X-Sdk-Content-Sha256 is not the hash of the body")]
    Body,
    /// `UNSIGNED-PAYLOAD` where the body must be signed.
    #[error("the body must be signed: {UNSIGNED_PAYLOAD} is only for content types other than JSON and BSON")]
    UnsignedBody,
    /// The signature is of other content or another secret key.
    #[error("the signature does not fit the request")]
    Mismatch,
}

/// SHA-256 of a body, in lower-case hexadecimal.
#[must_use]
pub fn body_sha256(body: &[u8]) -> String {
    if body.is_empty() { EMPTY_BODY_SHA256.to_owned() } else { hexadecimal(&Sha256::digest(body).into()) }
}

/// Lower-case hexadecimal, at once: `hex::encode` pushes letter after letter.
fn hexadecimal(hash: &[u8; 32]) -> String {
    let mut letters = vec![0; 64];
    match hex::encode_to_slice(hash, &mut letters).map(|()| String::from_utf8(letters)) {
        Ok(Ok(text)) => text,
        _ => unreachable!("32 bytes are 64 letters"),
    }
}

/// Percent-encodes all but letters, digits and `-._~`: a path or query built with it stands on the wire as it is signed.
#[must_use]
pub fn encode(text: &str) -> String {
    canonical::encode(text.as_bytes())
}

/// A moment as `X-Sdk-Date` wants it: `YYYYMMDDTHHMMSSZ`.
#[must_use]
pub fn date(now: Timestamp) -> String {
    now.strftime(DATE_FORMAT).to_string()
}

/// The value of the `Authorization` header.
///
/// `date` must be what the request carries in `X-Sdk-Date`. Names in `signed_headers` are taken in any order; those with `_`,
/// which the SDK never signs because gateways drop them, and those that the request does not carry are left out.
#[must_use]
pub fn sign<T: AsRef<str>>(
    request: &RequestToSign<'_, T>,
    signed_headers: &[&str],
    date: &str,
    access_key: &AccessKeyId,
    secret: &SecretString,
) -> String {
    let mut signed: Vec<String> = signed_headers
        .iter()
        .map(|name| name.to_ascii_lowercase())
        .filter(|name| !name.contains('_') && request.value(name).is_some())
        .collect();
    signed.sort();
    signed.dedup();
    let signature = hexadecimal(&signature(request, &signed, date, secret));
    format!("{ALGORITHM} Access={access_key}, SignedHeaders={}, Signature={signature}", signed.join(";"))
}

/// Whether the request is the one that the holder of the secret key signed, not longer than 15 minutes ago.
///
/// The caller has looked up `secret` by `authorization.access_key`.
pub fn verify<T: AsRef<str>>(
    authorization: &Authorization,
    request: &RequestToSign<'_, T>,
    secret: &SecretString,
    now: Timestamp,
) -> Result<(), SignatureError> {
    let signed = &authorization.signed_headers;
    for name in ["host", DATE_HEADER] {
        must_be_signed(signed, name)?;
    }
    for name in signed {
        match request.times_sent(name) {
            0 => return Err(SignatureError::NotSent(name.clone())),
            1 => {}
            _ => return Err(SignatureError::Repeated(name.clone())),
        }
    }
    let date = request.value(DATE_HEADER).ok_or(SignatureError::Date)?;
    check_drift(date, now)?;
    check_body(signed, request)?;
    let expected = signature(request, signed, date, secret);
    if expected.ct_eq(authorization.signature()).into() { Ok(()) } else { Err(SignatureError::Mismatch) }
}

fn must_be_signed(signed: &[String], name: &str) -> Result<(), SignatureError> {
    if signed.iter().any(|one| one == name) { Ok(()) } else { Err(SignatureError::NotSigned(name.to_owned())) }
}

fn check_drift(date: &str, now: Timestamp) -> Result<(), SignatureError> {
    let form_is_right = date.len() == 16
        && date.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    if !form_is_right {
        return Err(SignatureError::Date);
    }
    let signed_at = DateTime::strptime(DATE_FORMAT, date)
        .and_then(|civil| TimeZone::UTC.to_timestamp(civil))
        .map_err(|_| SignatureError::Date)?;
    if now.duration_since(signed_at).abs() <= MAX_DRIFT { Ok(()) } else { Err(SignatureError::Drift { now }) }
}

/// Checks that the body is bound to the signature: by its real hash, or not at all where that is allowed.
fn check_body<T: AsRef<str>>(signed: &[String], request: &RequestToSign<'_, T>) -> Result<(), SignatureError> {
    let Some(hash) = request.value(CONTENT_HASH_HEADER) else { return Ok(()) };
    if request.times_sent(CONTENT_HASH_HEADER) > 1 {
        return Err(SignatureError::Repeated(CONTENT_HASH_HEADER.to_owned()));
    }
    if hash.eq_ignore_ascii_case(&request.body_sha256) {
        return Ok(());
    }
    if hash != UNSIGNED_PAYLOAD {
        return Err(SignatureError::Body);
    }
    // Both headers must be signed, or whoever stands between could turn a signed body into an unsigned one.
    must_be_signed(signed, CONTENT_HASH_HEADER)?;
    must_be_signed(signed, "content-type")?;
    let content_type = request.value("content-type").unwrap_or_default().to_ascii_lowercase();
    let must_be_hashed = content_type.is_empty()
        || ["application/json", "application/bson"].iter().any(|prefix| content_type.starts_with(prefix));
    if must_be_hashed { Err(SignatureError::UnsignedBody) } else { Ok(()) }
}

/// HMAC of the string to sign, with the secret key itself: there is no derived key.
fn signature<T: AsRef<str>>(
    request: &RequestToSign<'_, T>,
    signed: &[String],
    date: &str,
    secret: &SecretString,
) -> [u8; 32] {
    let canonical = canonical::request(request, signed);
    let to_sign = format!("{ALGORITHM}\n{date}\n{}", body_sha256(canonical.as_bytes()));
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        unreachable!("HMAC takes a key of any length")
    };
    mac.update(to_sign.as_bytes());
    mac.finalize().into_bytes().into()
}
