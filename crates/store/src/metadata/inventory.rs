//! Instances, their nodes and tags.

use std::collections::HashSet;

use clew_model::{
    AuditEvent, Instance, InstanceFilter, InstanceId, NewInstance, NewNode, Node, NodeId, NodeRole, NodeUrl, Origin,
    Page, ProjectId, Tag, Zone,
};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::failure::insert_failed;
use super::projects::domain_of_project;
use super::rows::parsed;
use super::{enterprise_projects, tags, zones};
use crate::database::{Connection, Row, query, query_pair, query_scalar};
use crate::error::StoreError;
use crate::sealing::Place;
use crate::store::Store;

/// Which instances are meant. Each text filter has two parameters: the exact one and the part that must be contained.
/// The wanted tags, a list in JSON, go where the braces are.
const MATCHING: &str = "FROM instances i WHERE i.project_id = $1 \
     AND ($2 IS NULL OR i.id = $2) AND ($3 IS NULL OR instr(i.id, $3) > 0) \
     AND ($4 IS NULL OR i.name = $4) AND ($5 IS NULL OR instr(i.name, $5) > 0) \
     AND ($6 IS NULL OR EXISTS (SELECT 1 FROM nodes n WHERE n.instance_id = i.id AND n.role = 'master' AND n.host = $6)) \
     AND ($7 IS NULL OR EXISTS (SELECT 1 FROM nodes n WHERE n.instance_id = i.id AND n.role = 'slave' AND n.host = $7)) \
     AND NOT EXISTS (SELECT 1 FROM {elements} AS wanted WHERE NOT EXISTS (SELECT 1 FROM tags t \
         WHERE t.instance_id = i.id AND t.key = wanted.value ->> 'key' AND t.value = wanted.value ->> 'value'))";

const COLUMNS: &str = "i.id, i.project_id, i.name, i.enterprise_project_id, i.created_at, i.updated_at";

/// Longest name of an instance, in characters.
const LONGEST_NAME: usize = 128;

impl Store {
    /// Adds an instance with its nodes. Passwords are kept sealed.
    pub async fn add_instance(&self, by: &Origin, instance: NewInstance) -> Result<Instance, StoreError> {
        check(&instance)?;
        let id = instance.id.clone().unwrap_or_else(InstanceId::generate);
        let mut change = self.change("add an instance").await?;
        let domain = domain_of_project(change.connection(), &instance.project_id).await?;
        enterprise_projects::check(change.connection(), &domain, &instance.enterprise_project_id).await?;
        self.insert_instance(change.connection(), &id, &instance).await?;
        for (at, node) in instance.nodes.iter().enumerate() {
            self.insert_node(change.connection(), &id, &format!("{}_node{at}", instance.name), node).await?;
        }
        let event = AuditEvent {
            domain_id: Some(domain),
            project_id: Some(instance.project_id.clone()),
            instance_id: Some(id.clone()),
            detail: json!({
                "enterprise_project_id": instance.enterprise_project_id, "tags": instance.tags,
                "nodes": instance.nodes.iter().map(|node| node.url.to_string()).collect::<Vec<_>>(),
            }),
            ..AuditEvent::done(by, "AddInstance", &instance.name)
        };
        change.done(&event).await?;
        let added = self.instance(&instance.project_id, &id).await?;
        added.ok_or_else(|| StoreError::Damaged { what: "instance", reason: "it is gone again".to_owned() })
    }

