//! Tags of instances (spec section 3.5).

use std::collections::BTreeMap;

use clew_model::{AuditEvent, InstanceId, Origin, ProjectId, Tag};
use serde_json::json;

use super::change::Change;
use super::projects::domain_of_project;
use crate::database::{Connection, query, query_pair, query_scalar};
use crate::error::StoreError;
use crate::store::Store;

/// Tags that an instance can have.
const MOST_TAGS: usize = 20;

impl Store {
    /// Gives an instance of a project tags; a key that is there gets the new value. False if the project has no instance of this
    /// id. Fails with [`StoreError::TooManyTags`], and changes nothing, where it would have more than it can.
    pub async fn add_tags(
        &self,
        by: &Origin,
        project: &ProjectId,
        instance: &InstanceId,
        tags: &[Tag],
    ) -> Result<bool, StoreError> {
        let mut change = self.change("add tags").await?;
        let Some(name) = instance_name(change.connection(), project, instance).await? else { return Ok(false) };
        for tag in tags {
            query(
                "INSERT INTO tags (instance_id, key, value) VALUES ($1, $2, $3) \
                 ON CONFLICT (instance_id, key) DO UPDATE SET value = excluded.value",
            )
            .bind(instance.as_str())
            .bind(&tag.key)
            .bind(&tag.value)
            .execute(change.connection())
            .await
            .map_err(change.failed())?;
        }
        let count: i64 = query_scalar("SELECT COUNT(*) FROM tags WHERE instance_id = $1")
            .bind(instance.as_str())
            .fetch_one(change.connection())
            .await
            .map_err(change.failed())?;
        if usize::try_from(count).is_ok_and(|count| count > MOST_TAGS) {
            return Err(StoreError::TooManyTags { limit: MOST_TAGS });
        }
        let detail = json!({ "tags": tags });
        self.tags_changed(change, AuditEvent { detail, ..AuditEvent::done(by, "TagInstance", name) }, project, instance)
            .await
    }

    /// Takes tags from an instance of a project: those of a key, or only with this value. False if the project has no instance
    /// of this id.
    pub async fn remove_tags(
        &self,
        by: &Origin,
        project: &ProjectId,
        instance: &InstanceId,
        tags: &[(String, Option<String>)],
    ) -> Result<bool, StoreError> {
        let mut change = self.change("remove tags").await?;
        let Some(name) = instance_name(change.connection(), project, instance).await? else { return Ok(false) };
        for (key, value) in tags {
            query("DELETE FROM tags WHERE instance_id = $1 AND key = $2 AND ($3 IS NULL OR value = $3)")
                .bind(instance.as_str())
                .bind(key)
                .bind(value)
                .execute(change.connection())
                .await
                .map_err(change.failed())?;
        }
        let detail = json!({ "tags": tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Vec<_>>() });
        let event = AuditEvent { detail, ..AuditEvent::done(by, "UntagInstance", name) };
        self.tags_changed(change, event, project, instance).await
    }

    async fn tags_changed(
        &self,
        mut change: Change<'_>,
        mut event: AuditEvent,
        project: &ProjectId,
        instance: &InstanceId,
    ) -> Result<bool, StoreError> {
        query("UPDATE instances SET updated_at = $1 WHERE id = $2")
            .bind(self.clock.seconds())
            .bind(instance.as_str())
            .execute(change.connection())
            .await
            .map_err(change.failed())?;
        event.domain_id = Some(domain_of_project(change.connection(), project).await?);
        event.project_id = Some(project.clone());
        event.instance_id = Some(instance.clone());
        change.done(&event).await?;
        Ok(true)
    }

    /// The tags of all instances of a project: each key with its values, all in their order.
    pub async fn project_tags(&self, project: &ProjectId) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let rows: Vec<(String, String)> = query_pair(
            "SELECT DISTINCT t.key, t.value FROM tags t JOIN instances i ON i.id = t.instance_id \
             WHERE i.project_id = $1 ORDER BY t.key, t.value",
        )
        .bind(project.as_str())
        .fetch_all(&self.database)
        .await
        .map_err(StoreError::database("list tags"))?;
        let mut tags = BTreeMap::<String, Vec<String>>::new();
        for (key, value) in rows {
            tags.entry(key).or_default().push(value);
        }
        Ok(tags.into_iter().collect())
    }
}

/// Name of an instance, if the project has it.
pub(super) async fn instance_name(
    connection: &mut Connection,
    project: &ProjectId,
    instance: &InstanceId,
) -> Result<Option<String>, StoreError> {
    query_scalar("SELECT name FROM instances WHERE project_id = $1 AND id = $2")
        .bind(project.as_str())
        .bind(instance.as_str())
        .fetch_optional(connection)
        .await
        .map_err(StoreError::database("look up an instance"))
}
