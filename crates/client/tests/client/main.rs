//! The client against a loopback server that answers as it is told, and against what the official SDK was seen to send.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

mod downloads;
mod loopback;
mod recorded;
mod responses;
mod retries;
mod sign_in;
mod tls;
