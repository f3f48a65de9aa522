//! The wait graph: what servers show of each kind of wait, and what must hold for any of them.

mod build;
mod inferred;
mod kinds;
mod laws;
mod odd;
mod sizes;
