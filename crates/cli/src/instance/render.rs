//! Formats instances as text and JSON. The output contains no passwords.

use std::fmt::Write as _;

use clew_model::Instance;
use serde_json::{Value, json};

use crate::text_table;

pub(super) fn render_instance_table(instances: &[Instance]) -> String {
    let mut rows = Vec::new();
    for instance in instances {
        for node in &instance.nodes {
            let (id, node_id) = (instance.id.to_string(), node.id.to_string());
            let (role, zone) = (node.role.name().to_owned(), node_zone_name(node).to_owned());
            rows.push([instance.name.clone(), id, node_id, role, node.url.address(), zone]);
        }
    }
    let headings = ["NAME", "INSTANCE", "NODE", "ROLE", "ADDRESS", "ZONE"];
    text_table::render_table(headings, rows, "No instances yet. Register one with clew instance add.")
}

pub(super) fn render_instance(instance: &Instance) -> String {
    let tags: Vec<_> = instance.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
    let mut text = format!("instance  {}  {}\n", instance.id, instance.name);
    if instance.enterprise_project_id != "0" {
        let _ = writeln!(text, "belongs to the enterprise project {}", instance.enterprise_project_id);
    }
    if !tags.is_empty() {
        let _ = writeln!(text, "tags      {}", tags.join(", "));
    }
    for node in &instance.nodes {
        let zone = node.zone.as_ref().map_or(String::new(), |zone| format!("  zone {zone}"));
        let _ = writeln!(text, "node      {}  {:<6}  {}{zone}", node.id, node.role.name(), node.url);
    }
    text
}

fn node_zone_name(node: &clew_model::Node) -> &str {
    node.zone.as_ref().map_or("", clew_model::NetworkZone::as_str)
}

pub(super) fn instance_to_json(instance: &Instance) -> Value {
    let node = |node: &clew_model::Node| json!({ "id": node.id, "role": node.role, "url": node.url.to_string(), "zone": node.zone });
    json!({
        "id": instance.id,
        "name": instance.name,
        "project_id": instance.project_id,
        "enterprise_project_id": instance.enterprise_project_id,
        "tags": instance.tags,
        "nodes": instance.nodes.iter().map(node).collect::<Vec<_>>(),
    })
}
