//! Domain types of Clew.
//!
//! This crate defines ids, sessions, transactions, filters, columns, tasks, audit events and the error catalogue.
//! Constructors validate their input, so a value is parsed once at the boundary and never validated again.
//! All other crates depend on these types.
//!
//! Out of scope: I/O, wire formats of a single API, and code that requires an async runtime.
//!
//! ```
//! use clew_model::{Selection, SelectionDraft, SessionClass};
//!
//! let draft = SelectionDraft { filter: Some("slow".into()), ..SelectionDraft::default() };
//! let selection = Selection::parse(draft).unwrap();
//! assert_eq!(selection.class, SessionClass::Slow);
//! ```

mod audit;
mod column;
mod detail;
mod error_catalogue;
mod failure;
mod ids;
mod inventory;
mod kill_criteria;
mod language;
mod limitation;
mod node_url;
mod one_line;
mod selection;
mod session;
mod task;
mod zone;

pub use audit::{Actor, AuditEvent, Origin, Outcome};
pub use column::{COLUMNS, Cell, Column, ColumnKind, DETAIL_COLUMNS, DetailCell, RowCell};
pub use detail::SessionDetail;
pub use error_catalogue::{ERRORS, ErrorEntry};
pub use failure::{Failure, FailureKind};
pub use ids::{AccessKeyId, DomainId, GroupId, IdError, InstanceId, NodeId, PolicyId, ProjectId, RequestId, UserId};
pub use inventory::{Instance, InstanceFilter, NewInstance, NewNode, Node, NodeRole, Pagination, Tag};
pub use kill_criteria::KillCriteria;
pub use language::Language;
pub use limitation::{Limitation, LimitationKind};
pub use node_url::{NodeUrl, NodeUrlError, TlsMode};
pub use one_line::{is_unsafe_char, to_single_line};
pub use selection::{
    DEFAULT_SLOW_SECONDS, HostPattern, Selection, SelectionDraft, SelectionError, SessionClass, SlowThreshold,
    SortDirection, SortKey,
};
pub use session::{Session, SessionRow, Transaction};
pub use task::{TaskOutcome, TaskStatus};
pub use zone::{InvalidZoneName, Zone};
