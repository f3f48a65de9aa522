//! Which server process a connection reaches.
//!
//! Addresses and connection ids survive what servers do not: a restart, a fail-over behind a virtual address, another replica behind a
//! balancer. A kill compares the instance that listed the victim with the one that would kill it.

use std::fmt;
use std::str::FromStr;

use clew_model::Failure;

use crate::client::Error;
use crate::connection::Connection;
use crate::server::Flavor;
use crate::statements;

/// One run of one server: its identity, and when it started.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerInstance {
    /// `server_uuid` of MySQL; of MariaDB, which has none, host name, port, server id and data directory.
    identity: String,
    /// Seconds since 1970, on the server's clock at its start. Constant during a run: the server subtracts its own uptime.
    started: i64,
}

impl ServerInstance {
    /// The server, whichever of its runs this is.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }
}

/// Stands between the parts of the text form.
const SEPARATOR: char = '@';

impl fmt::Display for ServerInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{SEPARATOR}{}", self.identity, self.started)
    }
}

impl FromStr for ServerInstance {
    type Err = InvalidServerInstance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (identity, started) = text.rsplit_once(SEPARATOR).ok_or(InvalidServerInstance)?;
        let started = started.parse().map_err(|_| InvalidServerInstance)?;
        Ok(Self { identity: identity.to_owned(), started })
    }
}

/// A text that names no server instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a server instance: write it as Clew printed it")]
pub struct InvalidServerInstance;

/// Reads the instance. MariaDB and old servers have the uptime in information_schema, MySQL in performance_schema.
pub(crate) async fn read(connection: &mut Connection) -> Result<ServerInstance, Failure> {
    let statements = match connection.flavor {
        Flavor::MySql => [statements::INSTANCE_MYSQL, statements::INSTANCE_MYSQL_5_6],
        Flavor::MariaDb => [statements::INSTANCE_MARIADB, statements::INSTANCE_MARIADB],
    };
    let mut failed = Error::Protocol("no uptime");
    for statement in statements {
        match connection.ask::<(String, Option<i64>)>(statement).await.map(Vec::into_iter) {
            Ok(mut rows) => {
                if let Some((identity, Some(started))) = rows.next() {
                    return Ok(ServerInstance { identity, started });
                }
            }
            Err(error @ Error::Server(_)) => failed = error,
            Err(error) => return Err(connection.failed(&error)),
        }
    }
    Err(connection.failed(&failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_parsed_back() {
        let instance = ServerInstance { identity: "db@1|3306".to_owned(), started: 1_790_000_000 };
        assert_eq!(instance.to_string().parse(), Ok(instance));
        for text in ["", "uuid", "uuid@", "uuid@now"] {
            assert_eq!(text.parse::<ServerInstance>(), Err(InvalidServerInstance), "{text}");
        }
    }
}
