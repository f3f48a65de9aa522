//! Fault injection for two minutes: tests the guarantees of Clew while its dependencies fail.
//! `cargo xtask faults` runs the same test for a configurable time.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_chaos::{Fault, FaultInjectionOptions, run};

#[tokio::test]
async fn all_guarantees_hold_during_each_fault() {
    let logs = tempfile::tempdir().unwrap();
    // The seed differs in each run and is printed, so that a failure can be reproduced.
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let options = FaultInjectionOptions {
        clew: env!("CARGO_BIN_EXE_clew").into(),
        logs: logs.path().to_owned(),
        seed,
        faults: Fault::ALL.into(),
        duration_per_fault: Duration::from_secs(8),
        requests_per_second: 8.0,
        on_progress: |message| eprintln!("{message}"),
    };
    let report = run(options).await.unwrap();
    eprintln!("{report}");
    assert!(report.violations().is_empty(), "{report}");
}
