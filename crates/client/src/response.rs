//! Parses JSON responses and all formats of error responses in section 8.4 of the TaurusDB API spec.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Response;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::error::ClientError;

/// A response with 100 instances has a size of a few hundred KiB.
const MAX_JSON_BODY_BYTES: usize = 16 << 20;
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;
const MAX_RESPONSE_EXCERPT_CHARS: usize = 200;

#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestContext<'a> {
    pub(crate) operation: &'static str,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) timeout: Duration,
}

impl RequestContext<'_> {
    pub(crate) fn invalid_response_error(self, why: impl Into<String>) -> ClientError {
        ClientError::InvalidResponse { operation: self.operation, endpoint: self.endpoint.to_string(), why: why.into() }
    }

    pub(crate) fn timeout_error(self) -> ClientError {
        ClientError::Timeout { operation: self.operation, endpoint: self.endpoint.to_string(), limit: self.timeout }
    }

    pub(crate) fn transport_error(self, source: reqwest::Error) -> ClientError {
        let (operation, endpoint) = (self.operation, self.endpoint.to_string());
        if source.is_connect() {
            ClientError::Connect { operation, endpoint, source }
        } else if source.is_timeout() {
            self.timeout_error()
        } else if source.is_builder() {
            ClientError::Setup(crate::error::root_cause_message(&source))
        } else {
            ClientError::ConnectionLost { operation, endpoint, source }
        }
    }

    pub(crate) async fn check_response_status(self, response: Response) -> Result<Response, ClientError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("elsewhere");
            return Err(self.invalid_response_error(format!(
                "a redirect ({status}) to {}",
                sanitize_server_text(to, MAX_RESPONSE_EXCERPT_CHARS)
            )));
        }
        let headers = response.headers().clone();
        let body = read_body_prefix(response, MAX_ERROR_BODY_BYTES).await;
        Err(parse_api_error(self.operation, status.as_u16(), &headers, &body))
    }

    pub(crate) async fn read_json_body<T: DeserializeOwned>(self, mut response: Response) -> Result<T, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport_error(error))? {
            if body.len() + chunk.len() > MAX_JSON_BODY_BYTES {
                return Err(self.invalid_response_error(format!("more than {MAX_JSON_BODY_BYTES} bytes of JSON")));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| {
            let start = sanitize_server_text(&String::from_utf8_lossy(&body), MAX_RESPONSE_EXCERPT_CHARS);
            self.invalid_response_error(format!("{error} in {start:?}"))
        })
    }
}

/// Ignores errors that occur while reading the body, because the HTTP status already indicates the failure.
async fn read_body_prefix(mut response: Response, max_len: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= max_len {
            body.truncate(max_len);
            break;
        }
    }
    body
}

fn parse_api_error(operation: &'static str, status: u16, headers: &HeaderMap, body: &[u8]) -> ClientError {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let (error_code, error_msg) =
        json.as_ref().and_then(|json| extract_error_code_and_message(json, 4)).unwrap_or_else(|| {
            let text = sanitize_server_text(String::from_utf8_lossy(body).trim(), MAX_RESPONSE_EXCERPT_CHARS);
            (status.to_string(), if text.is_empty() { "no message".to_owned() } else { text })
        });
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let in_body = || json.as_ref().and_then(|json| json.get("request_id")).and_then(Value::as_str).map(str::to_owned);
    ClientError::Api {
        operation,
        status,
        error_code: sanitize_server_text(&error_code, MAX_RESPONSE_EXCERPT_CHARS),
        error_msg: sanitize_server_text(&error_msg, MAX_ERROR_BODY_BYTES),
        request_id: header("x-request-id")
            .or_else(in_body)
            .map(|id| sanitize_server_text(&id, MAX_RESPONSE_EXCERPT_CHARS)),
        retry_after: headers
            .get(RETRY_AFTER)
            .and_then(|value| parse_retry_after(value.to_str().ok()?, Timestamp::now())),
    }
}

/// Searches nested JSON objects up to `depth` levels deep.
fn extract_error_code_and_message(json: &Value, depth: u8) -> Option<(String, String)> {
    let object = json.as_object()?;
    let text = |name: &str| match object.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    [("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")]
        .into_iter()
        .find_map(|(code, message)| Some((text(code)?, text(message)?)))
        .or_else(|| {
            let remaining_depth = depth.checked_sub(1)?;
            object.values().find_map(|inner| extract_error_code_and_message(inner, remaining_depth))
        })
}

fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value.trim()).ok()?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

pub(crate) fn sanitize_server_text(text: &str, max_len: usize) -> String {
    text.chars().take(max_len).map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn read(status: u16, body: &str) -> (String, String, Option<String>) {
        match parse_api_error("testing", status, &HeaderMap::new(), body.as_bytes()) {
            ClientError::Api { error_code, error_msg, request_id, .. } => (error_code, error_msg, request_id),
            other => unreachable!("{other}"),
        }
    }

    #[test]
    fn all_formats_of_error_bodies_are_parsed() {
        for (body, code, message) in [
            (r#"{"error_code":"DBS.280001","error_msg":"Parameter error."}"#, "DBS.280001", "Parameter error."),
            (r#"{"errorCode":"A","errorMsg":"b"}"#, "A", "b"),
            (r#"{"code":"A","message":"b"}"#, "A", "b"),
            (r#"{"error":{"code":401,"message":"b","title":"Unauthorized"}}"#, "401", "b"),
            (r#"{"a":{"b":{"error_code":"A","error_msg":"b"}}}"#, "A", "b"),
            (r#"{"error_code":"A","error_msg":"b","code":"C","message":"d"}"#, "A", "b"),
            (r#"{"error_code":"A"}"#, "502", r#"{"error_code":"A"}"#),
            ("<html>Bad gateway</html>", "502", "<html>Bad gateway</html>"),
            ("", "502", "no message"),
            ("\u{1b}[31mred\u{7}", "502", " [31mred"),
            ("null", "502", "null"),
            (r#"["error_code"]"#, "502", r#"["error_code"]"#),
        ] {
            let (error_code, error_msg, _) = read(502, body);
            assert_eq!((error_code.as_str(), error_msg.trim_end()), (code, message), "{body}");
        }
    }

    #[test]
    fn deep_nesting_and_invalid_utf8_are_tolerated() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(100), "1".to_owned() + &"}".repeat(100));
        assert_eq!(read(500, &deep).0, "500");
        let ClientError::Api { error_msg, .. } = parse_api_error("testing", 500, &HeaderMap::new(), b"\xff\xfe\x00")
        else {
            unreachable!()
        };
        assert!(!error_msg.contains('\0'), "{error_msg:?}");
    }

    #[test]
    fn request_id_is_read_from_header_or_body() {
        let body = r#"{"error_code":"APIGW.0301","error_msg":"x","request_id":"8080d377"}"#;
        assert_eq!(read(401, body).2.as_deref(), Some("8080d377"));
        let headers =
            HeaderMap::from_iter([("x-request-id".parse().unwrap(), HeaderValue::from_static("from-header"))]);
        let ClientError::Api { request_id, .. } = parse_api_error("testing", 401, &headers, body.as_bytes()) else {
            unreachable!()
        };
        assert_eq!(request_id.as_deref(), Some("from-header"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-06-12T00:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Fri, 12 Jun 2026 00:00:30 GMT", Some(30)),
            ("Thu, 11 Jun 2026 00:00:30 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse_retry_after(value, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }
}
