//! Tests for the client with a loopback server, and with recorded requests from the official SDK.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

mod downloads;
mod loopback_server;
mod responses;
mod retries;
mod sdk_recordings;
mod sign_in;
mod tls;
