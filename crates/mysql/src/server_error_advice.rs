//! Kinds of server errors, and the fix for each error that a user can remove.

use clew_model::FailureKind::{
    self, AccessDenied, ConnectionLost, MissingPrivilege, ServerError, TimedOut, TlsFailed, TooManyConnections,
};

/// Meaning of server error codes that have the same kind and the same fix.
#[derive(Debug)]
pub(crate) struct ServerErrorAdvice {
    codes: &'static [u16],
    pub(crate) kind: FailureKind,
    /// Fix without the final period, or `None` if the error needs no fix or the failure kind has a general one.
    pub(crate) fix: Option<&'static str>,
}

const fn advice(codes: &'static [u16], kind: FailureKind, fix: &'static str) -> ServerErrorAdvice {
    ServerErrorAdvice { codes, kind, fix: Some(fix) }
}

const fn without_fix(codes: &'static [u16], kind: FailureKind) -> ServerErrorAdvice {
    ServerErrorAdvice { codes, kind, fix: None }
}

/// Lock wait timeout, MySQL's max_execution_time, MariaDB's max_statement_time.
pub(crate) const TIMEOUT_ERROR_CODES: [u16; 3] = [1205, 3024, 1969];

/// Sources: the error references of MySQL 9.7 and MariaDB 11.8. Codes below 1900 have the same meaning on both.
#[rustfmt::skip]
static SERVER_ERROR_ADVICE: [ServerErrorAdvice; 15] = [
    advice(&[1040], TooManyConnections,
        "kill idle sessions or increase max_connections; for diagnosis, connect to the reserved port: extra_port of MariaDB, \
         admin_port of MySQL (requires SERVICE_CONNECTION_ADMIN)"),
    advice(&[1203], TooManyConnections, "increase max_user_connections, or kill idle sessions of this account"),
    advice(&[1226], TooManyConnections,
        "raise the limit of the account that the error names, for example ALTER USER … WITH MAX_USER_CONNECTIONS 0"),
    // A server rejects an account with REQUIRE SSL like a wrong password if the connection does not use TLS.
    advice(&[1044, 1045, 1698], AccessDenied,
        "check user and password (CLEW_DB_PASSWORD, or the URL); if the account has REQUIRE SSL, use ?tls=required"),
    advice(&[1130], AccessDenied, "create an account for the client host that the error names"),
    advice(&[1129], AccessDenied,
        "unblock the client host: TRUNCATE TABLE performance_schema.host_cache on MySQL, FLUSH HOSTS on MariaDB"),
    advice(&[1251], AccessDenied, "change the authentication plugin of the account, for example to caching_sha2_password"),
    advice(&[1820, 1862], AccessDenied, "set a new password: ALTER USER … IDENTIFIED BY …"),
    advice(&[3118, 4151], AccessDenied, "unlock the account: ALTER USER … ACCOUNT UNLOCK"),
    // Too many failed logins: FAILED_LOGIN_ATTEMPTS of MySQL, max_password_errors of MariaDB.
    advice(&[3955, 4150], AccessDenied, "unlock the account: ALTER USER … ACCOUNT UNLOCK on MySQL, FLUSH PRIVILEGES on MariaDB"),
    advice(&[3159], TlsFailed, "the server accepts only TLS connections: use ?tls=required"),
    advice(&[3032], ServerError, "set offline_mode to OFF, or connect as an account with CONNECTION_ADMIN"),
    advice(&[1184], ServerError,
        "correct init_connect (the server's error log has the reason), or connect as an account with CONNECTION_ADMIN"),
    without_fix(&[1142, 1143, 1227, 1370], MissingPrivilege),
    // Shutdown, killed statement, killed connection (MySQL, MariaDB).
    without_fix(&[1053, 1317, 3169, 1927], ConnectionLost),
];

static TIMEOUT_ADVICE: ServerErrorAdvice = without_fix(&TIMEOUT_ERROR_CODES, TimedOut);
static NO_ADVICE: ServerErrorAdvice = without_fix(&[], ServerError);

pub(crate) fn find_advice(code: u16) -> &'static ServerErrorAdvice {
    SERVER_ERROR_ADVICE
        .iter()
        .chain(std::iter::once(&TIMEOUT_ADVICE))
        .find(|advice| advice.codes.contains(&code))
        .unwrap_or(&NO_ADVICE)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_code_has_one_meaning() {
        let mut codes = HashSet::new();
        for advice in &SERVER_ERROR_ADVICE {
            assert!(advice.codes.iter().all(|code| codes.insert(code)), "{advice:?}");
            assert!(advice.fix.is_none_or(|fix| !fix.ends_with('.')), "{advice:?}");
        }
        assert_eq!(find_advice(1064).kind, ServerError);
        assert_eq!(find_advice(3024).kind, TimedOut);
    }
}
