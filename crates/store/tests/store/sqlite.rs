//! Tests features of SQLite and of the data directory.

mod data_directory;
mod error_hints;
mod upgrade;
