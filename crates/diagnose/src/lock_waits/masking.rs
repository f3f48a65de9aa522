//! Masks literals and row data in the wait graph.

use std::sync::Arc;

use super::graph::WaitGraph;
use super::lock_snapshot::LockResourceKind;
use super::metadata_locks::MetadataLockObjectKind;
use crate::template::build_statement_template;

impl WaitGraph {
    /// Masks the SQL literals in the wait graph, for users that are not permitted to read literals.
    ///
    /// Replaces statements with their templates and removes row data and user lock names.
    /// The masked graph contains the same lock waits and root blockers.
    #[must_use]
    pub fn with_masked_literals(mut self) -> Self {
        for facts in &mut self.parties {
            let running = facts.session.iter_mut().filter_map(|session| session.statement.as_mut());
            for statement in running.chain(&mut facts.last_statements) {
                *statement = build_statement_template(statement);
            }
        }
        for wait in &mut self.waits {
            let resource = Arc::make_mut(&mut wait.on);
            resource.data = None;
            if resource.kind == LockResourceKind::Metadata(MetadataLockObjectKind::UserLock) {
                resource.name = None;
            }
        }
        self
    }
}
