//! Request signatures: examples of spec section 8.1, and requests that must be rejected.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use clew_iam::signature::{
    self, AuthorizationHeader, RequestToSign, SignatureCoverage, SignatureError, UNSIGNED_PAYLOAD,
};
use clew_model::AccessKeyId;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

const ACCESS_KEY: &str = "AKEXAMPLE0000000000";
const SECRET_KEY: &str = "SKEXAMPLE000000000000000000000000000000";
const DATE: &str = "20260612T000000Z";
const NODE: &str = "/v3/054e292c9880d4992f02c0196d3ea468/instances/6754902da1f447269c6979b0590102a5in07/nodes/941d21130b3c4899ad1a752a0945befdno07";
const SIGNED: [&str; 6] = ["content-type", "host", "user-agent", "x-language", "x-project-id", "x-sdk-date"];

/// A signed request that a test can modify before verification.
#[derive(Clone)]
struct SentRequest {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    authorization: String,
}

impl SentRequest {
    fn new(method: &'static str, path: &str, query: &str, content_type: &str, body: &[u8]) -> Self {
        let headers = [
            ("content-type", content_type),
            ("host", "gaussdb.example.com"),
            ("user-agent", "huaweicloud-usdk-python/3.0"),
            ("x-language", "en-us"),
            ("x-project-id", "054e292c9880d4992f02c0196d3ea468"),
            ("x-sdk-date", DATE),
        ];
        Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: body.to_vec(),
            authorization: String::new(),
        }
        .sign(&SIGNED)
    }

    fn collect() -> Self {
        let path = format!("{NODE}/realtime-session");
        Self::new("POST", &path, "", "application/json;charset=utf-8", br#"{"filter": "slow"}"#)
    }

    fn to_sign(&self) -> RequestToSign<'_> {
        RequestToSign {
            method: self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body_sha256: signature::hash_body(&self.body),
        }
    }

    fn sign(mut self, signed: &[&str]) -> Self {
        self.authorization = signature::sign_request(&self.to_sign(), signed, DATE, &access_key(), &secret());
        self
    }

    fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn set(&mut self, name: &str, value: &str) {
        let sent = self.headers.iter_mut().find(|(header, _)| header == name).unwrap();
        value.clone_into(&mut sent.1);
    }

    fn verify(&self) -> Result<(), SignatureError> {
        self.verify_at(now())
    }

    fn verify_at(&self, now: Timestamp) -> Result<(), SignatureError> {
        self.verify_with(now, SignatureCoverage::OfficialSdks)
    }

    fn verify_strictly(&self) -> Result<(), SignatureError> {
        self.verify_with(now(), SignatureCoverage::HostAndBody)
    }

    fn verify_with(&self, now: Timestamp, coverage: SignatureCoverage) -> Result<(), SignatureError> {
        let authorization = AuthorizationHeader::parse(&self.authorization)?;
        signature::verify_signature(&authorization, &self.to_sign(), &secret(), now, coverage)
    }
}

fn access_key() -> AccessKeyId {
    ACCESS_KEY.parse().unwrap()
}

fn secret() -> SecretString {
    SecretString::from(SECRET_KEY)
}

fn now() -> Timestamp {
    "2026-06-12T00:00:00Z".parse().unwrap()
}

fn expected_header(signature: &str) -> String {
    format!("SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={}, Signature={signature}", SIGNED.join(";"))
}

#[test]
fn download_example_of_the_spec_is_reproduced() {
    let request = SentRequest::new(
        "GET",
        &format!("{NODE}/realtime-session-result"),
        "request_id=realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9",
        "application/json",
        b"",
    );
    let signature = "d54b974caa7cf2a3272c0136aafc1501b8d1d697c9fdd7b31e80740c146ece62";
    assert_eq!(request.authorization, expected_header(signature));
    assert_eq!(request.verify(), Ok(()));
}

#[test]
fn collection_example_of_the_spec_is_reproduced() {
    let signature = "6f7dd58475523de1b09ed9c77038b639388aaef775f2c18309405cdc84631924";
    assert_eq!(SentRequest::collect().authorization, expected_header(signature));
    assert_eq!(SentRequest::collect().verify(), Ok(()));
}

