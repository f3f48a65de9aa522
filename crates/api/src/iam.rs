//! The part of the identity API that the cloud's SDKs need (spec sections 3.1, 3.2 and 8.3).

pub(crate) mod domains;
pub(crate) mod projects;
pub(crate) mod tokens;
