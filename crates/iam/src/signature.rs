//! SDK-HMAC-SHA256 request signatures, as used by the Huawei Cloud SDKs (TaurusDB API spec, section 8.1).
//!
//! The client and the server share this module, so that signing and verification always use the same algorithm.

mod authorization_header;
mod canonical_request;

use clew_model::AccessKeyId;
use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use authorization_header::AuthorizationHeader;

/// Signature algorithm name in the `Authorization` header.
pub const SIGNATURE_ALGORITHM: &str = "SDK-HMAC-SHA256";
/// Maximum difference between a request's date and the server's clock, in either direction.
pub const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(15);
/// Value of the `X-Sdk-Content-Sha256` header for requests whose signature does not cover the body.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Parts of a request that its signature must cover, in addition to `X-Sdk-Date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureCoverage {
    /// The parts that all official SDKs sign. The `Host` header may be unsigned.
    /// The body may be unsigned if the signed header `X-Sdk-Content-Sha256` contains [`UNSIGNED_PAYLOAD`].
    #[default]
    OfficialSdks,
    /// The `Host` header and the body.
    HostAndBody,
}

const EMPTY_BODY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const X_SDK_DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const X_SDK_DATE_HEADER: &str = "x-sdk-date";
const HOST_HEADER: &str = "host";
const CONTENT_HASH_HEADER: &str = "x-sdk-content-sha256";

/// Signed parts of a request.
#[derive(Debug, Clone)]
pub struct RequestToSign<'a, T = String> {
    /// HTTP method, such as `GET`.
    pub method: &'a str,
    /// Percent-encoded path, as sent by the client.
    pub path: &'a str,
    /// Query string as sent by the client, without `?`.
    pub query: &'a str,
    /// All headers of the request, with lowercase names.
    pub headers: &'a [(T, T)],
    /// SHA-256 hash of the body in hexadecimal, as returned by [`hash_body`].
    pub body_sha256: String,
}

impl<T: AsRef<str>> RequestToSign<'_, T> {
    /// Returns the first value of a repeated header.
    fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.as_ref() == name).map(|(_, value)| value.as_ref().trim())
    }

    fn count_header_occurrences(&self, name: &str) -> usize {
        self.headers.iter().filter(|(header, _)| header.as_ref() == name).count()
    }

    /// Returns the body hashes with which the SDKs sign the request.
    ///
    /// All SDKs replace the computed body hash with the value of the header `X-Sdk-Content-Sha256`.
    /// For an empty body, the SDK for Python signs the computed hash, and the other SDKs sign the header's value.
    fn body_hashes(&self) -> (&str, Option<&str>) {
        match self.header_value(CONTENT_HASH_HEADER) {
            Some(header_hash) if self.body_sha256 == EMPTY_BODY_HASH => (&self.body_sha256, Some(header_hash)),
            Some(header_hash) => (header_hash, None),
            None => (&self.body_sha256, None),
        }
    }
}

