//! Queries for instance tags (TaurusDB API spec, section 3.5).

use std::collections::BTreeMap;

use clew_model::{AuditEvent, AuditOrigin, InstanceId, ProjectId, Tag};
use serde_json::{Value, json};

use crate::database::audited_transaction::AuditedTransaction;
use crate::database::{Transaction, params, query_as};
use crate::error::StoreError;
use crate::store_handles::InstanceStore;
use crate::tenants::projects::find_domain_id_of_project;

const MAX_TAGS_PER_INSTANCE: usize = 20;

impl InstanceStore<'_> {
    /// Adds tags to an instance. If the instance already has a tag with the same key, the tag's value is replaced.
    /// Returns false if the project does not contain the instance.
    /// Returns [`StoreError::TooManyTags`] and adds no tags if the instance would exceed the tag limit.
    pub async fn add_tags(
        self,
        by: &AuditOrigin,
        project: &ProjectId,
        instance: &InstanceId,
        tags: &[Tag],
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("add tags").await?;
        let Some(name) = find_instance_name(tx.transaction(), project, instance).await? else { return Ok(false) };
        for tag in tags {
            let sql = "INSERT INTO tags (instance_id, key, value) VALUES ($1, $2, $3) \
                ON CONFLICT (instance_id, key) DO UPDATE SET value = excluded.value";
            tx.execute(sql, params![instance, &tag.key, &tag.value]).await?;
        }
        let count: i64 = tx.fetch_one("SELECT COUNT(*) FROM tags WHERE instance_id = $1", params![instance]).await?;
        if usize::try_from(count).is_ok_and(|count| count > MAX_TAGS_PER_INSTANCE) {
            return Err(StoreError::TooManyTags(MAX_TAGS_PER_INSTANCE));
        }
        self.record_instance_update(&mut tx, instance).await?;
        tx.commit_instance_change(by, "TagInstance", name, (project, instance), json!({ "tags": tags })).await?;
        Ok(true)
    }

    /// Removes tags by key, or by key and value. Returns false if the instance is not in the project.
    pub async fn remove_tags(
        self,
        by: &AuditOrigin,
        project: &ProjectId,
        instance: &InstanceId,
        tags: &[(String, Option<String>)],
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("remove tags").await?;
        let Some(name) = find_instance_name(tx.transaction(), project, instance).await? else { return Ok(false) };
        for (key, value) in tags {
            let sql = "DELETE FROM tags WHERE instance_id = $1 AND key = $2 AND ($3 IS NULL OR value = $3)";
            tx.execute(sql, params![instance, key, value]).await?;
        }
        let detail = json!({ "tags": tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Vec<_>>() });
        self.record_instance_update(&mut tx, instance).await?;
        tx.commit_instance_change(by, "UntagInstance", name, (project, instance), detail).await?;
        Ok(true)
    }

    async fn record_instance_update(self, tx: &mut AuditedTransaction, id: &InstanceId) -> Result<(), StoreError> {
        let sql = "UPDATE instances SET updated_at = $1 WHERE id = $2";
        tx.execute(sql, params![self.store.clock.unix_seconds(), id]).await.map(drop)
    }

    /// Returns the sorted tag keys of a project's instances, each with a sorted list of its values.
    pub async fn list_project_tags(self, project: &ProjectId) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let sql = "SELECT DISTINCT t.key, t.value FROM tags t JOIN instances i ON i.id = t.instance_id \
            WHERE i.project_id = $1 ORDER BY t.key, t.value";
        let rows: Vec<(String, String)> =
            query_as("list tags", sql, params![project]).fetch_all(&self.store.database).await?;
        let mut tags = BTreeMap::<String, Vec<String>>::new();
        for (key, value) in rows {
            tags.entry(key).or_default().push(value);
        }
        Ok(tags.into_iter().collect())
    }
}

impl AuditedTransaction {
    pub(crate) async fn commit_instance_change(
        mut self,
        by: &AuditOrigin,
        operation: &str,
        name: String,
        (project, instance): (&ProjectId, &InstanceId),
        detail: Value,
    ) -> Result<(), StoreError> {
        let event = AuditEvent {
            domain_id: Some(find_domain_id_of_project(self.transaction(), project).await?),
            project_id: Some(project.clone()),
            instance_id: Some(instance.clone()),
            detail,
            ..AuditEvent::for_successful_operation(by, operation, name)
        };
        self.commit_with_event(&event).await
    }
}

pub(crate) async fn find_instance_name(
    transaction: &mut Transaction,
    project: &ProjectId,
    instance: &InstanceId,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT name FROM instances WHERE project_id = $1 AND id = $2";
    query_as("look up an instance", sql, params![project, instance]).fetch_optional(transaction).await
}
