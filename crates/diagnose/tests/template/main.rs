//! Templates of statements: what they look like, what they obey, and that no literal survives in them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod corpus;
mod differences;
mod laws;
mod leaks;
mod table;
mod troubled;
