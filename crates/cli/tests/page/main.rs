//! The page in Debian's Chromium, against a real `clew serve` and real servers. The stories stand in `web/browser/stories`; here is the
//! stage: each story has a server and a service of its own, and asks for what shall happen there.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "what a story says of its tests is shown where it fails")]

#[path = "../service/harness.rs"]
#[allow(dead_code, reason = "the service's own tests use all of it")]
mod harness;
#[path = "../service/place.rs"]
#[allow(dead_code, reason = "the service's own tests use all of it")]
mod place;
mod stage;

use clew_testkit::Flavor;

#[tokio::test]
async fn the_door() {
    stage::tell("door", Flavor::MariaDb).await;
}

#[tokio::test]
async fn sessions_of_a_mariadb_server() {
    stage::tell("sessions", Flavor::MariaDb).await;
}

#[tokio::test]
async fn sessions_of_a_mysql_server() {
    stage::tell("sessions", Flavor::MySql).await;
}

#[tokio::test]
async fn locks_of_a_mariadb_server() {
    stage::tell("locks", Flavor::MariaDb).await;
}

#[tokio::test]
async fn locks_of_a_mysql_server() {
    stage::tell("locks", Flavor::MySql).await;
}

#[tokio::test]
async fn rights() {
    stage::tell("rights", Flavor::MariaDb).await;
}

#[tokio::test]
async fn trouble() {
    stage::tell("trouble", Flavor::MariaDb).await;
}

#[tokio::test]
async fn access_for_everybody() {
    stage::tell("access", Flavor::MySql).await;
}

/// Draws them; `CLEW_PICTURES=$PWD/docs/page cargo xtask test -- -p clew -E 'test(every_view_is_drawn)'` keeps what was drawn.
#[tokio::test]
async fn every_view_is_drawn_in_both_languages_light_and_dark() {
    stage::tell("pictures", Flavor::MySql).await;
}