    async fn insert_instance(
        &self,
        connection: &mut Connection,
        id: &InstanceId,
        instance: &NewInstance,
    ) -> Result<(), StoreError> {
        let taken: Option<String> = query_scalar("SELECT id FROM instances WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *connection)
            .await
            .map_err(StoreError::database("add an instance"))?;
        if taken.is_some() {
            return Err(StoreError::AlreadyExists { what: "an instance of id", name: id.to_string() });
        }
        let now = self.clock.seconds();
        query(
            "INSERT INTO instances (id, project_id, name, enterprise_project_id, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.as_str())
        .bind(instance.project_id.as_str())
        .bind(&instance.name)
        .bind(&instance.enterprise_project_id)
        .bind(now)
        .bind(now)
        .execute(&mut *connection)
        .await
        .map_err(insert_failed("add an instance", "an instance", &instance.name))?;
        for tag in &instance.tags {
            query("INSERT INTO tags (instance_id, key, value) VALUES ($1, $2, $3)")
                .bind(id.as_str())
                .bind(&tag.key)
                .bind(&tag.value)
                .execute(&mut *connection)
                .await
                .map_err(StoreError::database("add a tag"))?;
        }
        Ok(())
    }

    async fn insert_node(
        &self,
        connection: &mut Connection,
        instance: &InstanceId,
        name: &str,
        node: &NewNode,
    ) -> Result<(), StoreError> {
        let id = node.id.clone().unwrap_or_else(NodeId::generate);
        let sealed =
            node.url.password.as_ref().map(|password| self.sealer.seal(password_of(&id), password)).transpose()?;
        query(
            "INSERT INTO nodes (id, instance_id, name, role, url, host, password, created_at, zone) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id.as_str())
        .bind(instance.as_str())
        .bind(name)
        .bind(node.role.name())
        .bind(node.url.to_string())
        .bind(&node.url.host)
        .bind(sealed)
        .bind(self.clock.seconds())
        .bind(node.zone.as_ref().map_or("", Zone::as_str))
        .execute(connection)
        .await
        .map_err(insert_failed("add a node", "a node", id.as_str()))?;
        Ok(())
    }

    /// A page of the project's instances that match, in the order in which they were added, and how many match in all.
    pub async fn instances(
        &self,
        project: &ProjectId,
        filter: &InstanceFilter,
        page: Page,
    ) -> Result<(Vec<Instance>, u64), StoreError> {
        let failed = StoreError::database("list instances");
        let (id, part_of_id) = exact_or_part(filter.id.as_deref());
        let (name, part_of_name) = exact_or_part(filter.name.as_deref());
        let tags = serde_json::to_string(&filter.tags).map_err(StoreError::damaged("tags"))?;
        let matching = MATCHING.replace("{elements}", &self.database.elements("$8"));
        let total: i64 = query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) {matching}")))
            .bind(project.as_str())
            .bind(id)
            .bind(part_of_id)
            .bind(name)
            .bind(part_of_name)
            .bind(&filter.private_ip)
            .bind(&filter.readonly_private_ip)
            .bind(&tags)
            .fetch_one(&self.database)
            .await
            .map_err(&failed)?;
        let statement = format!("SELECT {COLUMNS} {matching} ORDER BY i.created_at, i.rowid LIMIT $9 OFFSET $10");
        let rows = query(AssertSqlSafe(statement))
            .bind(project.as_str())
            .bind(id)
            .bind(part_of_id)
            .bind(name)
            .bind(part_of_name)
            .bind(&filter.private_ip)
            .bind(&filter.readonly_private_ip)
            .bind(&tags)
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.database)
            .await
            .map_err(&failed)?;
        Ok((self.with_parts(rows).await?, total.unsigned_abs()))
    }

    /// An instance of a project. Its nodes' URLs have no password.
    pub async fn instance(&self, project: &ProjectId, id: &InstanceId) -> Result<Option<Instance>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM instances i WHERE i.project_id = $1 AND i.id = $2");
        let row = query(AssertSqlSafe(statement))
            .bind(project.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up an instance"))?;
        Ok(self.with_parts(row.into_iter().collect()).await?.pop())
    }

    /// The instances of all projects.
    pub async fn all_instances(&self) -> Result<Vec<Instance>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM instances i ORDER BY i.created_at, i.rowid");
        let rows = query(AssertSqlSafe(statement))
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list instances"))?;
        self.with_parts(rows).await
    }

    /// Removes an instance with its nodes and tags. False if the project has none of this id.
    pub async fn remove_instance(&self, by: &Origin, project: &ProjectId, id: &InstanceId) -> Result<bool, StoreError> {
        let mut change = self.change("remove an instance").await?;
        let Some(name) = tags::instance_name(change.connection(), project, id).await? else { return Ok(false) };
        query("DELETE FROM instances WHERE id = $1")
            .bind(id.as_str())
            .execute(change.connection())
            .await
            .map_err(change.failed())?;
        let event = AuditEvent {
            domain_id: Some(domain_of_project(change.connection(), project).await?),
            project_id: Some(project.clone()),
            instance_id: Some(id.clone()),
            ..AuditEvent::done(by, "RemoveInstance", name)
        };
        change.done(&event).await?;
        Ok(true)
    }

    /// Changes where, as whom and with which password a node is read. A back-off of logins ends. False if the project's instance has no
    /// such node.
    pub async fn set_node_url(
        &self,
        by: &Origin,
        project: &ProjectId,
        instance: &InstanceId,
        node: &NodeId,
        url: &NodeUrl,
    ) -> Result<bool, StoreError> {
        let sealed = url.password.as_ref().map(|password| self.sealer.seal(password_of(node), password)).transpose()?;
        let mut change = self.change("change a node").await?;
        let Some(name) = tags::instance_name(change.connection(), project, instance).await? else { return Ok(false) };
        let changed = query("UPDATE nodes SET url = $1, host = $2, password = $3 WHERE id = $4 AND instance_id = $5")
            .bind(url.to_string())
            .bind(&url.host)
            .bind(sealed)
            .bind(node.as_str())
            .bind(instance.as_str())
            .execute(change.connection())
            .await
            .map_err(change.failed())?;
        if changed == 0 {
            return Ok(false);
        }
        let event = AuditEvent {
            domain_id: Some(domain_of_project(change.connection(), project).await?),
            project_id: Some(project.clone()),
            instance_id: Some(instance.clone()),
            detail: json!({ "node": node, "url": url.to_string() }),
            ..AuditEvent::done(by, "ChangeNode", name)
        };
        change.done(&event).await?;
        Ok(true)
    }

