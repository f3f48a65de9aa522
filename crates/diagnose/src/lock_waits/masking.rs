//! Masking of literals and row data in the wait graph.

use std::sync::Arc;

use super::graph::WaitGraph;
use super::lock_snapshot::LockResourceKind;
use super::metadata_locks::MetadataLockObjectKind;
use crate::template::build_statement_template;

impl WaitGraph {
    /// Returns the graph without SQL literals, for users without permission to read SQL literals.
    ///
    /// Replaces statements with their templates and removes row data and user lock names.
    /// Masking does not change the waits or the root blockers.
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
