//! Every command as it is typed: what it prints, what it refuses, how it ends.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod collect;
mod help;
mod init;
mod instance;
mod run;
mod serve;
mod snapshot;
