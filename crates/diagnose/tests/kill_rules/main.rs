//! What kill rules mean, and what no rule ever does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test fails by panicking.

mod drawn;
mod laws;
mod meaning;
