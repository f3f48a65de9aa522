//! Tests of all commands with the real binary: output, errors and exit codes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod audit;
mod collect;
mod domain_command;
mod end_to_end;
mod group;
mod help;
mod init;
mod instance;
mod key;
mod kill;
mod locks;
mod master_key;
mod metadata_url;
mod policy;
mod project;
mod ps;
mod pty;
mod rule;
mod run;
mod serve;
mod serve_results;
mod simulate;
mod snapshot;
mod tags;
mod tenant;
mod terminal;
mod user;
mod worker;
