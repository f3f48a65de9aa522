//! Conformance of `clew serve` with `/openapi.json`, tested with schemathesis.

use std::process::Command;

use clew_testkit::{FakeServer, FakeServerOptions, Fault, test_tools};
use serde_json::Value;

use crate::harness::{Home, RunningService};

/// Minimum number of test cases.
const MIN_CASES: u64 = 2_000;

/// Pattern of paths that require a domain token: `/clew/v1`, except project paths.
const DOMAIN_PATHS: &str = r"^/clew/v1/(?!\{project_id\})";
/// Pattern of excluded paths: endless streams, and the endpoint that revokes the token.
const EXCLUDED_PATHS: &str = "/stream$|^/clew/v1/console/session";

/// Checks of responses: no server errors, and no undocumented status, content type, header or body.
/// Omitted: unknown methods return 405, because the cloud returns 404 (TaurusDB API spec, section 5.3).
/// Omitted: every valid request is accepted, because a schema cannot describe the existing ids.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";

/// Project and domain operations run separately, because a token has one scope.
#[tokio::test(flavor = "multi_thread")]
async fn every_response_conforms_to_the_openapi_document() {
    let home = Home::new().await;
    let node = FakeServer::start(FakeServerOptions { sessions: 3, transactions: 1, fault: Fault::None }).await.unwrap();
    let added = home.add_instance(&[&node.url()]);
    let unlimited = home.folder.path().join("clew.toml");
    std::fs::write(&unlimited, "[limits]\nprincipal_per_second = 0\npeer_per_second = 0\n").unwrap();
    let serving = home.serve_with_config(&unlimited).await;
    let ids = format!(
        "[parameters]\n\"path.project_id\" = {:?}\n\"path.instance_id\" = {:?}\n\"path.node_id\" = {:?}\n",
        home.credential("project_id"),
        added.instance.as_str(),
        added.nodes[0].as_str(),
    );
    std::fs::write(home.folder.path().join("schemathesis.toml"), ids).unwrap();
    let of_project = home.token(&serving.endpoint).await;
    let of_domain = home.console_token(&serving.endpoint).await;
    let mut cases = run_schemathesis(
        &home,
        &serving,
        &[
            "--header",
            &format!("X-Auth-Token: {of_project}"),
            "--exclude-path-regex",
            &format!("{DOMAIN_PATHS}|{EXCLUDED_PATHS}"),
        ],
    );
    cases += run_schemathesis(
        &home,
        &serving,
        &[
            "--header",
            &format!("X-Auth-Token: {of_domain}"),
            "--include-path-regex",
            DOMAIN_PATHS,
            "--exclude-path-regex",
            EXCLUDED_PATHS,
        ],
    );
    assert!(cases >= MIN_CASES, "{cases}");
    assert!(!home.log().contains("panicked"), "{}", home.log());
}

/// Runs schemathesis. Returns the number of generated test cases.
fn run_schemathesis(home: &Home, serving: &RunningService, more: &[&str]) -> u64 {
    let report = home.folder.path().join("report.json");
    let output = Command::new(test_tools::python_interpreter_path())
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
    let output_text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{output_text}\nlog of clew serve:\n{}", home.log());
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let operations = |which: &str| report["operations"][which].as_u64().unwrap();
    assert_eq!(operations("tested"), operations("selected"), "{output_text}");
    report["test_cases"]["generated"].as_u64().unwrap()
}
