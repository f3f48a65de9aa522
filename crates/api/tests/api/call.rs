//! Request builder. By default, a request has the token of the server's project.

use clew_iam::signature::{self, RequestToSign};
use clew_model::AccessKeyId;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderName, Method};
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use secrecy::SecretString;

use crate::answer::Answer;

pub(crate) const TOKEN: &str = "x-auth-token";
pub(crate) const LANGUAGE: &str = "x-language";

pub(crate) struct Call {
    pub(crate) client: reqwest::Client,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a header.
    pub(crate) fn header(mut self, name: impl AsRef<str>, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name.as_ref());
        self.headers.push((name.as_ref().to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn chinese(self) -> Self {
        self.header(LANGUAGE, "zh-cn")
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header(TOKEN, token)
    }

    /// Removes the token.
    pub(crate) fn anonymous(mut self) -> Self {
        self.headers.retain(|(name, _)| name != TOKEN);
        self
    }

    /// Signs the request in its current state, with a clock skew.
    pub(crate) fn signed(self, key: &AccessKeyId, secret: &SecretString, skew: SignedDuration) -> Self {
        self.signed_except("", key, secret, skew)
    }

    /// Signs all headers of the request except `unsigned`, with a clock skew.
    pub(crate) fn signed_except(
        self,
        unsigned: &str,
        key: &AccessKeyId,
        secret: &SecretString,
        skew: SignedDuration,
    ) -> Self {
        let host = format!("{}:{}", self.url.host_str().unwrap(), self.url.port().unwrap());
        let date = signature::format_x_sdk_date(Timestamp::now() + skew);
        let call = self.anonymous().header(HOST, &host).header("x-sdk-date", &date);
        let names: Vec<&str> =
            call.headers.iter().map(|(name, _)| name.as_str()).filter(|name| *name != unsigned).collect();
        let request = RequestToSign {
            method: call.method.as_str(),
            path: call.url.path(),
            query: call.url.query().unwrap_or_default(),
            headers: &call.headers,
            body_sha256: signature::hash_body(&call.body),
        };
        let authorization = signature::sign_request(&request, &names, &date, key, secret);
        call.header(AUTHORIZATION, &authorization)
    }

    /// Converts the request for the HTTP client.
    pub(crate) fn into_request(self) -> reqwest::RequestBuilder {
        let mut request = self.client.request(self.method, self.url);
        for (name, value) in self.headers {
            request = request.header(HeaderName::try_from(name).unwrap(), value);
        }
        if self.body.is_empty() { request } else { request.body(self.body) }
    }

    pub(crate) async fn send(self) -> Answer {
        let had_body = self.method != Method::HEAD;
        let response = self.into_request().send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            // An event stream is endless.
            return Answer::new(status, headers, Vec::new(), had_body);
        }
        Answer::new(status, headers, response.bytes().await.unwrap().into(), had_body)
    }
}
