//! Signed download links for intelligent kill reports.
//!
//! A download link is valid for up to an hour and requires no credentials.

use std::time::Duration;

use clew_model::ApiErrorDefinition;
use clew_store::{IntelligentKillId, Store};
use subtle::ConstantTimeEq;

use crate::error::ApiError;
use crate::query_string::QueryString;

const MAX_REPORT_LINK_LIFETIME: Duration = Duration::from_hours(1);

/// The download link expires no later than the caller's credentials.
pub(super) fn create_report_link(
    store: &Store,
    server_url: &str,
    id: IntelligentKillId,
    credentials_expire_at: Option<i64>,
) -> String {
    let expires = store.compute_link_expiry(MAX_REPORT_LINK_LIFETIME).min(credentials_expire_at.unwrap_or(i64::MAX));
    let signature = store.sign_link(&build_string_to_sign(id), expires);
    format!("{server_url}/clew/v1/intelligent-kills/{id}?expires={expires}&signature={signature}")
}

pub(super) fn verify_report_link(store: &Store, id: &str, query: &QueryString) -> Result<IntelligentKillId, ApiError> {
    let invalid = || ApiError::with_detail(ApiErrorDefinition::FOREIGN_PROJECT, "link-wrong", Vec::new());
    let id: IntelligentKillId = id.parse().map_err(|_| invalid())?;
    let (Some(expires), Some(signature)) = (query.get("expires"), query.get("signature")) else {
        return Err(invalid());
    };
    let expires_at: i64 = expires.parse().map_err(|_| invalid())?;
    let expected = store.sign_link(&build_string_to_sign(id), expires_at);
    // The expiry must be in canonical decimal format, without a sign or leading zeros.
    if expires_at.to_string() != expires || !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        return Err(invalid());
    }
    if store.is_link_expired(expires_at) {
        return Err(ApiError::with_detail(ApiErrorDefinition::FOREIGN_PROJECT, "link-expired", Vec::new()));
    }
    Ok(id)
}

fn build_string_to_sign(id: IntelligentKillId) -> String {
    format!("intelligent-kill {id}")
}
