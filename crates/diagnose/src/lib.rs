//! Filters, sorts and encodes sessions, and analyzes lock waits.
//!
//! [`SessionFilter`] selects sessions, [`csv`] and [`json`] encode rows, and [`RowSorter`] sorts the encoded rows.
//! The crate filters and encodes sessions one at a time.
//! A list of 100,000 sessions requires a few megabytes of memory, regardless of the statement sizes.
//!
//! The crate does not open files or sockets and does not require an async runtime.
//! For sorting, the caller provides a storage type that implements `Read`, `Write`, `Seek` and `Send`.
//!
//! ```
//! use clew_diagnose::{SessionFilter, csv};
//! use clew_model::{Language, SessionSelection, Session, SessionRow};
//!
//! let session = Session { id: 7, user: b"app".to_vec(), command: b"Query".to_vec(), ..Session::default() };
//! let row = SessionRow { session: &session, transaction: None };
//! assert!(SessionFilter::new(SessionSelection::default()).matches(&row));
//!
//! let mut line = Vec::new();
//! csv::encode_row(&mut line, &row, true);
//! assert_eq!(line, b"7,app,,,,Query,,0,,,,,,,\r\n");
//! assert!(csv::encode_header_row(Language::EnUs, false).starts_with(b"session_id,user,"));
//! ```

pub mod csv;
pub mod json;
pub mod lock_waits;
pub mod session_feed;
pub mod terminal;

mod external_sort;
mod intelligent_kill;
mod internal_sessions;
mod kill_risk;
mod kill_rule;
mod protected_accounts;
mod session_filter;
mod sort_order;
mod template;
mod utf8;

pub use external_sort::{RowSorter, SortedRows, SpillStorage};
pub use intelligent_kill::{IntelligentKillPlan, RankingStrategy, SessionGroup};
pub use internal_sessions::is_internal_session;
pub use kill_risk::{
    ChangedTables, KillRisk, MIN_MODIFIED_ROWS_FOR_LONG_ROLLBACK, StorageEngineKind, TableAtRisk, TableChangeKind,
    TableRef, TableStorageEngines, detect_kill_risks, detect_risks_to_changed_tables, parse_changed_tables,
};
pub use kill_rule::{ExclusionReason, KillRule, KillVerdict, select_sessions_to_kill};
pub use protected_accounts::{ProtectedAccounts, is_killable_session};
pub use session_filter::SessionFilter;
pub use sort_order::{SortOrder, SortRank};
pub use template::build_statement_template;
pub use utf8::{bytes_to_text, push_bytes_as_text};
