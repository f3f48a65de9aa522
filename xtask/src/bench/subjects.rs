//! What is measured: Clew's command, its peer's statement, how they compare, and what the answers must hold.

use std::path::Path;

use clew_testkit::{Flavor, LoadSize, Server};

use crate::command::Command;

/// One comparison.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    /// Clew's command, without the server's address.
    pub(super) command: &'static [&'static str],
    /// What the client program of the server is asked.
    pub(super) statement: &'static str,
    /// How many times faster Clew must be (issue 4); nothing where the peer does less.
    pub(super) wanted: Option<f64>,
    /// How many pairs: fewer where the peer takes long.
    pub(super) pairs: usize,
    /// Text that stands in Clew's answer once for each of what is counted, and how many those are.
    pub(super) counted: (&'static str, fn(LoadSize) -> usize),
    /// The fewest lines of the peer's answer.
    pub(super) peer_lines: fn(LoadSize) -> usize,
}

const LOCKS: Subject = Subject {
    command: &["locks"],
    statement: "SELECT * FROM sys.innodb_lock_waits",
    wanted: Some(20.0),
    pairs: 9,
    counted: ("\n100 wait on 127.0.0.1", |size| size.waiters / 100),
    peer_lines: |size| size.waiters,
};

const DETAIL: Subject = Subject {
    command: &["snapshot", "--detail", "--format", "csv"],
    statement: "SELECT * FROM sys.session",
    wanted: Some(50.0),
    pairs: 5,
    counted: (",clew-testkit,", |size| size.sessions),
    peer_lines: |size| size.sessions,
};

const SNAPSHOT: Subject = Subject {
    command: &["snapshot", "--format", "csv"],
    statement: "SHOW FULL PROCESSLIST; SELECT * FROM information_schema.innodb_trx",
    wanted: None,
    pairs: 9,
    counted: ("root,127.0.0.1:", |size| size.sessions),
    peer_lines: |size| size.sessions + size.transactions,
};

/// What is measured on a server, the fast ones first. MariaDB has its sys schema only where it was installed with it.
pub(super) fn all(flavor: Flavor) -> Vec<Subject> {
    match flavor {
        Flavor::MySql => vec![SNAPSHOT, LOCKS, DETAIL],
        Flavor::MariaDb => vec![SNAPSHOT],
    }
}

/// Options of the server: as it comes, with room.
pub(super) fn arguments(flavor: Flavor) -> Vec<String> {
    match flavor {
        Flavor::MySql => vec!["--innodb-buffer-pool-size=256M".to_owned()],
        Flavor::MariaDb => vec!["--innodb-buffer-pool-size=256M".to_owned(), "--performance-schema=ON".to_owned()],
    }
}

impl Subject {
    /// `clew …`, with time enough for a busy machine.
    pub(super) fn clew(&self, clew: &Path, server: &Server) -> Command {
        let url = server.url();
        Command::new(clew).args(self.command.iter().copied()).args([url.as_str(), "--timeout", "300"])
    }

    /// The client program, sending the peer's statement.
    pub(super) fn peer(&self, server: &Server) -> Command {
        Self::client(server, self.statement)
    }

    /// The client program, sending any statement.
    pub(super) fn client(server: &Server, statement: &str) -> Command {
        let port = server.port().to_string();
        Command::new("mariadb")
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port", port.as_str()])
            .args(["--user=root", "--skip-ssl", "--skip-column-names", "--execute", statement])
    }

    /// Its name in tables.
    pub(super) fn name(&self) -> String {
        let words = self.command.split(|word| *word == "--format").next().unwrap_or(self.command);
        format!("clew {}", words.join(" "))
    }
}
