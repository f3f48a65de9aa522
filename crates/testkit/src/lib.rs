//! Isolated servers for tests: real database servers, fake servers and malicious servers.
//!
//! - [`DatabaseServer`] is a private MariaDB or MySQL server with a temporary data directory.
//! - [`ServerClock`] changes the wall clock of a database server.
//! - [`LockWaitScenario`] creates lock waits with known waiters and blockers.
//! - [`PredefinedSessions`] opens sixty sessions with known statements.
//! - [`BenchmarkSessions`] opens thousands of sessions, many of which have open transactions or wait for locks.
//! - [`open_idle_sessions`] opens many sessions that run no statements.
//! - [`FakeServer`] simulates faults and result sizes that a real MySQL server cannot produce.
//! - [`FakeServerFleet`] starts many fake MySQL servers, each on a separate port.
//! - [`S3Server`] is a private S3 server, and [`PostgreSqlServer`] is a private PostgreSQL server.
//! - [`NginxServer`] is a private nginx server, for example for load balancing.
//! - [`FaultInjectionProxy`] stalls, throttles or closes the connections to a server.
//! - [`RewritingProxy`] rewrites the greeting packet of a MySQL server and can hold back or delay packets.
//! - [`VirtualIpProxy`] simulates a virtual IP address with failover or load balancing.
//! - [`RogueServer`] is a malicious MySQL server that attacks its clients.
//!
//! If a database server is not installed, the test fails with an error that contains the install command.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use clew_testkit::{Flavor, DatabaseServer, DatabaseServerOptions};
//!
//! let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await?;
//! println!("clew snapshot {}", server.url());
//! # Ok(())
//! # }
//! ```

mod benchmark_sessions;
mod data_dir_template;
mod database_server;
mod fake_server;
mod fake_server_fleet;
mod fault_proxy;
mod flavor;
mod idle_sessions;
mod large_transaction;
mod mysql_packets;
mod nginx;
mod postgresql;
mod predefined_sessions;
mod process;
mod raw_session;
mod rewriting_proxy;
mod rogue_server;
mod s3_server;
mod scenarios;
mod server_clock;
mod server_error;
mod server_release;
mod tcp_service;
pub mod test_tools;
mod virtual_ip_proxy;

pub use benchmark_sessions::{BENCHMARK_SESSION_COUNTS, BenchmarkSessionCounts, BenchmarkSessions};
pub use database_server::{DatabaseServer, DatabaseServerOptions};
pub use fake_server::{ConnectionCounter, FakeServer, FakeServerOptions, Fault};
pub use fake_server_fleet::FakeServerFleet;
pub use fault_proxy::{FaultInjectionProxy, TrafficMode};
pub use flavor::Flavor;
pub use idle_sessions::{IdleSessions, open_idle_sessions, open_idle_sessions_for_account, raise_open_file_limit};
pub use large_transaction::begin_large_transaction;
pub use nginx::NginxServer;
pub use postgresql::PostgreSqlServer;
pub use predefined_sessions::{ExpectedSession, ExpectedTransaction, ObservedTransaction, PredefinedSessions};
pub use process::ServerProcess;
pub use raw_session::{ClientCharset, RawSession};
pub use rewriting_proxy::{ConnectionIdRewrite, PacketAction, RewriteRules, RewritingProxy};
pub use rogue_server::{
    ATTACK_TRIGGER_SUBSTRINGS, LeakedPasswordEncoding, RogueAttack, RogueServer, RogueServerOptions,
};
pub use s3_server::S3Server;
pub use scenarios::{LockWaitScenario, RunningScenario, ScenarioError};
pub use server_clock::ServerClock;
pub use server_error::ServerError;
pub use server_release::ServerRelease;
pub use virtual_ip_proxy::VirtualIpProxy;
