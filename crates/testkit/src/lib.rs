//! Real servers for tests, and one that lies.
//!
//! [`Server`] is a private MariaDB or MySQL with a data directory and port of its own, gone when it is dropped, however the
//! test ends; a [`Gate`] before it stops a statement for a while. [`Scenario`] builds a wait of each kind, whose truth is known. [`OddSessions`] are sixty sessions whose contents are known, [`idle_sessions`] are many that do nothing,
//! a [`ServerClock`] gives a server a time that a test sets, [`Load`] is a busy server, and [`FakeServer`] has the sizes and faults that real servers cannot be made to have; a [`FakeFleet`] is
//! many of them. [`S3Server`] is a private server of objects, [`PostgreSql`] one for what Clew itself keeps; a
//! [`DroppingProxy`] is a network between that can be cut, and [`Nginx`] stands before several servers.
//!
//! Networks and servers that deceive: a [`RewritingProxy`] changes the greeting, a [`VirtualAddress`] moves or balances, a
//! [`RogueServer`] attacks its client.
//!
//! A test never passes because a server is missing: [`Server::start`] fails and says what to run.
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
pub mod setup;
mod statement_gate;
mod virtual_address;

pub use big_transaction::big_transaction;
pub use fake_fleet::FakeFleet;
pub use fake_server::{FakeOptions, FakeServer, Fault};
pub use fault_proxy::{DroppingProxy, Traffic};
pub use flavor::Flavor;
pub use idle::{IdleSessions, allow_open_files, idle_sessions, idle_sessions_of};
pub use known_sessions::{ExpectedSession, ExpectedTransaction, ObservedTransaction, OddSessions};
pub use load::{Load, LoadSize, TEN_THOUSAND_SESSIONS};
pub use nginx::Nginx;
pub use postgresql::PostgreSql;
pub use raw_client::{Charset, RawSession};
pub use rewriting_proxy::{Effect, GreetingId, Rewrite, RewritingProxy};
pub use rogue::{ATTACKED_STATEMENTS, PasswordLeak, RogueMode, RogueOptions, RogueServer};
pub use s3_server::S3Server;
pub use scenarios::{BuiltScenario, Scenario, ScenarioError};
pub use server::{Server, ServerOptions};
pub use server_clock::ServerClock;
pub use server_error::ServerError;
pub use statement_gate::Gate;
pub use virtual_address::VirtualAddress;
