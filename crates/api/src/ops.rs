//! Operations endpoints: health, metrics and the OpenAPI document.

pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod openapi;
