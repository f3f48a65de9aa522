//! Foundation of the development programs: runs commands, prints progress, installs prerequisites, and builds Clew.
//!
//! The programs `devtools`, `bench` and `faults` use these modules. `cargo xtask TASK` starts the programs.

pub mod clew_server;
pub mod command;
pub mod error;
pub mod install;
pub mod page;
pub mod processes;
pub mod progress;
pub mod task;
pub mod workspace;

pub use error::DevtoolsError;
