//! Expected limitations of each capability on each release, with the default settings of the release.

use clew_testkit::ServerRelease;

/// Capabilities of Clew in the order of the table in COMPATIBILITY.md.
pub(crate) const CAPABILITIES: [&str; 9] = [
    "snapshot",
    "snapshot --detail",
    "ps",
    "locks: row locks",
    "locks: metadata locks",
    "doctor",
    "collect",
    "live list",
    "kill",
];

/// Returns the limitations of each capability in the order of [`CAPABILITIES`].
pub(crate) fn expected_limitations(release: ServerRelease) -> Vec<(&'static str, Vec<String>)> {
    let limitations: [&[&str]; CAPABILITIES.len()] = match release {
        ServerRelease::MySql9 => [&[]; CAPABILITIES.len()],
        ServerRelease::MySql5 => [
            &["unreliable_ages"],
            &["no_metadata_locks", "unreliable_ages"],
            &["unreliable_ages"],
            &[],
            &["no_metadata_locks", "unreliable_ages", "no_last_statements"],
            &["no_metadata_locks", "unreliable_ages"],
            &["unreliable_ages"],
            &["no_metadata_locks", "unreliable_ages"],
            &[],
        ],
        // performance_schema is disabled by default.
        ServerRelease::MariaDb10 | ServerRelease::MariaDb11 | ServerRelease::MariaDb10Galera => [
            &[],
            &["no_performance_schema", "no_statement_digests", "no_program_names"],
            &[],
            &[],
            &["no_performance_schema"],
            &["no_performance_schema"],
            &[],
            &["no_performance_schema", "no_program_names"],
            &[],
        ],
    };
    let limitations = limitations.map(|kinds| kinds.iter().map(|&kind| kind.to_owned()).collect());
    CAPABILITIES.into_iter().zip(limitations).collect()
}