/// Reason why a signature is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The `Authorization` header does not start with the supported signature algorithm, SDK-HMAC-SHA256.
    #[error("the Authorization header does not start with {SIGNATURE_ALGORITHM}")]
    Algorithm,
    /// A part of the `Authorization` header is missing, repeated or malformed.
    #[error("the Authorization header has no valid {0}")]
    Malformed(&'static str),
    /// A required header is not signed.
    #[error("the header {0} must be signed, but SignedHeaders does not list it; fix: sign the header {0}")]
    NotSigned(String),
    /// The `Host` header is not signed, but [`SignatureCoverage::HostAndBody`] requires its signature.
    #[error(
        "the header host must be signed, because the server's setting http.strict_signatures is true; \
         fix: use an SDK that signs the header host, or set http.strict_signatures = false"
    )]
    HostNotSigned,
    /// A signed header is missing from the request.
    #[error("the header {0} is listed as signed but is missing")]
    NotSent(String),
    /// A signed header occurs more than once, so it is unclear which value was signed.
    #[error("the signed header {0} occurs more than once")]
    Repeated(String),
    /// `X-Sdk-Date` is malformed.
    #[error("X-Sdk-Date does not have the format YYYYMMDDTHHMMSSZ")]
    Date,
    /// The request date differs from the server's clock by more than [`MAX_CLOCK_SKEW`].
    #[error(
        "X-Sdk-Date differs by more than 15 minutes from the server's clock ({now}); fix: synchronize the client's clock"
    )]
    Drift {
        /// Time of the server.
        now: Timestamp,
    },
    /// The SHA-256 hash of the request body differs from `X-Sdk-Content-Sha256`.
    #[error(
        "X-Sdk-Content-Sha256 is not the SHA-256 hash of the body; fix: send the hash of the body, or omit the header"
    )]
    Body,
    /// The body is unsigned (`UNSIGNED-PAYLOAD`), but [`SignatureCoverage::HostAndBody`] requires a signed body.
    #[error(
        "the body must be signed, because the server's setting http.strict_signatures is true, but \
         X-Sdk-Content-Sha256 is {UNSIGNED_PAYLOAD}; \
         fix: sign the SHA-256 hash of the body, or set http.strict_signatures = false"
    )]
    UnsignedBody,
    /// The signature does not match: the request was modified or was signed with a different secret key.
    #[error(
        "the signature does not match the request; fix: use the secret key of the access key, and check that no proxy \
         modifies the path, query, body or signed headers"
    )]
    Mismatch,
}

/// Returns the SHA-256 hash of a body in lowercase hexadecimal.
#[must_use]
pub fn hash_body(body: &[u8]) -> String {
    if body.is_empty() { EMPTY_BODY_HASH.to_owned() } else { encode_hex(&Sha256::digest(body).into()) }
}

/// `hex::encode` is slower, because it appends one character at a time.
fn encode_hex(hash: &[u8; 32]) -> String {
    let mut letters = vec![0; 64];
    match hex::encode_to_slice(hash, &mut letters).map(|()| String::from_utf8(letters)) {
        Ok(Ok(text)) => text,
        _ => unreachable!("32 bytes are 64 letters"),
    }
}

/// Percent-encodes all characters except letters, digits and `-._~`.
///
/// A canonical request contains path segments and query parameters in this encoding.
#[must_use]
pub fn percent_encode(text: &str) -> String {
    canonical_request::percent_encode_bytes(text.as_bytes())
}

/// Formats a timestamp for `X-Sdk-Date`: `YYYYMMDDTHHMMSSZ`.
#[must_use]
pub fn format_x_sdk_date(now: Timestamp) -> String {
    now.strftime(X_SDK_DATE_FORMAT).to_string()
}

/// Signs a request and returns the value of the `Authorization` header.
///
/// `date` is the value of the request's `X-Sdk-Date` header. `signed_headers` may be in any order.
/// Ignores names in `signed_headers` that are missing from the request headers.
/// Headers with `_` in their names remain unsigned, because gateways can remove such headers.
#[must_use]
pub fn sign_request<T: AsRef<str>>(
    request: &RequestToSign<'_, T>,
    signed_headers: &[&str],
    date: &str,
    access_key: &AccessKeyId,
    secret: &SecretString,
) -> String {
    let mut signed: Vec<String> = signed_headers
        .iter()
        .map(|name| name.to_ascii_lowercase())
        .filter(|name| !name.contains('_') && request.header_value(name).is_some())
        .collect();
    signed.sort();
    signed.dedup();
    let (body_hash, _) = request.body_hashes();
    let signature = encode_hex(&compute_signature(request, &signed, body_hash, date, secret));
    format!("{SIGNATURE_ALGORITHM} Access={access_key}, SignedHeaders={}, Signature={signature}", signed.join(";"))
}

