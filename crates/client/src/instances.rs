//! Lists instances and returns instance details (TaurusDB API spec, sections 3.3 and 3.4).
//!
//! Parsing is lenient, because the cloud documentation is inconsistent about types, nulls and missing fields.
//! The client rejects a response that lacks an instance id, an instance name or the instance list.

use clew_model::{InstanceFilter, InstanceId, Pagination, Tag};
use serde::{Deserialize, Deserializer, Serialize};

use crate::Client;
use crate::error::ClientError;

/// Page of an instance list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceList {
    /// Instances on this page.
    #[serde(deserialize_with = "deserialize_null_as_default")]
    pub instances: Vec<InstanceSummary>,
    /// Total number of matching instances.
    #[serde(deserialize_with = "deserialize_null_as_default")]
    pub total_count: u64,
}

/// Fields that the instance list and the instance details have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFields {
    /// Instance id.
    pub id: String,
    /// Instance name.
    pub name: String,
    /// Status of the instance: `normal`, `abnormal`, `creating` or `createfail`.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub status: String,
    /// Database port.
    #[serde(default, deserialize_with = "deserialize_string_or_number")]
    pub port: String,
    /// Database kind and version.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub datastore: Datastore,
    /// Creation timestamp of the instance, as formatted by the server.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub created: String,
    /// Timestamp of the last change to the instance, as formatted by the server.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub updated: String,
    /// Enterprise project id; `0` is the default enterprise project.
    #[serde(default, deserialize_with = "deserialize_string_or_number")]
    pub enterprise_project_id: String,
    /// Tags of the instance.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub tags: Vec<Tag>,
}

/// Instance in an instance list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSummary {
    /// Fields that occur both in instance lists and in instance details.
    #[serde(flatten)]
    pub fields: InstanceFields,
    /// Addresses of the master.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub private_ips: Vec<String>,
    /// Addresses of the replicas.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub readonly_private_ips: Vec<String>,
}

/// Database kind and version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datastore {
    /// Database kind, such as `gaussdb-mysql`.
    #[serde(default, rename = "type", deserialize_with = "deserialize_null_as_default")]
    pub kind: String,
    /// Database version.
    #[serde(default, deserialize_with = "deserialize_string_or_number")]
    pub version: String,
}

/// Instance details, including its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceDetail {
    /// Fields that occur both in instance lists and in instance details.
    #[serde(flatten)]
    pub fields: InstanceFields,
    /// Id of the project that contains the instance.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub project_id: String,
    /// Nodes of the instance.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub nodes: Vec<InstanceNode>,
}

/// Node of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceNode {
    /// Node id.
    pub id: String,
    /// Node name.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub name: String,
    /// Role: `master` or `slave`.
    #[serde(default, rename = "type", deserialize_with = "deserialize_null_as_default")]
    pub role: String,
    /// Status, such as `normal`.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub status: String,
    /// Database port.
    #[serde(default, deserialize_with = "deserialize_string_or_number")]
    pub port: String,
    /// Addresses of the node.
    #[serde(default, deserialize_with = "deserialize_null_as_default")]
    pub private_read_ips: Vec<String>,
}

fn deserialize_null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn deserialize_string_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum StringOrNumber {
        Text(String),
        Number(serde_json::Number),
    }
    Ok(match Option::deserialize(deserializer)? {
        Some(StringOrNumber::Text(text)) => text,
        Some(StringOrNumber::Number(number)) => number.to_string(),
        None => String::new(),
    })
}

#[derive(Deserialize)]
struct InstanceDetailResponse {
    instance: InstanceDetail,
}

impl Client {
    /// Returns one page of the project's instances that match all criteria in `filter`.
    pub async fn list_instances(&self, filter: &InstanceFilter, page: Pagination) -> Result<InstanceList, ClientError> {
        let project = self.project_id().await?;
        let mut query = vec![("offset", page.offset.to_string()), ("limit", page.limit.to_string())];
        let texts = [
            ("id", &filter.id),
            ("name", &filter.name),
            ("private_ip", &filter.private_ip),
            ("readonly_private_ip", &filter.readonly_private_ip),
        ];
        query.extend(texts.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
        if !filter.tags.is_empty() {
            let tags: Vec<String> = filter.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
            query.push(("tags", tags.join(",")));
        }
        self.send_json_request(&self.build_get_request(
            "listing instances",
            project,
            format!("/v3.1/{project}/instances"),
            query,
        ))
        .await
    }

    /// Returns an instance with its nodes.
    pub async fn show_instance(&self, instance: &InstanceId) -> Result<InstanceDetail, ClientError> {
        let project = self.project_id().await?;
        let path = format!("/v3.1/{project}/instances/{instance}");
        let response: InstanceDetailResponse =
            self.send_json_request(&self.build_get_request("showing an instance", project, path, Vec::new())).await?;
        Ok(response.instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_nulls_and_missing_fields_are_tolerated() {
        let list: InstanceList = serde_json::from_str(
            r#"{"instances":[{"id":"a","name":"b","port":3306,"enterprise_project_id":0,"tags":null,"datastore":null,
                "private_ips":["10.0.0.1"],"new_field":{}}],"total_count":1}"#,
        )
        .unwrap();
        let [only] = list.instances.as_slice() else { unreachable!() };
        let fields = &only.fields;
        assert_eq!((fields.port.as_str(), fields.enterprise_project_id.as_str()), ("3306", "0"));
        assert_eq!((&fields.datastore, fields.tags.len(), fields.status.as_str()), (&Datastore::default(), 0, ""));

        let empty: InstanceList = serde_json::from_str(r#"{"instances":null,"total_count":null}"#).unwrap();
        assert_eq!((empty.instances.len(), empty.total_count), (0, 0));

        for broken in
            [r#"{"instances":[{"name":"without an id"}],"total_count":1}"#, "{}", "[]", r#"{"total_count":0}"#]
        {
            assert!(serde_json::from_str::<InstanceList>(broken).is_err(), "{broken}");
        }
    }
}
