//! From which duration on a session of an instance is slow (spec section 2.9).

use clew_model::{AuditEvent, InstanceId, Origin, ProjectId, SlowThreshold};
use serde_json::json;

use super::projects::domain_of_project;
use super::tags;
use crate::database::{query, query_scalar};
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// The instance's own slow threshold, if it has one.
    pub async fn slow_threshold(&self, id: &InstanceId) -> Result<Option<SlowThreshold>, StoreError> {
        let seconds: Option<Option<i64>> = query_scalar("SELECT slow_threshold FROM instances WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up a threshold"))?;
        Ok(seconds.flatten().and_then(SlowThreshold::new))
    }

    /// Gives all these instances of a project the same slow threshold. An instance that is named twice is meant once.
    ///
    /// Fails with [`StoreError::Unknown`], and changes nothing, where the project does not have one of them.
    pub async fn set_slow_threshold(
        &self,
        by: &Origin,
        project: &ProjectId,
        instances: &[InstanceId],
        threshold: SlowThreshold,
    ) -> Result<(), StoreError> {
        let mut change = self.change("set a threshold").await?;
        let domain = domain_of_project(change.connection(), project).await?;
        let now = self.clock.seconds();
        let mut events: Vec<AuditEvent> = Vec::with_capacity(instances.len());
        for (at, id) in instances.iter().enumerate() {
            if instances.iter().take(at).any(|before| before == id) {
                continue;
            }
            let Some(name) = tags::instance_name(change.connection(), project, id).await? else {
                return Err(StoreError::Unknown { what: "instance", name: id.to_string() });
            };
            query("UPDATE instances SET slow_threshold = $1, updated_at = $2 WHERE id = $3")
                .bind(i64::try_from(threshold.seconds()).unwrap_or(i64::MAX))
                .bind(now)
                .bind(id.as_str())
                .execute(change.connection())
                .await
                .map_err(change.failed())?;
            events.push(AuditEvent {
                domain_id: Some(domain.clone()),
                project_id: Some(project.clone()),
                instance_id: Some(id.clone()),
                detail: json!({ "slow_process_threshold": threshold.seconds() }),
                ..AuditEvent::done(by, "SetSlowThreshold", name)
            });
        }
        change.done_each(&events).await
    }
}
