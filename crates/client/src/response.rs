//! Answers: errors told from results, in whichever of the cloud's forms they come (spec section 8.4).

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Response;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ClientError;

/// Longest JSON answer that is read: 100 instances have a few hundred KiB.
const LONGEST_JSON: usize = 16 << 20;
/// Longest error body that is read.
const LONGEST_ERROR: usize = 64 << 10;
/// Characters of an unknown body that are shown.
const SHOWN: usize = 200;

/// What is needed to say what went wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) doing: &'static str,
    pub(crate) endpoint: &'a str,
    /// Longest time for the whole answer.
    pub(crate) limit: Duration,
}

impl Asked<'_> {
    pub(crate) fn not_understood(self, why: impl Into<String>) -> ClientError {
        ClientError::NotUnderstood { doing: self.doing, endpoint: self.endpoint.to_owned(), why: why.into() }
    }

    pub(crate) fn timeout(self) -> ClientError {
        ClientError::Timeout { doing: self.doing, endpoint: self.endpoint.to_owned(), limit: self.limit }
    }

    /// What the HTTP client says, in our words.
    pub(crate) fn failed(self, source: reqwest::Error) -> ClientError {
        let (doing, endpoint) = (self.doing, self.endpoint.to_owned());
        if source.is_connect() {
            ClientError::Connect { doing, endpoint, source }
        } else if source.is_timeout() {
            self.timeout()
        } else if source.is_builder() {
            ClientError::Setup(crate::error::cause(&source))
        } else {
            ClientError::ConnectionLost { doing, endpoint, source }
        }
    }

    /// The answer itself if it is a success, else the error it tells.
    pub(crate) async fn success(self, response: Response) -> Result<Response, ClientError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("elsewhere");
            return Err(self.not_understood(format!("a redirect ({status}) to {}", printable(to, SHOWN))));
        }
        let headers = response.headers().clone();
        let body = read_start(response, LONGEST_ERROR).await;
        Err(api_error(self.doing, status.as_u16(), &headers, &body))
    }

    /// The body of a success, read as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(self, mut response: Response) -> Result<T, ClientError> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.failed(error))? {
            if body.len() + piece.len() > LONGEST_JSON {
                return Err(self.not_understood(format!("more than {LONGEST_JSON} bytes of JSON")));
            }
            body.extend_from_slice(&piece);
        }
        serde_json::from_slice(&body).map_err(|error| {
            let start = printable(&String::from_utf8_lossy(&body), SHOWN);
            self.not_understood(format!("{error} in {start:?}"))
        })
    }
}

/// The start of a body; what cannot be read is left out, for the status says more.
async fn read_start(mut response: Response, longest: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() >= longest {
            body.truncate(longest);
            break;
        }
    }
    body
}

fn api_error(doing: &'static str, status: u16, headers: &HeaderMap, body: &[u8]) -> ClientError {
    let told: Option<Value> = serde_json::from_slice(body).ok();
    let (error_code, error_msg) = told.as_ref().and_then(|told| code_and_message(told, 4)).unwrap_or_else(|| {
        let text = printable(String::from_utf8_lossy(body).trim(), SHOWN);
        (status.to_string(), if text.is_empty() { "no message".to_owned() } else { text })
    });
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let in_body = || told.as_ref().and_then(|told| told.get("request_id")).and_then(Value::as_str).map(str::to_owned);
    ClientError::Api {
        doing,
        status,
        error_code: printable(&error_code, SHOWN),
        error_msg: printable(&error_msg, LONGEST_ERROR),
        request_id: header("x-request-id").or_else(in_body).map(|id| printable(&id, SHOWN)),
        retry_after: headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, Timestamp::now())),
    }
}

/// `error_code` and `error_msg`, else `errorCode` and `errorMsg`, else `code` and `message`, else the same one level down.
fn code_and_message(told: &Value, depth: u8) -> Option<(String, String)> {
    let object = told.as_object()?;
    let text = |name: &str| match object.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    [("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")]
        .into_iter()
        .find_map(|(code, message)| Some((text(code)?, text(message)?)))
        .or_else(|| {
            let deeper = depth.checked_sub(1)?;
            object.values().find_map(|inner| code_and_message(inner, deeper))
        })
}

/// Seconds, or a date.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value.trim()).ok()?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// Text of a server, safe to print on a terminal: without control characters, cut to a length.
pub(crate) fn printable(text: &str, longest: usize) -> String {
    text.chars().take(longest).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn read(status: u16, body: &str) -> (String, String, Option<String>) {
        match api_error("testing", status, &HeaderMap::new(), body.as_bytes()) {
            ClientError::Api { error_code, error_msg, request_id, .. } => (error_code, error_msg, request_id),
            other => unreachable!("{other}"),
        }
    }

    #[test]
    fn every_form_of_error_body_is_read() {
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
            let (told_code, told_message, _) = read(502, body);
            assert_eq!((told_code.as_str(), told_message.trim_end()), (code, message), "{body}");
        }
    }

    #[test]
    fn deep_nesting_and_broken_text_do_no_harm() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(100), "1".to_owned() + &"}".repeat(100));
        assert_eq!(read(500, &deep).0, "500");
        let ClientError::Api { error_msg, .. } = api_error("testing", 500, &HeaderMap::new(), b"\xff\xfe\x00") else {
            unreachable!()
        };
        assert!(!error_msg.contains('\0'), "{error_msg:?}");
    }

    #[test]
    fn the_request_is_named_by_header_or_body() {
        let body = r#"{"error_code":"APIGW.0301","error_msg":"x","request_id":"8080d377"}"#;
        assert_eq!(read(401, body).2.as_deref(), Some("8080d377"));
        let headers =
            HeaderMap::from_iter([("x-request-id".parse().unwrap(), HeaderValue::from_static("from-header"))]);
        let ClientError::Api { request_id, .. } = api_error("testing", 401, &headers, body.as_bytes()) else {
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
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }
}
