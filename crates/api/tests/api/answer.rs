//! Response of the API, checked for the properties of every response.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Checks the request id and the format of an error body.
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Vec<u8>, had_body: bool) -> Self {
        let answer = Self { status, headers, body };
        let id = answer.header("x-request-id");
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{status} X-Request-Id: {id}");
        if had_body && (status.is_client_error() || status.is_server_error()) {
            assert_eq!(answer.header("content-type"), "application/json", "{status} {}", answer.text());
            let body = answer.json();
            let fields: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
            if answer.code().starts_with("APIGW.") {
                assert_eq!(fields, ["error_code", "error_msg", "request_id"]);
                assert_eq!(body["request_id"], id);
            } else if body.get("errors").is_some() {
                assert_eq!((answer.code().as_str(), fields), ("IAM.0011", vec!["error_code", "error_msg", "errors"]));
            } else {
                assert_eq!(fields, ["error_code", "error_msg"]);
            }
            assert!(!answer.message().is_empty());
        }
        answer
    }

    /// Returns the value of a header that occurs exactly once.
    pub(crate) fn header(&self, name: &str) -> String {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "{name} of {} {:?}", self.status, self.headers);
        values[0].to_str().unwrap().to_owned()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error_code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error_msg"].as_str().unwrap().to_owned()
    }

    /// Returns the body of a response with this status.
    #[track_caller]
    pub(crate) fn expect_status(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// Returns the message of an error response with this status and code.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, code: &str) -> String {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{}", self.text());
        self.message()
    }
}
