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
mod dropping_proxy;
mod fake;
mod flavor;
mod fleet;
mod gate;
mod idle;
mod load;
mod nginx;
mod odd;
mod postgresql;
mod process;
mod protocol;
mod rewriting_proxy;
mod rogue;
mod s3_server;
mod scenarios;
mod server;
mod server_clock;
mod server_error;
pub mod setup;
mod template;
mod virtual_address;
mod wire;

pub use big_transaction::big_transaction;
pub use dropping_proxy::{DroppingProxy, Traffic};
pub use fake::{FakeOptions, FakeServer, Fault};
pub use flavor::Flavor;
pub use fleet::FakeFleet;
pub use gate::Gate;
pub use idle::{IdleSessions, allow_open_files, idle_sessions, idle_sessions_of};
pub use load::{Load, LoadSize, TEN_THOUSAND};
pub use nginx::Nginx;
pub use odd::{ExpectedSession, ExpectedTransaction, ObservedTransaction, OddSessions};
pub use postgresql::PostgreSql;
pub use rewriting_proxy::{Effect, GreetingId, Rewrite, RewritingProxy};
pub use rogue::{ATTACKED, PasswordLeak, RogueMode, RogueOptions, RogueServer};
pub use s3_server::S3Server;
pub use scenarios::{BuiltScenario, Scenario, ScenarioError};
pub use server::{Server, ServerOptions};
pub use server_clock::ServerClock;
pub use server_error::ServerError;
pub use virtual_address::VirtualAddress;
pub use wire::{Charset, RawSession};
