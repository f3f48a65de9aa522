//! What Clew's own web page is made of and works with: the page itself, and below `/clew/v1` what the TaurusDB API has no route for.

pub(crate) mod collections;
pub(crate) mod cookie;
pub(crate) mod kill;
pub(crate) mod kills;
pub(crate) mod locks;
pub(crate) mod page;
pub(crate) mod permissions;
pub(crate) mod same_site;
pub(crate) mod session;
pub(crate) mod session_detail;
pub(crate) mod stream;
