//! The graph without what statements and rows hold.

use std::sync::Arc;

use super::graph::{Resource, ResourceKind, WaitGraph};
use super::metadata::MetadataKind;
use crate::template::template;

impl WaitGraph {
    /// The same graph for eyes that may not see literals: statements become templates, locked rows and the names of user locks,
    /// which are values too, are left out. Who waits for whom was found with them before.
    #[must_use]
    pub fn masked(mut self) -> Self {
        for facts in &mut self.parties {
            let running = facts.session.iter_mut().filter_map(|session| session.statement.as_mut());
            for statement in running.chain(&mut facts.last_statements) {
                *statement = template(statement);
            }
        }
        for wait in &mut self.waits {
            wait.on = Arc::new(masked(&wait.on));
        }
        self
    }
}

fn masked(resource: &Resource) -> Resource {
    let mut resource = Resource { data: None, ..resource.clone() };
    if resource.kind == ResourceKind::Metadata(MetadataKind::UserLock) {
        resource.name = None;
    }
    resource
}
