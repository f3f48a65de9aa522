//! The link to the file of an intelligent kill: it works without credentials, for an hour at most.

use std::time::Duration;

use clew_model::ErrorEntry;
use clew_store::{IntelligentKillId, Store};
use subtle::ConstantTimeEq;

use crate::query::Query;
use crate::refusal::Refusal;

/// How long a link works at most.
const LIFE: Duration = Duration::from_hours(1);

/// A link for a client that reached this server by this URL, and whose credentials end at a moment, if they do: the link ends no later.
pub(super) fn to(store: &Store, reached: &str, id: IntelligentKillId, credentials_end: Option<i64>) -> String {
    let expires = store.link_expiry(LIFE).min(credentials_end.unwrap_or(i64::MAX));
    let signature = store.link_signature(&named(id), expires);
    format!("{reached}/clew/v1/intelligent-kills/{id}?expires={expires}&signature={signature}")
}

/// What a link names, if it is a link of this server's and its time is not over.
pub(super) fn check(store: &Store, id: &str, query: &Query) -> Result<IntelligentKillId, Refusal> {
    let wrong = || Refusal::because(ErrorEntry::FOREIGN_PROJECT, "link-wrong", Vec::new());
    let id: IntelligentKillId = id.parse().map_err(|_| wrong())?;
    let (Some(expires), Some(signature)) = (query.get("expires"), query.get("signature")) else { return Err(wrong()) };
    // As it is written in links: other ways to write the same number are not what was signed.
    let moment: i64 = expires.parse().map_err(|_| wrong())?;
    let expected = store.link_signature(&named(id), moment);
    if moment.to_string() != expires || !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        return Err(wrong());
    }
    if store.link_has_expired(moment) {
        return Err(Refusal::because(ErrorEntry::FOREIGN_PROJECT, "link-expired", Vec::new()));
    }
    Ok(id)
}

fn named(id: IntelligentKillId) -> String {
    format!("intelligent-kill {id}")
}
