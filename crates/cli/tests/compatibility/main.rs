//! Black-box tests on every server release: the commands of `clew` and the service, used by the official SDK.
//!
//! `limitations.rs` lists the limitations of each release. If `CLEW_COMPATIBILITY_DIR` is set, each test records its result
//! there, and `cargo xtask test --all-servers` writes the results to COMPATIBILITY.md.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../service/backend.rs"]
#[expect(dead_code, reason = "the service tests need more of the backend")]
mod backend;
mod capabilities;
#[path = "../service/harness.rs"]
#[expect(dead_code, reason = "the service tests need more of the harness")]
mod harness;
mod limitations;

use clew_testkit::{DatabaseServer, DatabaseServerOptions, ServerRelease};
use rstest::rstest;
use serde_json::json;

use capabilities::{BlockedSessions, check_capabilities};

#[rstest]
#[tokio::test]
async fn capabilities_have_only_the_expected_limitations_on_a_server(
    #[values(
        ServerRelease::MariaDb10,
        ServerRelease::MariaDb11,
        ServerRelease::MariaDb10Galera,
        ServerRelease::MySql5,
        ServerRelease::MySql9
    )]
    release: ServerRelease,
) {
    let server = DatabaseServer::start(release, &DatabaseServerOptions::default()).await.unwrap();
    let sessions = BlockedSessions::open(&server).await;
    let checked = check_capabilities(&server, &sessions).await;
    assert_eq!(checked.limitations, limitations::expected_limitations(release), "{release}");
    if let Some(directory) = std::env::var_os("CLEW_COMPATIBILITY_DIR") {
        let result = json!({
            "server": release.product(),
            "version": checked.server_version,
            "source": release.source(),
            "date": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            "limitations": checked.limitations.iter().map(|(capability, kinds)| json!([capability, kinds])).collect::<Vec<_>>(),
        });
        let path = std::path::Path::new(&directory).join(release.name()).with_extension("json");
        std::fs::write(path, result.to_string()).unwrap();
    }
}

/// `cargo xtask test --all-servers` generates the table. The versions and dates are not compared.
#[test]
fn compatibility_document_has_the_expected_limitations() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../COMPATIBILITY.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect()
    };
    let mut table = document.lines().skip_while(|line| !line.starts_with("| capability |"));
    let servers = cells(table.next().unwrap());
    let rows: Vec<Vec<String>> = table.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect();
    for release in ServerRelease::ALL {
        let column = servers.iter().position(|server| server == release.product()).unwrap();
        let documented: Vec<(&str, String)> = rows.iter().map(|row| (row[0].as_str(), row[column].clone())).collect();
        let expected = limitations::expected_limitations(release).into_iter();
        let expected: Vec<(&str, String)> = expected
            .map(|(capability, kinds)| (capability, if kinds.is_empty() { "yes".to_owned() } else { kinds.join(", ") }))
            .collect();
        assert_eq!(documented, expected, "{release}");
    }
}
