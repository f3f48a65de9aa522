//! Instances and their nodes.

pub(crate) mod login_backoffs;
pub(crate) mod slow_session_thresholds;
pub(crate) mod tags;

use std::collections::HashSet;

use clew_model::{
    AuditEvent, AuditOrigin, Instance, InstanceFilter, InstanceId, NetworkZone, NewInstance, NewNode, Node, NodeId,
    NodeRole, NodeUrl, Pagination, ProjectId, Tag,
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::database::{FromRow, Row, Transaction, params, query, query_as};
use crate::error::StoreError;
use crate::network_zones;
use crate::sealing::AssociatedData;
use crate::store_handles::InstanceStore;
use crate::tenants::enterprise_projects;
use crate::tenants::projects::find_domain_id_of_project;

/// The placeholder `{elements}` stands for SQL that expands the JSON array of required tags into rows.
const MATCHING_INSTANCES_FROM_CLAUSE: &str = "FROM instances i WHERE i.project_id = $1 \
     AND ($2 IS NULL OR i.id = $2) AND ($3 IS NULL OR instr(i.id, $3) > 0) \
     AND ($4 IS NULL OR i.name = $4) AND ($5 IS NULL OR instr(i.name, $5) > 0) \
     AND ($6 IS NULL OR EXISTS (SELECT 1 FROM nodes n WHERE n.instance_id = i.id AND n.role = 'master' AND n.host = $6)) \
     AND ($7 IS NULL OR EXISTS (SELECT 1 FROM nodes n WHERE n.instance_id = i.id AND n.role = 'slave' AND n.host = $7)) \
     AND NOT EXISTS (SELECT 1 FROM {elements} AS wanted WHERE NOT EXISTS (SELECT 1 FROM tags t \
         WHERE t.instance_id = i.id AND t.key = wanted.value ->> 'key' AND t.value = wanted.value ->> 'value'))";

const INSTANCE_COLUMNS: &str = "i.id, i.project_id, i.name, i.enterprise_project_id, i.created_at, i.updated_at";

const MAX_INSTANCE_NAME_LEN: usize = 128;

impl InstanceStore<'_> {
    /// Adds an instance and its nodes, and stores the nodes' passwords encrypted.
    pub async fn add_instance(self, by: &AuditOrigin, instance: NewInstance) -> Result<Instance, StoreError> {
        validate_instance(&instance)?;
        let id = instance.id.clone().unwrap_or_else(InstanceId::generate);
        let mut tx = self.store.begin_audited_transaction("add an instance").await?;
        let domain = find_domain_id_of_project(tx.transaction(), &instance.project_id).await?;
        enterprise_projects::require_enabled_enterprise_project(
            tx.transaction(),
            &domain,
            &instance.enterprise_project_id,
        )
        .await?;
        self.insert_instance(tx.transaction(), &id, &instance).await?;
        for (at, node) in instance.nodes.iter().enumerate() {
            self.insert_node(tx.transaction(), &id, &format!("{}_node{at}", instance.name), node).await?;
        }
        let event = AuditEvent {
            domain_id: Some(domain),
            project_id: Some(instance.project_id.clone()),
            instance_id: Some(id.clone()),
            detail: json!({
                "enterprise_project_id": instance.enterprise_project_id, "tags": instance.tags,
                "nodes": instance.nodes.iter().map(|node| node.url.to_string()).collect::<Vec<_>>(),
            }),
            ..AuditEvent::for_successful_operation(by, "AddInstance", &instance.name)
        };
        tx.commit_with_event(&event).await?;
        let added = self.find_instance(&instance.project_id, &id).await?;
        added.ok_or_else(|| StoreError::Damaged {
            what: "instance",
            reason: "it was removed by another request".to_owned(),
        })
    }

    async fn insert_instance(
        self,
        transaction: &mut Transaction,
        id: &InstanceId,
        instance: &NewInstance,
    ) -> Result<(), StoreError> {
        let sql = "SELECT id FROM instances WHERE id = $1";
        let taken: Option<String> =
            query_as("add an instance", sql, params![id]).fetch_optional(&mut *transaction).await?;
        if taken.is_some() {
            return Err(StoreError::AlreadyExists { what: "an instance with id", name: id.to_string() });
        }
        let now = self.store.clock.unix_seconds();
        let sql = "INSERT INTO instances (id, project_id, name, enterprise_project_id, created_at, updated_at) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        let parameters = params![id, &instance.project_id, &instance.name, &instance.enterprise_project_id, now, now];
        query("add an instance", sql, parameters)
            .execute_insert(&mut *transaction, "an instance", &instance.name)
            .await?;
        for tag in &instance.tags {
            let sql = "INSERT INTO tags (instance_id, key, value) VALUES ($1, $2, $3)";
            query("add a tag", sql, params![id, &tag.key, &tag.value]).execute(&mut *transaction).await?;
        }
        Ok(())
    }

    async fn insert_node(
        self,
        transaction: &mut Transaction,
        instance: &InstanceId,
        name: &str,
        node: &NewNode,
    ) -> Result<(), StoreError> {
        let id = node.id.clone().unwrap_or_else(NodeId::generate);
        let sealed = self.seal_node_password(&id, &node.url)?;
        let sql = "INSERT INTO nodes (id, instance_id, name, role, url, host, password, created_at, zone) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let parameters = params![
            &id,
            instance,
            name,
            node.role.name(),
            node.url.to_string(),
            &node.url.host,
            sealed,
            self.store.clock.unix_seconds(),
            node.zone.as_ref().map_or("", NetworkZone::as_str)
        ];
        query("add a node", sql, parameters).execute_insert(transaction, "a node", id.as_str()).await
    }

    fn seal_node_password(self, id: &NodeId, url: &NodeUrl) -> Result<Option<Vec<u8>>, StoreError> {
        let seal = |password| self.store.sealer.seal(associated_data_for_node_password(id), password);
        url.password.as_ref().map(seal).transpose()
    }

    /// Returns a page of matching instances, oldest first, and the total number of matching instances.
    pub async fn list_instances(
        self,
        project: &ProjectId,
        filter: &InstanceFilter,
        page: Pagination,
    ) -> Result<(Vec<Instance>, u64), StoreError> {
        let (id, part_of_id) = parse_text_filter(filter.id.as_deref());
        let (name, part_of_name) = parse_text_filter(filter.name.as_deref());
        let tags = serde_json::to_string(&filter.tags).map_err(StoreError::corrupt_value_error("tags"))?;
        let matching =
            MATCHING_INSTANCES_FROM_CLAUSE.replace("{elements}", &self.store.database.sql_for_json_array_rows("$8"));
        let matching_params = || {
            let (private_ip, readonly_private_ip) = (&filter.private_ip, &filter.readonly_private_ip);
            params![project, id, part_of_id, name, part_of_name, private_ip, readonly_private_ip, &tags]
        };
        let sql = format!("SELECT COUNT(*) {matching}");
        let total: i64 =
            query_as("list instances", AssertSqlSafe(sql), matching_params()).fetch_one(&self.store.database).await?;
        let sql = format!("SELECT {INSTANCE_COLUMNS} {matching} ORDER BY i.created_at, i.rowid LIMIT $9 OFFSET $10");
        let parameters = matching_params().into_iter().chain(params![page.limit, page.offset]);
        let rows = query("list instances", AssertSqlSafe(sql), parameters).fetch_all(&self.store.database).await?;
        Ok((self.instances_from_rows(rows).await?, total.unsigned_abs()))
    }

    /// Returns an instance by id. Node URLs in the returned instance do not contain passwords.
    pub async fn find_instance(self, project: &ProjectId, id: &InstanceId) -> Result<Option<Instance>, StoreError> {
        let statement = format!("SELECT {INSTANCE_COLUMNS} FROM instances i WHERE i.project_id = $1 AND i.id = $2");
        let row = query("look up an instance", AssertSqlSafe(statement), params![project, id])
            .fetch_optional(&self.store.database)
            .await?;
        Ok(self.instances_from_rows(row.into_iter().collect()).await?.pop())
    }

    /// Returns the instances of all projects, oldest first.
    pub async fn list_all_instances(self) -> Result<Vec<Instance>, StoreError> {
        let statement = format!("SELECT {INSTANCE_COLUMNS} FROM instances i ORDER BY i.created_at, i.rowid");
        let rows = query("list instances", AssertSqlSafe(statement), params![]).fetch_all(&self.store.database).await?;
        self.instances_from_rows(rows).await
    }

    /// Removes an instance with its nodes and tags. Returns false if the project has no such instance.
    pub async fn remove_instance(
        self,
        by: &AuditOrigin,
        project: &ProjectId,
        id: &InstanceId,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("remove an instance").await?;
        let Some(name) = tags::find_instance_name(tx.transaction(), project, id).await? else { return Ok(false) };
        tx.execute("DELETE FROM instances WHERE id = $1", params![id]).await?;
        tx.commit_instance_change(by, "RemoveInstance", name, (project, id), Value::Null).await?;
        Ok(true)
    }

    /// Updates the URL and password of a node and clears its login backoff.
    /// Returns false if the node does not exist in the specified project and instance.
    pub async fn set_node_url(
        self,
        by: &AuditOrigin,
        project: &ProjectId,
        instance: &InstanceId,
        node: &NodeId,
        url: &NodeUrl,
    ) -> Result<bool, StoreError> {
        let sealed = self.seal_node_password(node, url)?;
        let mut tx = self.store.begin_audited_transaction("change a node").await?;
        let Some(name) = tags::find_instance_name(tx.transaction(), project, instance).await? else { return Ok(false) };
        let sql = "UPDATE nodes SET url = $1, host = $2, password = $3 WHERE id = $4 AND instance_id = $5";
        let changed = tx.execute(sql, params![url.to_string(), &url.host, sealed, node, instance]).await?;
        if changed == 0 {
            return Ok(false);
        }
        let detail = json!({ "node": node, "url": url.to_string() });
        tx.commit_instance_change(by, "ChangeNode", name, (project, instance), detail).await?;
        Ok(true)
    }

    /// Returns a node by id, including the node's password.
    pub async fn find_node_with_password(self, id: &NodeId) -> Result<Option<Node>, StoreError> {
        let sql = "SELECT id, name, role, url, password, created_at, zone FROM nodes WHERE id = $1";
        let row = query("look up a node", sql, params![id]).fetch_optional(&self.store.database).await?;
        let Some(row) = row else { return Ok(None) };
        let mut found = Node::from_row(&row)?;
        let sealed: Option<Vec<u8>> = row.get("password")?;
        let password = match sealed {
            Some(sealed) => Some(self.store.unseal_secret(associated_data_for_node_password(id), &sealed).await?),
            None => None,
        };
        found.url = found.url.with_password(password);
        Ok(Some(found))
    }

    /// Returns an instance's nodes with their passwords.
    pub async fn list_nodes_with_passwords(self, instance: &InstanceId) -> Result<Vec<Node>, StoreError> {
        let mut nodes = Vec::new();
        for node in self.select_instance_nodes(instance).await? {
            nodes.extend(self.find_node_with_password(&node.id).await?);
        }
        Ok(nodes)
    }

    async fn instances_from_rows(self, rows: Vec<Row>) -> Result<Vec<Instance>, StoreError> {
        let mut instances = Vec::with_capacity(rows.len());
        for row in rows {
            let id: InstanceId = row.get("id")?;
            instances.push(Instance {
                project_id: row.get("project_id")?,
                name: row.get("name")?,
                enterprise_project_id: row.get("enterprise_project_id")?,
                tags: self.select_instance_tags(&id).await?,
                nodes: self.select_instance_nodes(&id).await?,
                created_at: row.get("created_at")?,
                updated_at: row.get("updated_at")?,
                id,
            });
        }
        Ok(instances)
    }

    async fn select_instance_tags(self, id: &InstanceId) -> Result<Vec<Tag>, StoreError> {
        let sql = "SELECT key, value FROM tags WHERE instance_id = $1 ORDER BY key";
        let rows: Vec<(String, String)> =
            query_as("read tags", sql, params![id]).fetch_all(&self.store.database).await?;
        Ok(rows.into_iter().map(|(key, value)| Tag { key, value }).collect())
    }

    async fn select_instance_nodes(self, id: &InstanceId) -> Result<Vec<Node>, StoreError> {
        let statement =
            "SELECT id, name, role, url, created_at, zone FROM nodes WHERE instance_id = $1 ORDER BY role, rowid";
        query_as("read nodes", statement, params![id]).fetch_all(&self.store.database).await
    }
}

