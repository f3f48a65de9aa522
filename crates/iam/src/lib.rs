//! Identity and access management: authentication and authorization.
//!
//! The crate implements request signatures (SDK-HMAC-SHA256), passwords, tokens, secret access keys and policies.
//! [`decision::decide_access`] decides whether a principal may perform an action.
//! The crate performs no I/O and does not read the system clock.
//! Functions that generate secrets or hash passwords use the operating system's random number generator.
//!
//! `clew-store` stores identities, `clew-api` implements the HTTP server, and `clew-client` implements the HTTP client.
//!
//! ```
//! use clew_iam::signature::{self, AuthorizationHeader, RequestToSign, SignatureCoverage};
//! use secrecy::SecretString;
//!
//! let headers = [
//!     ("host".to_owned(), "127.0.0.1:8407".to_owned()),
//!     ("x-sdk-date".to_owned(), "20260612T000000Z".to_owned()),
//! ];
//! let request = RequestToSign {
//!     method: "GET",
//!     path: "/v3/projects",
//!     query: "name=eu-1",
//!     headers: &headers,
//!     body_sha256: signature::hash_body(b""),
//! };
//! let secret = SecretString::from("SKEXAMPLE000000000000000000000000000000");
//! let key = "AKEXAMPLE0000000000".parse().unwrap();
//! let header = signature::sign_request(&request, &["host", "x-sdk-date"], "20260612T000000Z", &key, &secret);
//!
//! let authorization = AuthorizationHeader::parse(&header).unwrap();
//! let now = "2026-06-12T00:00:30Z".parse().unwrap();
//! let coverage = SignatureCoverage::HostAndBody;
//! assert!(signature::verify_signature(&authorization, &request, &secret, now, coverage).is_ok());
//! ```
//!
//! ```
//! use clew_iam::policy::Policy;
//!
//! let wrong = r#"{"Version": "5.0", "Statement": [{"Effect": "Allow", "Action": ["instances"]}]}"#;
//! let errors = Policy::parse(wrong).unwrap_err();
//! assert_eq!(errors.diagnostics()[0].path, "$.Statement[0].Action[0]");
//! ```

pub mod access_key;
pub mod decision;
pub mod name_rule;
pub mod password;
pub mod policy;
pub mod signature;
pub mod token;

mod access_request;
mod action;
mod evaluation_budget;
mod secret;

pub use secret::SecretError;
