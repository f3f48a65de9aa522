//! From raw sessions to an answer.
//!
//! Which sessions are meant ([`Filter`]), in what order ([`RowSorter`]), and how a row is written ([`csv`], [`json`]). Rows
//! pass one at a time: a snapshot of a hundred thousand sessions needs a few megabytes, whatever its statements weigh.
//!
//! Pure: nothing here opens a file, a socket or a runtime. Where bytes must rest, the caller hands in anything that can be
//! written, read and rewound.
//!
//! ```
//! use clew_diagnose::{Filter, csv};
//! use clew_model::{Language, Selection, Session, SessionRow};
//!
//! let session = Session { id: 7, user: b"app".to_vec(), command: b"Query".to_vec(), ..Session::default() };
//! let row = SessionRow { session: &session, transaction: None };
//! assert!(Filter::new(&Selection::default()).keeps(&row));
//!
//! let mut line = Vec::new();
//! csv::encode_row(&mut line, &row, true);
//! assert_eq!(line, b"7,app,,,,Query,,0,,,,,,,\r\n");
//! assert!(csv::header_row(Language::EnUs).starts_with(b"session_id,user,"));
//! ```

pub mod csv;
pub mod json;
pub mod live;
pub mod terminal;
pub mod waits;

mod filter;
mod intelligent;
mod internal;
mod kill_risk;
mod kill_rule;
mod order;
mod sorter;
mod template;
mod text;

pub use filter::Filter;
pub use intelligent::{Chosen, SessionGroup, Strategy};
pub use internal::{ProtectedAccounts, is_internal, may_be_killed};
pub use kill_risk::{
    ChangedTables, EngineKind, KillRisk, LONG_ROLLBACK_ROWS, StatementEffect, TableAtRisk, TableEngines, TableRef,
    changed_tables, kill_risks, table_risks,
};
pub use kill_rule::{KillRule, Spared, Verdict, victims};
pub use order::{Order, Rank};
pub use sorter::{RowSorter, SortedRows, Spool};
pub use template::template;
pub use text::{clean, push_clean};