fn associated_data_for_node_password(id: &NodeId) -> AssociatedData<'_> {
    AssociatedData { table: "nodes", column: "password", row: id.as_str() }
}

impl FromRow for Node {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let zone: String = row.get("zone")?;
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            role: row.parse_column("role", "role of a node", NodeRole::from_name)?,
            url: row.get("url")?,
            zone: network_zones::parse_zone_name(&zone)?,
            created_at: row.get("created_at")?,
        })
    }
}

/// The filter `*part` matches values that contain `part` (TaurusDB API spec, section 3.3).
fn parse_text_filter(filter: Option<&str>) -> (Option<&str>, Option<&str>) {
    match filter.map(|text| (text, text.strip_prefix('*'))) {
        None => (None, None),
        Some((_, Some(part))) => (None, Some(part)),
        Some((exact, None)) => (Some(exact), None),
    }
}

fn validate_instance(instance: &NewInstance) -> Result<(), StoreError> {
    let invalid = |reason: String| Err(StoreError::InvalidInstance(reason));
    let length = instance.name.chars().count();
    if !(1..=MAX_INSTANCE_NAME_LEN).contains(&length) {
        return invalid(format!("its name has {length} characters; 1 to {MAX_INSTANCE_NAME_LEN} are allowed"));
    }
    let masters = instance.nodes.iter().filter(|node| node.role == NodeRole::Master).count();
    if masters != 1 {
        return invalid(format!("it has {masters} masters; exactly one is required"));
    }
    let mut keys = HashSet::new();
    match instance.tags.iter().find(|tag| !keys.insert(&tag.key)) {
        Some(tag) => invalid(format!("tag {:?} is given twice", tag.key)),
        None => Ok(()),
    }
}
