//! CSRF protection for requests that are authenticated by the session cookie.
//!
//! `docs/decisions/0024-browser-sessions.md` lists CSRF attacks and the countermeasures.

use clew_http::is_same_origin_request;
use clew_iam::token;
use clew_model::ApiErrorDefinition;
use http::request::Parts;
use http::{HeaderMap, Method};
use subtle::ConstantTimeEq;

use crate::error::ApiError;

const CSRF_HEADER: &str = "x-clew-csrf";

pub(crate) fn check_csrf_protection(parts: &Parts, token: &str) -> Result<(), ApiError> {
    check_request_origin(&parts.method, &parts.headers)?;
    if parts.method.is_safe() {
        return Ok(());
    }
    match parts.headers.get(CSRF_HEADER) {
        None => Err(csrf_error("csrf-missing")),
        Some(given) if given.as_bytes().ct_eq(token::derive_csrf_token(token).as_bytes()).into() => Ok(()),
        Some(_) => Err(csrf_error("csrf-wrong")),
    }
}

pub(super) fn check_request_origin(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if is_same_origin_request(method, headers) { Ok(()) } else { Err(csrf_error("cross-site")) }
}

fn csrf_error(reason: &'static str) -> ApiError {
    ApiError::with_detail(ApiErrorDefinition::NOT_FROM_THE_PAGE, reason, [])
}
