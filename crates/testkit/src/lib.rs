//! Private servers for tests: real database servers, fake servers and malicious servers.
//!
//! - [`Server`] is a private MariaDB or MySQL server with a temporary data directory.
//! - [`StatementGate`] is a proxy that holds a statement until the test releases it.
//! - [`ServerClock`] sets the wall clock of a server.
//! - [`Scenario`] builds lock waits with known waiters and blockers.
//! - [`KnownSessions`] opens sixty sessions with known contents.
//! - [`SessionLoad`] opens thousands of sessions with transactions and lock waits.
//! - [`open_idle_sessions`] opens many idle sessions.
//! - [`FakeServer`] simulates result sizes and faults that a real server cannot produce.
//! - [`FakeFleet`] is a fleet of fake servers.
//! - [`S3Server`] and [`PostgreSql`] are private servers for results and metadata.
//! - [`Nginx`] is a private load balancer.
//! - [`FaultProxy`] stalls, throttles or resets connections.
//! - [`RewritingProxy`] rewrites the greeting of a server, and holds or delays packets.
//! - [`VirtualAddress`] forwards connections to one of several servers, with fail-over or load balancing.
//! - [`RogueServer`] attacks the clients that connect to it.
//!
//! If a server is not installed, the test fails with an error that contains the install command.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use clew_testkit::{Flavor, Server, ServerOptions};
//!
//! let server = Server::start(Flavor::MariaDb, &ServerOptions::default()).await?;
//! println!("clew snapshot {}", server.url());
//! # Ok(())
//! # }
//! ```

mod big_transaction;
mod datadir_template;
mod fake_fleet;
mod fake_server;
mod fault_proxy;
mod flavor;
mod idle;
mod known_sessions;
mod load;
mod nginx;
mod postgresql;
mod process;
mod protocol;
mod raw_client;
mod rewriting_proxy;
mod rogue;
mod s3_server;
mod scenarios;
mod server;
mod server_clock;
mod server_error;
mod statement_gate;
pub mod toolchain;
mod virtual_address;

pub use big_transaction::open_big_transaction;
pub use fake_fleet::FakeFleet;
pub use fake_server::{FakeOptions, FakeServer, Fault};
pub use fault_proxy::{FaultProxy, TrafficMode};
pub use flavor::Flavor;
pub use idle::{IdleSessions, open_idle_sessions, open_idle_sessions_as, raise_open_file_limit};
pub use known_sessions::{ExpectedSession, ExpectedTransaction, KnownSessions, ObservedTransaction};
pub use load::{LoadSize, SessionLoad, TEN_THOUSAND_SESSION_LOAD};
pub use nginx::Nginx;
pub use postgresql::PostgreSql;
pub use raw_client::{Charset, RawSession};
pub use rewriting_proxy::{ConnectionIdRewrite, PacketEffect, Rewrite, RewritingProxy};
pub use rogue::{ATTACKED_STATEMENTS, PasswordLeak, RogueMode, RogueOptions, RogueServer};
pub use s3_server::S3Server;
pub use scenarios::{BuiltScenario, Scenario, ScenarioError};
pub use server::{Server, ServerOptions};
pub use server_clock::ServerClock;
pub use server_error::ServerError;
pub use statement_gate::StatementGate;
pub use virtual_address::VirtualAddress;
