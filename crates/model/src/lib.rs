//! What Clew talks about.
//!
//! Ids, sessions, transactions, filters, the column table, tasks, the audit's events and the error catalogue: the words of
//! the house, with their ranges and rules, and nothing that reads, writes or waits. Every other crate speaks in these types,
//! so a value is parsed once, at the edge, and never checked again inside.
//!
//! Not for: I/O, wire formats of one API, or anything that needs a runtime.
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
pub use inventory::{Instance, InstanceFilter, NewInstance, NewNode, Node, NodeRole, Page, Tag};
pub use kill_criteria::KillCriteria;
pub use language::Language;
pub use limitation::{Limitation, LimitationKind};
pub use node_url::{NodeUrl, NodeUrlError, TlsMode};
pub use one_line::{is_unsafe, one_line};
pub use selection::{
    DEFAULT_SLOW_SECONDS, HostPattern, Selection, SelectionDraft, SelectionError, SessionClass, SlowThreshold,
    SortDirection, SortKey,
};
pub use session::{Session, SessionRow, Transaction};
pub use task::{TaskOutcome, TaskStatus};
pub use zone::{NotAZone, Zone};
