//! The wait graph: what servers show of each kind of wait, and what must hold for any of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod build;
mod by_session;
mod cure;
mod drawn;
mod freed;
mod inferred;
mod kinds;
mod laws;
mod odd;
mod sizes;
mod surviving;
