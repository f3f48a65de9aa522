//! `Authorization` header: accepted and rejected values, and robustness against random input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test fails by panicking.

use clew_iam::signature::{self, AuthorizationHeader, RequestToSign, SignatureCoverage, SignatureError};
use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::SecretString;

const HEX: &str = "d54b974caa7cf2a3272c0136aafc1501b8d1d697c9fdd7b31e80740c146ece62";

fn parse(header: &str) -> Result<AuthorizationHeader, SignatureError> {
    AuthorizationHeader::parse(header)
}

#[test]
fn parts_are_parsed_in_any_order_with_optional_spaces() {
    for header in [
        format!("SDK-HMAC-SHA256 Access=AKEXAMPLE0000000000, SignedHeaders=host;x-sdk-date, Signature={HEX}"),
        format!("SDK-HMAC-SHA256 Access=AKEXAMPLE0000000000,SignedHeaders=Host;X-Sdk-Date,Signature={HEX}"),
        format!(" SDK-HMAC-SHA256  Signature={HEX} ,  SignedHeaders=host;x-sdk-date , Access=AKEXAMPLE0000000000 "),
    ] {
        let read = parse(&header).unwrap();
        assert_eq!(read.access_key.as_str(), "AKEXAMPLE0000000000", "{header}");
        assert_eq!(read.signed_headers, ["host", "x-sdk-date"], "{header}");
    }
}

#[test]
fn other_algorithm_is_rejected() {
    for header in [
        "",
        "Bearer abc",
        "Basic YTpi",
        "SDK-HMAC-SM3 Access=AKEXAMPLE0000000000, SignedHeaders=host, Signature=00",
        "SDK-HMAC-SHA2567 Access=AKEXAMPLE0000000000, SignedHeaders=host, Signature=00",
        "V11-HMAC-SHA256 Credential=AK/20260612/cn/x, SignedHeaders=host, Signature=00",
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256Access=AKEXAMPLE0000000000",
    ] {
        assert_eq!(parse(header), Err(SignatureError::Algorithm), "{header:?}");
    }
}

#[test]
fn missing_repeated_and_unknown_parts_are_reported() {
    let (access, signed, signature) =
        ("Access=AKEXAMPLE0000000000", "SignedHeaders=host;x-sdk-date", format!("Signature={HEX}"));
    for (parts, wrong) in [
        (format!("{signed}, {signature}"), "Access"),
        (format!("Access=, {signed}, {signature}"), "Access"),
        (format!("Access=../../etc, {signed}, {signature}"), "Access"),
        (format!("Access={}, {signed}, {signature}", "A".repeat(65)), "Access"),
        (format!("{access}, {signature}"), "SignedHeaders"),
        (format!("{access}, SignedHeaders=, {signature}"), "SignedHeaders"),
        (format!("{access}, SignedHeaders=host;;x-sdk-date, {signature}"), "SignedHeaders"),
        (format!("{access}, SignedHeaders=host;HOST, {signature}"), "SignedHeaders"),
        (format!("{access}, SignedHeaders=host;x sdk, {signature}"), "SignedHeaders"),
        (format!("{access}, {signed}"), "Signature"),
        (format!("{access}, {signed}, Signature="), "Signature"),
        (format!("{access}, {signed}, Signature={}", &HEX[..62]), "Signature"),
        (format!("{access}, {signed}, Signature={HEX}00"), "Signature"),
        (format!("{access}, {signed}, Signature={}", HEX.replace('d', "g")), "Signature"),
        (format!("{access}, {access}, {signed}, {signature}"), "parts"),
        (format!("{access}, {signed}, {signature}, X=1"), "parts"),
        (format!("{access}, {signed}, {signature},"), "parts"),
    ] {
        assert_eq!(parse(&format!("SDK-HMAC-SHA256 {parts}")), Err(SignatureError::Malformed(wrong)), "{parts}");
    }
}

fn header_value() -> impl Strategy<Value = String> {
    "[ -~]{0,20}|[ \t]{0,3}\\PC{0,10}[ \t]{0,3}"
}

proptest! {
    #[test]
    fn random_headers_do_not_panic(header in "(SDK-HMAC-SHA256 )?(Access|SignedHeaders|Signature|[,=; ]|\\PC){0,40}") {
        let _ = parse(&header);
    }

    #[test]
    fn only_the_signed_request_verifies(
        method in "GET|POST|PUT|DELETE",
        path in "/(\\PC|%[0-9a-fA-F]{2}|[%/+~]){0,20}",
        query in "(\\PC|%[0-9a-fA-F]{2}|[&=+%]){0,30}",
        values in prop::collection::vec(header_value(), 0..5),
        body in prop::collection::vec(any::<u8>(), 0..50),
        secret in "\\PC{1,100}",
        flip in any::<prop::sample::Index>(),
    ) {
        let date = "20260612T000000Z";
        let mut headers = vec![("host".to_owned(), "127.0.0.1:1".to_owned()), ("x-sdk-date".to_owned(), date.to_owned())];
        headers.extend(values.into_iter().enumerate().map(|(at, value)| (format!("x-{at}"), value)));
        let names: Vec<String> = headers.iter().map(|(name, _)| name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let request = RequestToSign {
            method: &method, path: &path, query: &query, headers: &headers, body_sha256: signature::hash_body(&body),
        };
        let secret = SecretString::from(secret);
        let header = signature::sign_request(&request, &names, date, &"AKEXAMPLE0000000000".parse().unwrap(), &secret);
        let authorization = parse(&header).unwrap();
        let now: Timestamp = "2026-06-12T00:10:00Z".parse().unwrap();
        let coverage = SignatureCoverage::HostAndBody;
        prop_assert_eq!(signature::verify_signature(&authorization, &request, &secret, now, coverage), Ok(()));

        let mut altered = body.clone();
        altered.push(0);
        let other = RequestToSign { body_sha256: signature::hash_body(&altered), ..request.clone() };
        let verified = signature::verify_signature(&authorization, &other, &secret, now, SignatureCoverage::OfficialSdks);
        prop_assert_eq!(verified, Err(SignatureError::Mismatch));

        let at = flip.index(headers.len());
        let mut altered = headers.clone();
        altered[at].1 = format!("{}!", altered[at].1.trim());
        let other = RequestToSign { headers: &altered, ..request };
        let verified = signature::verify_signature(&authorization, &other, &secret, now, SignatureCoverage::OfficialSdks);
        prop_assert!(verified.is_err());
    }
}
