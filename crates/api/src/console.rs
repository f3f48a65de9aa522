//! Serves the web page and an API under `/clew/v1` with features that the TaurusDB API does not have.

pub(crate) mod browser_session;
pub(crate) mod csrf;
pub(crate) mod kill;
pub(crate) mod kill_history;
pub(crate) mod lock_waits;
pub(crate) mod permissions;
pub(crate) mod session_collections;
pub(crate) mod session_detail;
pub(crate) mod stream;
pub(crate) mod web_page;

use jiff::Timestamp;

fn format_unix_millis(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(|_| String::new(), |timestamp| timestamp.to_string())
}
