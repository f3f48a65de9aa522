//! Tests features of PostgreSQL.

mod events;
mod metadata_copy;
mod server;
