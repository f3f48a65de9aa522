//! Reading a MySQL-compatible server: MySQL, MariaDB, TaurusDB.
//!
//! [`take_snapshot`] reads every session of a node with its open transaction; [`examine`] says what an account can and
//! cannot see there; [`read_waits`] reads what the wait graph is made from. Each table is read once, over one connection, and
//! joined here (DESIGN.md section 7 has the measurements behind that). [`kill()`] ends a session, and only the one that was meant.
//! Every wait has a limit, and what is given up here is killed there. A node never has more than two connections of this process
//! at a time.
//!
//! Not for: deciding who may read a node, or keeping what was read.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use clew_model::{NodeUrl, Selection};
//! use clew_mysql::{Form, Limits, Statements, take_snapshot};
//!
//! let node: NodeUrl = "mysql://clew:secret@db.example.com/".parse()?;
//! let form = Form::Csv { formula_guard: true };
//! let mut snapshot = take_snapshot(&node, &Selection::default(), Statements::Whole, form, &Limits::default()).await?;
//! snapshot.body.write_to(&mut std::io::stdout())?;
//! # Ok(())
//! # }
//! ```

mod budget;
mod client;
mod clock;
mod connection;
mod doctor;
mod explain;
mod failure;
mod innodb_status;
mod kill;
mod kill_on_drop;
mod limits;
mod live;
mod locks;
mod losses;
mod own_sessions;
mod programs;
mod refused_logins;
mod rollbacks;
mod running;
mod seen;
mod server;
mod server_instance;
mod server_threads;
mod session;
mod session_variables;
mod sessions;
mod snapshot;
mod statement_ages;
mod statements;
mod transactions;

pub use budget::Errand;
pub use clock::{ClockDoubt, ClockHistory, ClockReading};
pub use doctor::{Check, Diagnosis, examine};
pub use explain::{Explained, explain_session};
pub use kill::{
    Doing, FoundSessions, KillEffect, KillKind, KillOutcome, ListRead, Refusal, StateBeforeKill, UnsafeVictims,
    UserSessions, Victim, find_sessions, kill, kill_all, kill_all_under, read_kill_risks, read_table_risks,
    read_user_sessions,
};
pub use kill_on_drop::settle_kills;
pub use limits::Limits;
pub use live::{LiveLook, LiveMemory, look_live};
pub use locks::{read_waits, read_waits_with_server};
pub use own_sessions::share_session_token;
pub use rollbacks::{Rollback, read_rollbacks};
pub use server::Flavor;
pub use server_instance::{InvalidServerInstance, ServerInstance};
pub use session::{WholeSession, read_session};
pub use snapshot::{
    Body, Form, Snapshot, Statements, Summary, Whose, take_detailed_snapshot, take_snapshot, take_snapshot_of,
    take_snapshot_with_server,
};
