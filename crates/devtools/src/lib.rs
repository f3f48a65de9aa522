//! Runs commands, prints progress, installs prerequisites and builds Clew for the development programs.
//!
//! The programs `devtools`, `bench` and `faults`, which `cargo xtask TASK` starts, use this library.

pub mod clew_server;
pub mod command;
pub mod error;
pub mod install;
pub mod processes;
pub mod progress;
pub mod task;
pub mod web_page;
pub mod workspace;

pub use error::DevtoolsError;
