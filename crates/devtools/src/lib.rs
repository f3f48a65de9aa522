//! Shared library of the development programs `devtools`, `bench` and `faults`, which `cargo xtask` runs.
//!
//! The library runs commands, prints progress, installs prerequisites and builds Clew.

pub mod clew_server;
pub mod command;
pub mod error;
pub mod install;
pub mod processes;
pub mod progress;
pub mod task_runner;
pub mod web_page;
pub mod workspace;

pub use error::DevtoolsError;
