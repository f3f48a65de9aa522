//! What operators need.

pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod openapi;
