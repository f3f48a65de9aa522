//! Domain types of Clew.
//!
//! Defines ids, sessions, transactions, filters, columns, tasks, audit events and the error catalog.
//! Ids, node URLs and session selections are validated when they are parsed, so that other code need not validate them.
//!
//! The crate performs no I/O and does not require an async runtime.
//!
//! ```
//! use clew_model::{SessionSelection, UnvalidatedSessionSelection, SessionClass};
//!
//! let draft = UnvalidatedSessionSelection { filter: Some("slow".into()), ..UnvalidatedSessionSelection::default() };
//! let selection = SessionSelection::parse(draft).unwrap();
//! assert_eq!(selection.class, SessionClass::Slow);
//! ```

mod audit;
mod collection_task;
mod column;
mod error_catalog;
mod failure;
mod ids;
mod instances;
mod kill_criteria;
mod language;
mod limitation;
mod localized_text;
mod named_enum;
mod node_url;
mod session;
mod session_selection;
mod terminal_safe_text;

pub use audit::{Actor, AuditEvent, AuditOrigin, AuditOutcome};
pub use collection_task::{CollectionTaskOutcome, CollectionTaskStatus};
pub use column::{Cell, Column, ColumnKind, DetailCell, RowCell, SESSION_DETAIL_COLUMNS, SESSION_SNAPSHOT_COLUMNS};
pub use error_catalog::{API_ERRORS, ApiErrorDefinition};
pub use failure::{Failure, FailureKind};
pub use ids::{
    AccessKeyId, ApiIdParseError, DomainId, GroupId, InstanceId, NetworkZone, NodeId, PolicyId, ProjectId, RequestId,
    UserId,
};
pub use instances::{Instance, InstanceFilter, NewInstance, NewNode, Node, NodeRole, Pagination, Tag};
pub use kill_criteria::KillCriteria;
pub use language::Language;
pub use limitation::{Limitation, LimitationKind};
pub use localized_text::LocalizedText;
pub use node_url::{NodeUrl, NodeUrlError, TlsMode};
pub use session::{Session, SessionDetail, SessionRow, Transaction};
pub use session_selection::{
    ClientAddressFilter, DEFAULT_SLOW_SESSION_SECONDS, SessionClass, SessionSelection, SessionSelectionError,
    SlowSessionThreshold, SortDirection, SortKey, UnvalidatedSessionSelection,
};
pub use terminal_safe_text::{is_unsafe_display_char, to_single_line};
