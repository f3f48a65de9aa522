//! schemathesis asks `clew serve` for what `/openapi.json` promises, and for what it does not.

use std::process::Command;

use clew_testkit::{FakeOptions, FakeServer, Fault, setup};
use serde_json::Value;

use crate::harness::{Home, Serving};

/// Test cases of a run, at least.
const CASES: u64 = 2_000;

/// Paths that a token of the domain opens: Clew's own, but those of a project.
const OF_THE_DOMAIN: &str = r"^/clew/v1/(?!\{project_id\})";
/// What has no end, and what ends the token that asks.
const NEITHER: &str = "/stream$|^/clew/v1/console/session";

/// What an answer must keep to: no status from 500, and nothing that the document does not describe. Not among them: that an unknown
/// method is answered with 405, as the cloud answers it with 404 (spec section 5.3), and that everything which fits the schema is
/// accepted, as a schema cannot say which ids exist.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";

/// A token opens a project or the domain: the operations of either are asked with theirs.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_a_failure_or_undescribed() {
    let home = Home::new().await;
    let node = FakeServer::start(FakeOptions { sessions: 3, transactions: 1, fault: Fault::None }).await.unwrap();
    let added = home.add_instance(&[&node.url()]);
    let unlimited = home.folder.path().join("clew.toml");
    std::fs::write(&unlimited, "[limits]\nprincipal_per_second = 0\npeer_per_second = 0\n").unwrap();
    let serving = home.serve_with(&unlimited).await;
    let ids = format!(
        "[parameters]\n\"path.project_id\" = {:?}\n\"path.instance_id\" = {:?}\n\"path.node_id\" = {:?}\n",
        home.credential("project_id"),
        added.instance.as_str(),
        added.nodes[0].as_str(),
    );
    std::fs::write(home.folder.path().join("schemathesis.toml"), ids).unwrap();
    let of_project = home.token(&serving.endpoint).await;
    let of_domain = home.console_token(&serving.endpoint).await;
    let mut cases = ask(
        &home,
        &serving,
        &[
            "--header",
            &format!("X-Auth-Token: {of_project}"),
            "--exclude-path-regex",
            &format!("{OF_THE_DOMAIN}|{NEITHER}"),
        ],
    );
    cases += ask(
        &home,
        &serving,
        &[
            "--header",
            &format!("X-Auth-Token: {of_domain}"),
            "--include-path-regex",
            OF_THE_DOMAIN,
            "--exclude-path-regex",
            NEITHER,
        ],
    );
    assert!(cases >= CASES, "{cases}");
    assert!(!home.log().contains("panicked"), "{}", home.log());
}

/// Lets schemathesis ask, and returns how often it did.
fn ask(home: &Home, serving: &Serving, more: &[&str]) -> u64 {
    let report = home.folder.path().join("report.json");
    let output = Command::new(setup::clients_python())
        .args(["-m", "schemathesis.cli", "--config-file", "schemathesis.toml"])
        .args(["run", &format!("{}/openapi.json", serving.endpoint), "--seed", "7", "--workers", "1"])
        .args(["--max-examples", "60", "--no-shrink", "--continue-on-failure", "--checks", CHECKS])
        .args(more)
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        .current_dir(home.folder.path())
        .env("HOME", home.folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\nlog of clew serve:\n{}", home.log());
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let operations = |which: &str| report["operations"][which].as_u64().unwrap();
    assert_eq!(operations("tested"), operations("selected"), "{said}");
    report["test_cases"]["generated"].as_u64().unwrap()
}
