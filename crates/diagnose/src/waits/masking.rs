//! Masking of literals and row data in the wait graph.

use std::sync::Arc;

use super::graph::{Resource, ResourceKind, WaitGraph};
use super::metadata::MetadataKind;
use crate::template::template;

impl WaitGraph {
    /// Returns the graph without literals, for users without permission to read literals.
    ///
    /// Statements are replaced by their templates. Row data and user lock names are removed.
    /// The waits are not detected again.
    #[must_use]
    pub fn masked(mut self) -> Self {
        for facts in &mut self.parties {
            let running = facts.session.iter_mut().filter_map(|session| session.statement.as_mut());
            for statement in running.chain(&mut facts.last_statements) {
                *statement = template(statement);
            }
        }
        for wait in &mut self.waits {
            wait.on = Arc::new(mask_resource(&wait.on));
        }
        self
    }
}

fn mask_resource(resource: &Resource) -> Resource {
    let mut resource = Resource { data: None, ..resource.clone() };
    if resource.kind == ResourceKind::Metadata(MetadataKind::UserLock) {
        resource.name = None;
    }
    resource
}
