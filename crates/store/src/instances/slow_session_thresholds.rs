//! Queries for slow-session thresholds.
//! The threshold is the minimum duration of a slow session, in seconds (TaurusDB API spec, section 2.9).

use clew_model::{AuditEvent, AuditOrigin, InstanceId, ProjectId, SlowSessionThreshold};
use serde_json::json;

use crate::database::{params, query_as};
use crate::error::StoreError;
use crate::instances::tags;
use crate::store_handles::InstanceStore;
use crate::tenants::projects::find_domain_id_of_project;

impl InstanceStore<'_> {
    /// Returns the slow-session threshold of an instance, or `None` if no threshold is set.
    pub async fn find_slow_session_threshold(
        self,
        id: &InstanceId,
    ) -> Result<Option<SlowSessionThreshold>, StoreError> {
        let sql = "SELECT slow_threshold FROM instances WHERE id = $1";
        let seconds: Option<Option<i64>> =
            query_as("read a slow-session threshold", sql, params![id]).fetch_optional(&self.store.database).await?;
        Ok(seconds.flatten().and_then(SlowSessionThreshold::new))
    }

    /// Sets the slow-session threshold for several instances. Ignores duplicate ids.
    ///
    /// If an instance is not in the project, fails with [`StoreError::Unknown`] and does not change any threshold.
    pub async fn set_slow_session_threshold(
        self,
        by: &AuditOrigin,
        project: &ProjectId,
        instances: &[InstanceId],
        threshold: SlowSessionThreshold,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin_audited_transaction("set a slow-session threshold").await?;
        let domain = find_domain_id_of_project(tx.transaction(), project).await?;
        let now = self.store.clock.unix_seconds();
        let mut events: Vec<AuditEvent> = Vec::with_capacity(instances.len());
        for (at, id) in instances.iter().enumerate() {
            if instances.iter().take(at).any(|before| before == id) {
                continue;
            }
            let Some(name) = tags::find_instance_name(tx.transaction(), project, id).await? else {
                return Err(StoreError::Unknown { what: "instance", name: id.to_string() });
            };
            let sql = "UPDATE instances SET slow_threshold = $1, updated_at = $2 WHERE id = $3";
            tx.execute(sql, params![i64::try_from(threshold.seconds()).unwrap_or(i64::MAX), now, id]).await?;
            events.push(AuditEvent {
                domain_id: Some(domain.clone()),
                project_id: Some(project.clone()),
                instance_id: Some(id.clone()),
                detail: json!({ "slow_process_threshold": threshold.seconds() }),
                ..AuditEvent::for_successful_operation(by, "SetSlowThreshold", name)
            });
        }
        tx.commit_with_events(&events).await
    }
}