#[test]
fn drift_of_15_minutes_is_accepted_and_more_is_rejected() {
    let request = SentRequest::collect();
    for direction in [1, -1] {
        let edge = now() + SignedDuration::from_mins(15) * direction;
        assert_eq!(request.verify_at(edge), Ok(()));
        let past = edge + SignedDuration::from_secs(1) * direction;
        assert_eq!(request.verify_at(past), Err(SignatureError::Drift { now: past }));
    }
}

#[test]
fn malformed_date_is_rejected() {
    for date in [
        "",
        "20260612",
        "2026-06-12T00:00:00Z",
        "20260612T000000",
        "20260612T000000z",
        "20260612T000000+0000",
        "20261312T000000Z",
        "20260632T000000Z",
        "20260612T250000Z",
        "+0260612T000000Z",
        "２0260612T0000Z",
        "99999999T999999Z",
    ] {
        let mut request = SentRequest::collect();
        request.set("x-sdk-date", date);
        let request = request.sign(&SIGNED);
        assert_eq!(request.verify(), Err(SignatureError::Date), "{date:?}");
    }
}

#[test]
fn modified_requests_are_rejected() {
    type Alteration = fn(&mut SentRequest);
    let alterations: [(&str, Alteration); 9] = [
        ("method", |sent| sent.method = "PUT"),
        ("path", |sent| sent.path.push('x')),
        ("query added", |sent| sent.query = "a=1".into()),
        ("body", |sent| sent.body = br#"{"filter": "long"}"#.to_vec()),
        ("body dropped", |sent| sent.body.clear()),
        ("signed header", |sent| sent.set("x-project-id", "154e292c9880d4992f02c0196d3ea468")),
        ("language", |sent| sent.set("x-language", "zh-cn")),
        ("host", |sent| sent.set("host", "gaussdb.example.com:443")),
        ("date", |sent| sent.set("x-sdk-date", "20260612T000001Z")),
    ];
    for (what, alter) in alterations {
        let mut request = SentRequest::collect();
        alter(&mut request);
        assert_eq!(request.verify(), Err(SignatureError::Mismatch), "{what}");
    }
}

#[test]
fn modified_query_is_rejected() {
    let mut request = SentRequest::new("GET", "/v3/projects", "name=a&name=b", "application/json", b"");
    assert_eq!(request.verify(), Ok(()));
    for query in ["name=a", "name=b&name=c", "name=a&name=b&x=", "name=a&name=b&name=b", "name=ab"] {
        request.query = query.into();
        assert_eq!(request.verify(), Err(SignatureError::Mismatch), "{query}");
    }
}

#[test]
fn other_secret_key_or_signature_is_rejected() {
    let request = SentRequest::collect();
    let authorization = AuthorizationHeader::parse(&request.authorization).unwrap();
    let other = SecretString::from("SKEXAMPLE000000000000000000000000000001");
    let verified =
        signature::verify_signature(&authorization, &request.to_sign(), &other, now(), SignatureCoverage::default());
    assert_eq!(verified, Err(SignatureError::Mismatch));

    let (parts, hex) = request.authorization.rsplit_once('=').unwrap();
    for at in [0, 31, 63] {
        let mut hex = hex.to_owned().into_bytes();
        hex[at] = if hex[at] == b'0' { b'1' } else { b'0' };
        let altered =
            SentRequest { authorization: format!("{parts}={}", String::from_utf8(hex).unwrap()), ..request.clone() };
        assert_eq!(altered.verify(), Err(SignatureError::Mismatch), "digit {at}");
    }
}

#[test]
fn date_must_be_signed_and_the_host_only_under_the_strict_rule() {
    let sign_without = |name: &str| {
        let signed: Vec<&str> = SIGNED.into_iter().filter(|one| *one != name).collect();
        SentRequest::collect().sign(&signed)
    };
    let undated = sign_without("x-sdk-date");
    assert_eq!(undated.verify(), Err(SignatureError::NotSigned("x-sdk-date".into())));
    assert_eq!(undated.verify_strictly(), Err(SignatureError::NotSigned("x-sdk-date".into())));

    assert_eq!(sign_without("host").verify(), Ok(()));
    assert_eq!(sign_without("host").verify_strictly(), Err(SignatureError::HostNotSigned));

    let minimal = SentRequest::collect().sign(&["host", "x-sdk-date"]);
    assert_eq!((minimal.verify(), minimal.verify_strictly()), (Ok(()), Ok(())));
}

#[test]
fn errors_of_the_strict_rule_name_the_setting_and_the_fix() {
    for error in [SignatureError::HostNotSigned, SignatureError::UnsignedBody] {
        let text = error.to_string();
        assert!(text.contains("must be signed, because the server's setting http.strict_signatures is true"), "{text}");
        assert!(text.contains("; fix: ") && text.contains("http.strict_signatures = false"), "{text}");
    }
}

#[test]
fn signed_header_must_be_sent_exactly_once() {
    let mut request = SentRequest::collect();
    request.headers.retain(|(name, _)| name != "x-language");
    assert_eq!(request.verify(), Err(SignatureError::NotSent("x-language".into())));
    for name in SIGNED {
        let request = SentRequest::collect().with_header(name, "another value");
        assert_eq!(request.verify(), Err(SignatureError::Repeated(name.into())));
    }
    let request = SentRequest::collect().with_header("accept", "*/*").with_header("accept", "text/csv");
    assert_eq!(request.verify(), Ok(()), "an unsigned header may be repeated");
}

#[test]
fn order_of_signed_headers_is_significant() {
    let request = SentRequest::collect();
    let authorization = request.authorization.replace("content-type;host", "host;content-type");
    assert_eq!(SentRequest { authorization, ..request }.verify(), Err(SignatureError::Mismatch));
}

#[test]
fn declared_body_hash_must_match_the_body() {
    let name = "x-sdk-content-sha256";
    let signed: Vec<&str> = SIGNED.into_iter().chain([name]).collect();
    let real = signature::hash_body(&SentRequest::collect().body);
    assert_eq!(SentRequest::collect().with_header(name, &real).sign(&signed).verify(), Ok(()));

    let other = signature::hash_body(b"other");
    assert_eq!(SentRequest::collect().with_header(name, &other).sign(&signed).verify(), Err(SignatureError::Body));

    let mut altered = SentRequest::collect().with_header(name, &real).sign(&signed);
    altered.body = br#"{"filter": "long"}"#.to_vec();
    assert_eq!(altered.verify(), Err(SignatureError::Body));

    let twice = SentRequest::collect().with_header(name, &real).with_header(name, &other);
    assert_eq!(twice.verify(), Err(SignatureError::Repeated(name.into())));
}

#[test]
fn unsigned_body_is_rejected_only_under_the_strict_rule() {
    let name = "x-sdk-content-sha256";
    let signed: Vec<&str> = SIGNED.into_iter().chain([name]).collect();
    for content_type in ["application/octet-stream", "application/json;charset=utf-8", "application/bson", ""] {
        for body in [b"content".as_slice(), b""] {
            let mut request = SentRequest::new("PUT", "/v3/file", "", content_type, body);
            request.headers.push((name.to_owned(), UNSIGNED_PAYLOAD.to_owned()));
            let mut request = request.sign(&signed);
            assert_eq!(request.verify(), Ok(()), "{content_type}");
            assert_eq!(request.verify_strictly(), Err(SignatureError::UnsignedBody), "{content_type}");
            if !body.is_empty() {
                request.body = b"other content".to_vec();
                assert_eq!(request.verify(), Ok(()), "{content_type}");
            }
        }
    }
}

#[test]
fn signed_body_cannot_be_made_unsigned() {
    let name = "x-sdk-content-sha256";
    // The header is added after signing.
    let mut request = SentRequest::collect().with_header(name, UNSIGNED_PAYLOAD);
    request.body = br#"{"filter": "long"}"#.to_vec();
    assert_eq!(request.verify(), Err(SignatureError::NotSigned(name.into())));

    // The header contains the hash of the body when it is signed, and is replaced after signing.
    let signed: Vec<&str> = SIGNED.into_iter().chain([name]).collect();
    let hash = signature::hash_body(&SentRequest::collect().body);
    let mut request = SentRequest::collect().with_header(name, &hash).sign(&signed);
    request.set(name, UNSIGNED_PAYLOAD);
    request.body = br#"{"filter": "long"}"#.to_vec();
    assert_eq!(request.verify(), Err(SignatureError::Mismatch));
}

#[test]
fn body_cannot_be_added_to_a_request_signed_with_the_hash_of_an_empty_body() {
    let name = "x-sdk-content-sha256";
    let signed: Vec<&str> = SIGNED.into_iter().chain([name]).collect();
    let request = SentRequest::new("GET", "/v3/projects", "", "text/csv", b"").with_header(name, UNSIGNED_PAYLOAD);
    let mut request = request.sign(&signed);
    assert_eq!(request.verify(), Ok(()));
    request.body = b"added".to_vec();
    assert_eq!(request.verify(), Err(SignatureError::Mismatch));
}

#[test]
fn equivalent_requests_have_the_same_signature() {
    let plain = SentRequest::new("GET", "/v3/会话/a b~", "b=2&a=é&a=1", "application/json", b"");
    for (path, query) in [
        ("/v3/%E4%BC%9A%E8%AF%9D/a%20b~", "a=1&a=%C3%A9&b=2"),
        ("/v3/%e4%bc%9a%e8%af%9d/a%20b%7E/", "b=2&a=%c3%a9&a=1"),
    ] {
        let other = SentRequest::new("get", path, query, "  application/json\t", b"");
        assert_eq!(other.authorization, plain.authorization, "{path} {query}");
        assert_eq!(other.verify(), Ok(()));
    }
}

#[test]
fn double_encoding_changes_the_path() {
    let once = SentRequest::new("GET", "/v3/a%20b", "", "application/json", b"");
    let twice = SentRequest::new("GET", "/v3/a%2520b", "", "application/json", b"");
    assert_ne!(once.authorization, twice.authorization);
}

#[test]
fn headers_with_underscores_are_not_signed() {
    let request = SentRequest::collect().with_header("x_trace_id", "1");
    let signed: Vec<&str> = SIGNED.into_iter().chain(["x_trace_id"]).collect();
    let mut request = request.sign(&signed);
    assert_eq!(request.authorization, SentRequest::collect().authorization);
    request.set("x_trace_id", "2");
    assert_eq!(request.verify(), Ok(()));
}

#[test]
fn dates_round_trip() {
    assert_eq!(signature::format_x_sdk_date(now()), DATE);
    assert_eq!(signature::format_x_sdk_date("2026-01-02T03:04:05.999Z".parse().unwrap()), "20260102T030405Z");
}

/// Requests signed by the official Python SDK 3.1.219.
///
/// The requests have an unsigned payload with and without a body, and a path and query that need encoding.
#[test]
fn signatures_match_the_official_sdk() {
    let query = "B=1&a=true&a-b=x%20y%2Bz~%2A%C3%A9&b=1&b=2&b=3";
    for (path, query, body, expected) in [
        ("/v3/file", "", "", "ed49d77b87d656f9da61bbdebfde3dcb3dfc5a9d0225420d32b3ce5b838f2cf8"),
        ("/v3/file", "", "content", "6de88addf8204373bc1261137a7ad027a17aac81272bbfc299541732422c442b"),
        ("/v3/会话/a b:c+d%20e", query, "", "269d10273c409e130b47e372815a98598129327e3207ba5cbd970916b1cfe2ce"),
    ] {
        let mut request = SentRequest::new("GET", path, query, "text/csv", body.as_bytes());
        request.headers.retain(|(name, _)| ["content-type", "host", "x-sdk-date"].contains(&name.as_str()));
        let request = request.with_header("x-sdk-content-sha256", UNSIGNED_PAYLOAD);
        let request = request.sign(&["content-type", "host", "x-sdk-content-sha256", "x-sdk-date"]);
        assert_eq!(request.authorization.rsplit_once('=').unwrap().1, expected, "{path} {body}");
        assert_eq!(request.verify(), Ok(()), "{path} {body}");
    }
}
