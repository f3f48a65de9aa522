//! Requests of the official SDKs, and modified requests that must be rejected.
//!
//! `fixtures/sdk_requests.json` contains the requests as sent. A separate implementation of each SDK's signature rules
//! computed the signatures, except for the published values, which are from the unit tests of the SDKs.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::collections::BTreeMap;
use std::path::Path;

use clew_iam::signature::{self, AuthorizationHeader, RequestToSign, SignatureCoverage, SignatureError};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::Deserialize;

/// A request as sent, with the expected outcomes of its verification.
#[derive(Deserialize)]
struct SentRequest {
    name: String,
    sdk: String,
    access_key: String,
    secret_key: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
    /// Outcome with [`SignatureCoverage::OfficialSdks`].
    compatible: String,
    /// Outcome with [`SignatureCoverage::HostAndBody`].
    strict: String,
}

impl SentRequest {
    fn read_all() -> Vec<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sdk_requests.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value).unwrap()
    }

    /// Verifies the request at the time of its `X-Sdk-Date`.
    fn verify(&self, coverage: SignatureCoverage) -> Result<(), SignatureError> {
        let authorization = AuthorizationHeader::parse(self.header("authorization")).unwrap();
        assert_eq!(authorization.access_key.as_str(), self.access_key, "{}", self.name);
        let headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let request = RequestToSign {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body_sha256: signature::hash_body(self.body.as_bytes()),
        };
        let secret = SecretString::from(self.secret_key.as_str());
        signature::verify_signature(&authorization, &request, &secret, self.signed_at(), coverage)
    }

    fn signed_at(&self) -> Timestamp {
        let date = DateTime::strptime("%Y%m%dT%H%M%SZ", self.header("x-sdk-date")).unwrap();
        TimeZone::UTC.to_timestamp(date).unwrap()
    }
}

fn outcome(verified: Result<(), SignatureError>) -> String {
    match verified {
        Ok(()) => "accepted".to_owned(),
        Err(SignatureError::NotSigned(name)) => format!("not_signed {name}"),
        Err(SignatureError::NotSent(name)) => format!("not_sent {name}"),
        Err(SignatureError::HostNotSigned) => "host_not_signed".to_owned(),
        Err(SignatureError::UnsignedBody) => "unsigned_body".to_owned(),
        Err(SignatureError::Body) => "wrong_body_hash".to_owned(),
        Err(SignatureError::Mismatch) => "mismatch".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn requests_of_all_official_sdks_are_accepted_and_modified_requests_are_rejected() {
    for request in SentRequest::read_all() {
        let verified = outcome(request.verify(SignatureCoverage::OfficialSdks));
        assert_eq!(verified, request.compatible, "{}", request.name);
    }
}

#[test]
fn strict_rule_requires_a_signed_host_and_body() {
    for request in SentRequest::read_all() {
        let verified = outcome(request.verify(SignatureCoverage::HostAndBody));
        assert_eq!(verified, request.strict, "{}", request.name);
    }
}

#[test]
fn recorded_requests_include_every_official_sdk_and_rejected_modifications() {
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    let mut rejected = 0;
    for request in SentRequest::read_all() {
        let language = request.sdk.split(' ').next().unwrap();
        if request.compatible == "accepted" {
            *accepted.entry(language.to_owned()).or_default() += 1;
        } else {
            rejected += 1;
        }
    }
    let languages: Vec<&str> = accepted.keys().map(String::as_str).collect();
    assert_eq!(languages, [".NET", "C++", "Go", "Java", "Node.js", "PHP"]);
    assert!(rejected >= 15, "{rejected}");
}
