//! Cargo's helpers that the tasks run: those on the PATH if they are new enough, else built once into the cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::setup;

use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::Step;
use crate::workspace;

/// A program that cargo can install.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    name: &'static str,
    /// The version that is installed, and the oldest that is taken from the PATH.
    version: Version,
}

type Version = [u32; 3];

pub(crate) const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: [0, 20, 2] };
pub(crate) const CARGO_NEXTEST: Tool = Tool { name: "cargo-nextest", version: [0, 9, 143] };

/// Building one takes minutes on a slow machine.
const LIMIT: Duration = Duration::from_mins(30);

/// They wait for other programs most of the time: unoptimised, they are built in less than half the time and are as good.
const FAST_TO_BUILD: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "64"),
];

impl Tool {
    /// The program, installed if it was not there.
    pub(crate) async fn install(&self) -> Result<PathBuf, XtaskError> {
        let kept = setup::servers_dir().join("tools");
        let in_cache = kept.join("bin").join(self.name);
        for program in [PathBuf::from(self.name), in_cache.clone()] {
            if self.is_new_enough(&program).await {
                return Ok(program);
            }
        }
        let [major, minor, patch] = self.version;
        let version = format!("{major}.{minor}.{patch}");
        let step = Step::start(format!("Building {} {version} (once)", self.name));
        // Its own build folder, which cargo removes: nothing of it is of use to this workspace.
        workspace::cargo()
            .without_env("CARGO_TARGET_DIR")
            .envs(FAST_TO_BUILD)
            .args(["install", "--locked", "--force", "--version", &version, "--root"])
            .args([kept.as_os_str()])
            .args([self.name])
            .retry_in(&step, LIMIT)
            .await?;
        step.done();
        Ok(in_cache)
    }

    async fn is_new_enough(&self, program: &Path) -> bool {
        let answer = Command::new(program).args(["--version"]).answer_if_it_works().await;
        answer.is_some_and(|answer| version(&answer) >= Some(self.version))
    }
}

/// The version in an answer such as `cargo-deny 0.20.2`.
fn version(answer: &str) -> Option<Version> {
    let mut numbers = answer.split_whitespace().nth(1)?.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        assert_eq!(version("cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nrelease: 0.9.143"), Some([0, 9, 143]));
        assert!(version("cargo-nextest 0.10.0") > version("cargo-nextest 0.9.143"));
        assert_eq!(version("no version at all"), None);
        assert!(version("cargo-deny") < Some([0, 0, 1]));
    }
}
