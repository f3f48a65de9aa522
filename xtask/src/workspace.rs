//! Where this clone is, and the cargo that runs in it.

use std::path::PathBuf;

use crate::command::Command;

/// The root of the clone. Cargo says where this package is; a binary kept from another clone would not know.
pub(crate) fn root() -> PathBuf {
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// The cargo that started this, in the root of the clone.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Command::new(cargo).in_folder(root())
}
