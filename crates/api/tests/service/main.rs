//! The HTTP side as its clients see it: a server on a free port, a real store in a folder of its own, a real HTTP client.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test fails by panicking.

mod credentials;
mod fixture;
mod identities;
mod requests;
