//! Wire format of instances. Unsupported fields are empty or `null`, as permitted by the Huawei Cloud SDK models.

use clew_model::{Instance, Node, NodeRole};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

pub(super) const DATASTORE_TYPE: &str = "gaussdb-mysql";

/// The status is constant, because Clew does not monitor availability.
pub(super) const ACTIVE_STATUS_V3: &str = "ACTIVE";
pub(super) const ACTIVE_STATUS_V3_1: &str = "normal";

/// A page of instances.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstanceListResponse {
    instances: Vec<ListedInstance>,
    total_count: u64,
}

/// An instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstanceResponse {
    instance: DetailedInstance,
}

#[derive(Default, Serialize, ToSchema)]
struct Datastore {
    r#type: &'static str,
    version: &'static str,
    kernel_version: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct TagEntry {
    key: String,
    value: String,
}

/// Instance fields that list responses and detail responses have in common.
#[derive(Default, Serialize, ToSchema)]
struct InstanceFields {
    id: String,
    name: String,
    status: &'static str,
    port: String,
    r#type: &'static str,
    datastore: Datastore,
    created: String,
    updated: String,
    db_user_name: String,
    vpc_id: String,
    subnet_id: String,
    security_group_id: String,
    enterprise_project_id: String,
    time_zone: String,
    tags: Vec<TagEntry>,
}

#[derive(Default, Serialize, ToSchema)]
struct ListedInstance {
    #[serde(flatten)]
    fields: InstanceFields,
    private_ips: Vec<String>,
    proxy_ips: Vec<String>,
    readonly_private_ips: Vec<String>,
    public_ips: Vec<String>,
    region: String,
    flavor_ref: String,
}

#[derive(Default, Serialize, ToSchema)]
struct DetailedInstance {
    #[serde(flatten)]
    fields: InstanceFields,
    project_id: String,
    alias: String,
    node_count: usize,
    private_write_ips: Vec<String>,
    private_dns_names: Vec<String>,
    public_ips: String,
    configuration_id: String,
    nodes: Vec<NodeEntry>,
    az_mode: &'static str,
    master_az_code: String,
    proxies: Vec<String>,
}

#[derive(Default, Serialize, ToSchema)]
struct NodeEntry {
    id: String,
    name: String,
    r#type: &'static str,
    status: &'static str,
    port: u16,
    private_read_ips: Vec<String>,
    az_code: String,
    region_code: String,
    created: String,
    updated: String,
    flavor_ref: String,
    need_restart: bool,
    priority: i32,
}

pub(super) fn build_instance_list_response(
    instances: &[Instance],
    total_count: u64,
    region: &str,
    status: &'static str,
) -> InstanceListResponse {
    InstanceListResponse {
        instances: instances.iter().map(|instance| build_instance_list_entry(instance, region, status)).collect(),
        total_count,
    }
}

pub(super) fn build_instance_response(instance: &Instance, status: &'static str) -> InstanceResponse {
    InstanceResponse {
        instance: DetailedInstance {
            fields: build_instance_fields(instance, status),
            project_id: instance.project_id.to_string(),
            node_count: instance.nodes.len(),
            private_write_ips: node_hosts_with_role(instance, NodeRole::Master),
            nodes: instance.nodes.iter().map(|node| build_node_entry(node, status)).collect(),
            az_mode: "single",
            ..DetailedInstance::default()
        },
    }
}

fn build_instance_list_entry(instance: &Instance, region: &str, status: &'static str) -> ListedInstance {
    ListedInstance {
        fields: build_instance_fields(instance, status),
        private_ips: node_hosts_with_role(instance, NodeRole::Master),
        readonly_private_ips: node_hosts_with_role(instance, NodeRole::Slave),
        region: region.to_owned(),
        ..ListedInstance::default()
    }
}

fn build_instance_fields(instance: &Instance, status: &'static str) -> InstanceFields {
    let master = instance.nodes.iter().find(|node| node.role == NodeRole::Master).map(|node| &node.url);
    let tags = instance.tags.iter().map(|tag| TagEntry { key: tag.key.clone(), value: tag.value.clone() });
    InstanceFields {
        id: instance.id.to_string(),
        name: instance.name.clone(),
        status,
        port: master.map_or_else(String::new, |url| url.port.to_string()),
        r#type: "Cluster",
        datastore: Datastore { r#type: DATASTORE_TYPE, version: "8.0", kernel_version: None },
        created: format_taurusdb_timestamp(instance.created_at),
        updated: format_taurusdb_timestamp(instance.updated_at),
        db_user_name: master.map_or_else(String::new, |url| url.user.clone()),
        enterprise_project_id: instance.enterprise_project_id.clone(),
        time_zone: "UTC".to_owned(),
        tags: tags.collect(),
        ..InstanceFields::default()
    }
}

fn build_node_entry(node: &Node, status: &'static str) -> NodeEntry {
    NodeEntry {
        id: node.id.to_string(),
        name: node.name.clone(),
        r#type: node.role.name(),
        status,
        port: node.url.port,
        private_read_ips: vec![node.url.host.clone()],
        created: format_taurusdb_timestamp(node.created_at),
        updated: format_taurusdb_timestamp(node.created_at),
        priority: -1,
        ..NodeEntry::default()
    }
}

fn node_hosts_with_role(instance: &Instance, role: NodeRole) -> Vec<String> {
    instance.nodes.iter().filter(|node| node.role == role).map(|node| node.url.host.clone()).collect()
}

fn format_taurusdb_timestamp(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()
}
