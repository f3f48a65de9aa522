//! Finds or installs the cargo tools that the development tasks use, such as cargo-nextest.
//! If no sufficiently recent version of a tool is on the PATH, cargo builds the tool in the user's cache directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;
use clew_devtools::progress::Step;
use clew_devtools::workspace;
use clew_testkit::test_tools;

#[derive(Debug, Clone, Copy)]
pub(crate) struct CargoTool {
    name: &'static str,
    min_version: Version,
}

type Version = [u32; 3];

pub(crate) const CARGO_DENY: CargoTool = CargoTool { name: "cargo-deny", min_version: [0, 20, 2] };
pub(crate) const CARGO_NEXTEST: CargoTool = CargoTool { name: "cargo-nextest", min_version: [0, 9, 143] };

const TOOL_BUILD_TIMEOUT: Duration = Duration::from_mins(30);

/// Environment variables that disable compiler optimization, so that building the tools takes half as long.
const UNOPTIMIZED_BUILD_ENV_VARS: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "64"),
];

impl CargoTool {
    pub(crate) async fn install(&self) -> Result<PathBuf, DevtoolsError> {
        let tools_dir = test_tools::downloads_dir().join("tools");
        let cached_program = tools_dir.join("bin").join(self.name);
        for program in [PathBuf::from(self.name), cached_program.clone()] {
            if self.has_required_version(&program).await {
                return Ok(program);
            }
        }
        let [major, minor, patch] = self.min_version;
        let version = format!("{major}.{minor}.{patch}");
        let step = Step::start(format!("Building {} {version} (once)", self.name));
        // Without CARGO_TARGET_DIR, `cargo install` builds in a temporary directory and removes it.
        workspace::cargo_command()
            .env_remove("CARGO_TARGET_DIR")
            .envs(UNOPTIMIZED_BUILD_ENV_VARS)
            .args(["install", "--locked", "--force", "--version", &version, "--root"])
            .args([tools_dir.as_os_str()])
            .args([self.name])
            .run_with_retries(&step, TOOL_BUILD_TIMEOUT)
            .await?;
        step.complete();
        Ok(cached_program)
    }

    async fn has_required_version(&self, program: &Path) -> bool {
        let output = Command::new(program).args(["--version"]).capture_stdout_if_successful().await;
        output.is_some_and(|output| parse_version(&output) >= Some(self.min_version))
    }
}

/// Parses the version from output such as `cargo-deny 0.20.2`.
fn parse_version(output: &str) -> Option<Version> {
    let mut numbers = output.split_whitespace().nth(1)?.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(parse_version("cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nrelease: 0.9.143"), Some([0, 9, 143]));
        assert!(parse_version("cargo-nextest 0.10.0") > parse_version("cargo-nextest 0.9.143"));
        assert_eq!(parse_version("no version at all"), None);
        assert!(parse_version("cargo-deny") < Some([0, 0, 1]));
    }
}
