//! Identifies a running database server by its server identity and start time.
//!
//! An address can lead to a different server process after a restart or failover, or behind a load balancer.
//! Two server instances can assign the same connection id to different clients.
//! Before killing a session, Clew checks that it is still connected to the server instance that listed the session.

use std::fmt;
use std::str::FromStr;

use clew_model::Failure;

use crate::client::{Client, Error};
use crate::flavor::Flavor;
use crate::{failure, sql_statements};

/// Server instance, identified by the server identity and the start time of the server process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerInstance {
    /// `server_uuid` on MySQL; host name, port, server id and data directory on MariaDB.
    /// A restart does not change the identity of the server.
    pub(crate) identity: String,
    /// Server start time as a Unix timestamp in seconds: the current server time minus the uptime.
    started: i64,
}

const START_TIME_SEPARATOR: char = '@';

impl fmt::Display for ServerInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{START_TIME_SEPARATOR}{}", self.identity, self.started)
    }
}

impl FromStr for ServerInstance {
    type Err = ServerInstanceParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (identity, started) = text.rsplit_once(START_TIME_SEPARATOR).ok_or(ServerInstanceParseError)?;
        let started = started.parse().map_err(|_| ServerInstanceParseError)?;
        Ok(Self { identity: identity.to_owned(), started })
    }
}

/// Error returned for a string that cannot be parsed as a server instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid server instance: use the value that Clew returned")]
pub struct ServerInstanceParseError;

/// On MySQL, queries performance_schema and falls back to information_schema if the query fails.
pub(crate) async fn read_server_instance(
    client: &mut Client,
    flavor: Flavor,
    address: &str,
) -> Result<ServerInstance, Failure> {
    let statements = match flavor {
        Flavor::MySql => [
            sql_statements::MYSQL_IDENTITY_AND_START_TIME_QUERY,
            sql_statements::LEGACY_MYSQL_IDENTITY_AND_START_TIME_QUERY,
        ],
        Flavor::MariaDb => [
            sql_statements::MARIADB_IDENTITY_AND_START_TIME_QUERY,
            sql_statements::MARIADB_IDENTITY_AND_START_TIME_QUERY,
        ],
    };
    let mut failed = Error::Protocol("the server returned no uptime");
    for statement in statements {
        match client.query_all_rows::<(String, Option<i64>)>(statement).await.map(Vec::into_iter) {
            Ok(mut rows) => {
                if let Some((identity, Some(started))) = rows.next() {
                    return Ok(ServerInstance { identity, started });
                }
            }
            Err(error @ Error::Server(_)) => failed = error,
            Err(error) => return Err(failure::failure_from_client_error(&error, address)),
        }
    }
    Err(failure::failure_from_client_error(&failed, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_parsed_back() {
        let instance = ServerInstance { identity: "db@1|3306".to_owned(), started: 1_790_000_000 };
        assert_eq!(instance.to_string().parse(), Ok(instance));
        for text in ["", "uuid", "uuid@", "uuid@now"] {
            assert_eq!(text.parse::<ServerInstance>(), Err(ServerInstanceParseError), "{text}");
        }
    }
}