/// Verifies a request's signature and checks that the request date is within 15 minutes of `now`.
///
/// `secret` is the secret key that belongs to `authorization.access_key`.
/// The signature must cover `X-Sdk-Date` and the parts of the request that `coverage` requires.
pub fn verify_signature<T: AsRef<str>>(
    authorization: &AuthorizationHeader,
    request: &RequestToSign<'_, T>,
    secret: &SecretString,
    now: Timestamp,
    coverage: SignatureCoverage,
) -> Result<(), SignatureError> {
    let signed = &authorization.signed_headers;
    require_signed_header(signed, X_SDK_DATE_HEADER)?;
    if coverage == SignatureCoverage::HostAndBody && !is_signed(signed, HOST_HEADER) {
        return Err(SignatureError::HostNotSigned);
    }
    for name in signed {
        match request.count_header_occurrences(name) {
            0 => return Err(SignatureError::NotSent(name.clone())),
            1 => {}
            _ => return Err(SignatureError::Repeated(name.clone())),
        }
    }
    let date = request.header_value(X_SDK_DATE_HEADER).ok_or(SignatureError::Date)?;
    check_clock_skew(date, now)?;
    check_body_hash(signed, request, coverage)?;
    let is_match = |body_hash: &str| -> bool {
        compute_signature(request, signed, body_hash, date, secret).ct_eq(authorization.signature()).into()
    };
    let (body_hash, alternative) = request.body_hashes();
    if is_match(body_hash) || alternative.is_some_and(is_match) { Ok(()) } else { Err(SignatureError::Mismatch) }
}

fn is_signed(signed: &[String], name: &str) -> bool {
    signed.iter().any(|one| one == name)
}

fn require_signed_header(signed: &[String], name: &str) -> Result<(), SignatureError> {
    if is_signed(signed, name) { Ok(()) } else { Err(SignatureError::NotSigned(name.to_owned())) }
}

fn check_clock_skew(date: &str, now: Timestamp) -> Result<(), SignatureError> {
    let is_well_formed = date.len() == 16
        && date.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    if !is_well_formed {
        return Err(SignatureError::Date);
    }
    let signed_at = DateTime::strptime(X_SDK_DATE_FORMAT, date)
        .and_then(|civil| TimeZone::UTC.to_timestamp(civil))
        .map_err(|_| SignatureError::Date)?;
    if now.duration_since(signed_at).abs() <= MAX_CLOCK_SKEW { Ok(()) } else { Err(SignatureError::Drift { now }) }
}

fn check_body_hash<T: AsRef<str>>(
    signed: &[String],
    request: &RequestToSign<'_, T>,
    coverage: SignatureCoverage,
) -> Result<(), SignatureError> {
    let Some(hash) = request.header_value(CONTENT_HASH_HEADER) else { return Ok(()) };
    if request.count_header_occurrences(CONTENT_HASH_HEADER) > 1 {
        return Err(SignatureError::Repeated(CONTENT_HASH_HEADER.to_owned()));
    }
    if hash.eq_ignore_ascii_case(&request.body_sha256) {
        return Ok(());
    }
    if hash != UNSIGNED_PAYLOAD {
        return Err(SignatureError::Body);
    }
    if coverage == SignatureCoverage::HostAndBody {
        return Err(SignatureError::UnsignedBody);
    }
    // An SDK always signs the header. An unsigned header was added after signing.
    require_signed_header(signed, CONTENT_HASH_HEADER)
}

fn compute_signature<T: AsRef<str>>(
    request: &RequestToSign<'_, T>,
    signed: &[String],
    body_hash: &str,
    date: &str,
    secret: &SecretString,
) -> [u8; 32] {
    let canonical = canonical_request::build_canonical_request(request, signed, body_hash);
    let to_sign = format!("{SIGNATURE_ALGORITHM}\n{date}\n{}", hash_body(canonical.as_bytes()));
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        unreachable!("HMAC takes a key of any length")
    };
    mac.update(to_sign.as_bytes());
    mac.finalize().into_bytes().into()
}
