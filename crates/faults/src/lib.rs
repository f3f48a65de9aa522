//! Breaks what Clew stands on while a client runs, and checks what the client saw.
//!
//! [`run()`] puts up a platform: PostgreSQL, an S3 server, three servers and four workers of Clew, a MariaDB and a fleet of fake nodes. A
//! client asks it for collections at a steady rate, while one [`Fault`] after the other is brought about, at moments that a seed
//! decides. In the end each promise is checked on everything that was asked for: the client's own notes, the rows of the database, a
//! trigger in it that saw every end, the objects on S3, and what the processes logged.
//!
//! Only for tests: `crates/cli/tests/faults` runs it for two minutes, `cargo xtask faults` for as long as it is told.
//! `docs/decisions/0031-faults-and-promises.md` says what is promised, and how each promise is looked at.

mod breaking;
mod checks;
mod diary;
mod error;
mod fault;
mod load;
mod nodes;
mod place;
mod process;
mod reasons;
mod report;
mod run;
mod witness;

pub use error::FaultsError;
pub use fault::Fault;
pub use report::Report;
pub use run::{Options, run};
