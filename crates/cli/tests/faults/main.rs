//! What Clew promises while what it stands on breaks: two minutes of it. `cargo xtask faults` does the same for as long as it is told.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_faults::{Fault, Options, run};

#[tokio::test]
async fn every_promise_is_kept_while_everything_breaks_once() {
    let logs = tempfile::tempdir().unwrap();
    // Another one each time, and told: a failure can be had again with it.
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let options = Options {
        clew: env!("CARGO_BIN_EXE_clew").into(),
        logs: logs.path().to_owned(),
        seed,
        faults: Fault::ALL.into(),
        for_each: Duration::from_secs(8),
        per_second: 8.0,
        tell: |what| eprintln!("{what}"),
    };
    let report = run(options).await.unwrap();
    eprintln!("{report}");
    assert!(report.broken().is_empty(), "{report}");
}
