//! Server errors of logins: each message has a fix, and the fix works.

use clew_model::{FailureKind, NodeUrl};
use clew_mysql::diagnose_node;
use clew_testkit::{DatabaseServer, DatabaseServerOptions, ServerRelease};

use super::connector;

struct LoginError {
    /// Statements of an administrator that cause the error.
    setup: &'static [&'static str],
    kind: FailureKind,
    code: u16,
    /// Part of the fix in the message.
    fix: &'static str,
    /// The fix as statements, and as parameters of the URL.
    applied: &'static [&'static str],
    parameters: &'static str,
}

/// The server closes the connection without an error.
const NO_CODE: u16 = 0;

/// MySQL sends its public key, so that the password is encrypted without TLS.
const UNENCRYPTED: &str = "?tls=off&get-server-public-key=on";

const CREATE: &str = "CREATE USER clew@'%' IDENTIFIED BY 'x'";

const fn error(
    setup: &'static [&'static str],
    (kind, code): (FailureKind, u16),
    fix: &'static str,
    applied: &'static [&'static str],
) -> LoginError {
    LoginError { setup, kind, code, fix, applied, parameters: "" }
}

use FailureKind::{AccessDenied, ConnectionLost, ServerError, TlsFailed, TooManyConnections};

/// Errors that both flavors return.
const COMMON: [LoginError; 2] = [
    error(&[], (AccessDenied, 1045), "check user and password", &[CREATE]),
    error(
        &[CREATE, "ALTER USER clew@'%' WITH MAX_CONNECTIONS_PER_HOUR 1"],
        (TooManyConnections, 1226),
        "raise the limit of the account",
        &["ALTER USER clew@'%' WITH MAX_CONNECTIONS_PER_HOUR 0"],
    ),
];

const MYSQL: [LoginError; 6] = [
    error(
        &[CREATE, "SET GLOBAL init_connect = 'invalid'"],
        (ConnectionLost, NO_CODE),
        "init_connect",
        &["SET GLOBAL init_connect = ''"],
    ),
    LoginError {
        setup: &["CREATE USER clew@'%' IDENTIFIED BY 'x' REQUIRE SSL"],
        kind: AccessDenied,
        code: 1045,
        fix: "?tls=required",
        applied: &[],
        parameters: "?tls=required&get-server-public-key=on",
    },
    LoginError {
        setup: &[CREATE, "SET GLOBAL require_secure_transport = ON"],
        kind: TlsFailed,
        code: 3159,
        fix: "?tls=required",
        applied: &[],
        parameters: "?tls=required&get-server-public-key=on",
    },
    error(
        &["CREATE USER clew@'%' IDENTIFIED BY 'x' ACCOUNT LOCK"],
        (AccessDenied, 3118),
        "ACCOUNT UNLOCK",
        &["ALTER USER clew@'%' ACCOUNT UNLOCK"],
    ),
    error(
        &["CREATE USER clew@'%' IDENTIFIED BY 'x' PASSWORD EXPIRE"],
        (AccessDenied, 1862),
        "set a new password",
        &["ALTER USER clew@'%' IDENTIFIED BY 'x'"],
    ),
    error(
        &[CREATE, "SET GLOBAL offline_mode = ON"],
        (ServerError, 3032),
        "offline_mode",
        &["SET GLOBAL offline_mode = OFF"],
    ),
];

const MARIADB: [LoginError; 3] = [
    error(
        &[CREATE, "SET GLOBAL init_connect = 'invalid'"],
        (ConnectionLost, NO_CODE),
        "init_connect",
        &["SET GLOBAL init_connect = ''"],
    ),
    error(
        &["CREATE USER clew@'%' IDENTIFIED BY 'x' ACCOUNT LOCK"],
        (AccessDenied, 4151),
        "ACCOUNT UNLOCK",
        &["ALTER USER clew@'%' ACCOUNT UNLOCK"],
    ),
    error(
        &["CREATE USER clew@'%' IDENTIFIED BY 'x' PASSWORD EXPIRE"],
        (AccessDenied, 1820),
        "set a new password",
        &["ALTER USER clew@'%' IDENTIFIED BY 'x'"],
    ),
];

async fn check(release: ServerRelease, case: &LoginError) {
    let server = DatabaseServer::start(release, &DatabaseServerOptions::default()).await.unwrap();
    let context = format!("{release} {} {:?}", case.code, case.setup);
    server.run_statements(case.setup).await.unwrap_or_else(|error| panic!("{context}: {error}"));
    let url = server.url_for_account("clew", "x");
    let node = |parameters: &str| -> NodeUrl { format!("{url}{parameters}").parse().unwrap() };
    // Some errors occur only after the first login of the account.
    let mut failure = None;
    for _ in 0..3 {
        failure = diagnose_node(&node(UNENCRYPTED), &connector()).await.err();
        if failure.is_some() {
            break;
        }
    }
    let Some(failure) = failure else { panic!("{context}: no failure") };
    assert_eq!(failure.kind, case.kind, "{context}: {failure}");
    assert!(case.code == NO_CODE || failure.detail.contains(&format!("error {}", case.code)), "{context}: {failure}");
    let fix = failure.detail.split_once(". Fix: ").unwrap().1;
    assert!(fix.contains(case.fix), "{context}: {failure}");
    // The statements of the test use an unencrypted connection, which the server may refuse.
    if !case.applied.is_empty() {
        server.run_statements(case.applied).await.unwrap_or_else(|error| panic!("{context}: {error}"));
    }
    // A refused login is cached for a second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let parameters = if case.parameters.is_empty() { UNENCRYPTED } else { case.parameters };
    let diagnosis = diagnose_node(&node(parameters), &connector()).await;
    assert!(diagnosis.is_ok(), "{context}: {:?}", diagnosis.err());
}

#[tokio::test]
async fn fix_of_each_login_error_works_on_mysql_server() {
    for case in COMMON.iter().chain(&MYSQL) {
        check(ServerRelease::MySql9, case).await;
    }
}

#[tokio::test]
async fn fix_of_each_login_error_works_on_mariadb_server() {
    for case in COMMON.iter().chain(&MARIADB) {
        check(ServerRelease::MariaDb11, case).await;
    }
}
