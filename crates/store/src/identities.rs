//! Users, groups, access keys and tokens.

pub(crate) mod access_keys;
pub(crate) mod credential_revocation;
pub(crate) mod groups;
pub(crate) mod temporary_access_keys;
pub(crate) mod tokens;
pub(crate) mod users;
