//! End-to-end tests for the web page in Debian's Chromium, with a real `clew serve` process and real database servers.
//! The tests are in `web/browser/e2e`.
//! Each test file has its own database server and its own service, and controls both through a stage.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "shows the output of the browser tests on failure")]

#[path = "../service/backend.rs"]
#[allow(dead_code, reason = "used entirely by the tests of the service")]
mod backend;
#[path = "../service/harness.rs"]
#[allow(dead_code, reason = "used entirely by the tests of the service")]
mod harness;
mod load_balancer;
mod stage;

use clew_testkit::Flavor;

#[tokio::test]
async fn sign_in() {
    stage::run("sign-in", Flavor::MariaDb).await;
}

#[tokio::test]
async fn sessions_of_a_mariadb_server() {
    stage::run("sessions", Flavor::MariaDb).await;
}

#[tokio::test]
async fn sessions_of_a_mysql_server() {
    stage::run("sessions", Flavor::MySql).await;
}

#[tokio::test]
async fn locks_of_a_mariadb_server() {
    stage::run("locks", Flavor::MariaDb).await;
}

#[tokio::test]
async fn locks_of_a_mysql_server() {
    stage::run("locks", Flavor::MySql).await;
}

#[tokio::test]
async fn kill_safety_on_a_mariadb_server() {
    stage::run("kill-safety", Flavor::MariaDb).await;
}

#[tokio::test]
async fn kill_safety_on_a_mysql_server() {
    stage::run("kill-safety", Flavor::MySql).await;
}

#[tokio::test]
async fn permissions() {
    stage::run("permissions", Flavor::MariaDb).await;
}

#[tokio::test]
async fn outage() {
    stage::run("outage", Flavor::MariaDb).await;
}

#[tokio::test]
async fn accessibility() {
    stage::run("accessibility", Flavor::MySql).await;
}

/// `CLEW_SCREENSHOTS=$PWD/docs/page cargo xtask test -- -p clew -E 'test(screenshots_of_every_view)'` saves the screenshots.
#[tokio::test]
async fn screenshots_of_every_view() {
    stage::run("screenshots", Flavor::MySql).await;
}