    /// A node with the password that it is read with.
    pub async fn node_to_read(&self, id: &NodeId) -> Result<Option<Node>, StoreError> {
        let failed = StoreError::database("look up a node");
        let row = query("SELECT id, name, role, url, password, created_at, zone FROM nodes WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(&failed)?;
        let Some(row) = row else { return Ok(None) };
        let mut found = node(&row)?;
        let sealed: Option<Vec<u8>> = row.try_get("password").map_err(&failed)?;
        let password = match sealed {
            Some(sealed) => Some(self.open_sealed(password_of(id), &sealed).await?),
            None => None,
        };
        found.url = found.url.with_password(password);
        Ok(Some(found))
    }

    /// The nodes of an instance, each with the password that it is read with.
    pub async fn nodes_to_read(&self, instance: &InstanceId) -> Result<Vec<Node>, StoreError> {
        let mut nodes = Vec::new();
        for node in self.nodes_of(instance).await? {
            nodes.extend(self.node_to_read(&node.id).await?);
        }
        Ok(nodes)
    }

    async fn with_parts(&self, rows: Vec<Row>) -> Result<Vec<Instance>, StoreError> {
        let failed = StoreError::database("read an instance");
        let mut instances = Vec::with_capacity(rows.len());
        for row in rows {
            let id: InstanceId = parsed(&row, "id")?;
            instances.push(Instance {
                project_id: parsed(&row, "project_id")?,
                name: row.try_get("name").map_err(&failed)?,
                enterprise_project_id: row.try_get("enterprise_project_id").map_err(&failed)?,
                tags: self.tags_of(&id).await?,
                nodes: self.nodes_of(&id).await?,
                created_at: row.try_get("created_at").map_err(&failed)?,
                updated_at: row.try_get("updated_at").map_err(&failed)?,
                id,
            });
        }
        Ok(instances)
    }

    async fn tags_of(&self, id: &InstanceId) -> Result<Vec<Tag>, StoreError> {
        let rows: Vec<(String, String)> = query_pair("SELECT key, value FROM tags WHERE instance_id = $1 ORDER BY key")
            .bind(id.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("read tags"))?;
        Ok(rows.into_iter().map(|(key, value)| Tag { key, value }).collect())
    }

    async fn nodes_of(&self, id: &InstanceId) -> Result<Vec<Node>, StoreError> {
        let statement =
            "SELECT id, name, role, url, created_at, zone FROM nodes WHERE instance_id = $1 ORDER BY role, rowid";
        let rows = query(statement)
            .bind(id.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("read nodes"))?;
        rows.iter().map(node).collect()
    }
}

fn password_of(id: &NodeId) -> Place<'_> {
    Place { table: "nodes", column: "password", row: id.as_str() }
}

fn node(row: &Row) -> Result<Node, StoreError> {
    let failed = StoreError::database("read a node");
    let role: String = row.try_get("role").map_err(&failed)?;
    let zone: String = row.try_get("zone").map_err(&failed)?;
    Ok(Node {
        id: parsed(row, "id")?,
        name: row.try_get("name").map_err(&failed)?,
        role: NodeRole::from_name(&role).ok_or_else(|| StoreError::Damaged { what: "role of a node", reason: role })?,
        url: parsed(row, "url")?,
        zone: zones::zone(&zone)?,
        created_at: row.try_get("created_at").map_err(&failed)?,
    })
}

/// `*part` means "contains part" (spec section 3.3).
fn exact_or_part(filter: Option<&str>) -> (Option<&str>, Option<&str>) {
    match filter.map(|text| (text, text.strip_prefix('*'))) {
        None => (None, None),
        Some((_, Some(part))) => (None, Some(part)),
        Some((exact, None)) => (Some(exact), None),
    }
}

fn check(instance: &NewInstance) -> Result<(), StoreError> {
    let invalid = |reason: String| Err(StoreError::InvalidInstance { reason });
    let length = instance.name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) {
        return invalid(format!("its name has {length} characters; it takes 1 to {LONGEST_NAME}"));
    }
    let masters = instance.nodes.iter().filter(|node| node.role == NodeRole::Master).count();
    if masters != 1 {
        return invalid(format!("it has {masters} masters; it takes exactly one"));
    }
    let mut keys = HashSet::new();
    match instance.tags.iter().find(|tag| !keys.insert(&tag.key)) {
        Some(tag) => invalid(format!("tag {:?} is there twice", tag.key)),
        None => Ok(()),
    }
}
