//! Instances: list and detail (spec sections 3.3 and 3.4).
//!
//! Answers are read leniently. The cloud's own documents show numbers where text is declared and the other way round, leave
//! fields out and set them to null. What identifies a thing must be there, and so must the list itself: an answer without it is
//! not an empty list but another API's.

use clew_model::{InstanceFilter, InstanceId, Page, Tag};
use serde::{Deserialize, Deserializer, Serialize};

use crate::Client;
use crate::error::ClientError;

/// A page of instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceList {
    /// The instances of the page.
    #[serde(deserialize_with = "or_default")]
    pub instances: Vec<InstanceSummary>,
    /// How many match in all.
    #[serde(deserialize_with = "or_default")]
    pub total_count: u64,
}

/// An instance as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSummary {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `normal`, `abnormal`, `creating` or `createfail`.
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    /// Addresses of the master.
    #[serde(default, deserialize_with = "or_default")]
    pub private_ips: Vec<String>,
    /// Addresses of the replicas.
    #[serde(default, deserialize_with = "or_default")]
    pub readonly_private_ips: Vec<String>,
    /// Port of the database.
    #[serde(default, deserialize_with = "text")]
    pub port: String,
    /// Kind and version of the database.
    #[serde(default, deserialize_with = "or_default")]
    pub datastore: Datastore,
    /// When it was created, as the server writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub created: String,
    /// When it was last changed, as the server writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub updated: String,
    /// Enterprise project; `0` is the default one.
    #[serde(default, deserialize_with = "text")]
    pub enterprise_project_id: String,
    /// Tags.
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Vec<Tag>,
}

/// Kind and version of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datastore {
    /// `gaussdb-mysql`, …
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Version.
    #[serde(default, deserialize_with = "text")]
    pub version: String,
}

/// An instance with its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceDetail {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The project that owns it.
    #[serde(default, deserialize_with = "or_default")]
    pub project_id: String,
    /// As in [`InstanceSummary::status`].
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    /// Port of the database.
    #[serde(default, deserialize_with = "text")]
    pub port: String,
    /// Kind and version of the database.
    #[serde(default, deserialize_with = "or_default")]
    pub datastore: Datastore,
    /// Its nodes.
    #[serde(default, deserialize_with = "or_default")]
    pub nodes: Vec<InstanceNode>,
    /// When it was created, as the server writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub created: String,
    /// When it was last changed, as the server writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub updated: String,
    /// Enterprise project; `0` is the default one.
    #[serde(default, deserialize_with = "text")]
    pub enterprise_project_id: String,
    /// Tags.
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Vec<Tag>,
}

/// A node of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceNode {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// `master` or `slave`.
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    pub role: String,
    /// `normal`, …
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    /// Port of the database.
    #[serde(default, deserialize_with = "text")]
    pub port: String,
    /// Its addresses.
    #[serde(default, deserialize_with = "or_default")]
    pub private_read_ips: Vec<String>,
}

/// The default instead of null.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Text, from text or a number; empty instead of null.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Told {
        Text(String),
        Number(serde_json::Number),
    }
    Ok(match Option::deserialize(deserializer)? {
        Some(Told::Text(text)) => text,
        Some(Told::Number(number)) => number.to_string(),
        None => String::new(),
    })
}

#[derive(Deserialize)]
struct DetailAnswer {
    instance: InstanceDetail,
}

impl Client {
    /// Instances of the project that match all filters, a page of them.
    pub async fn list_instances(&self, filter: &InstanceFilter, page: Page) -> Result<InstanceList, ClientError> {
        let project = self.project().await?;
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
        self.json(&self.get("listing instances", project, format!("/v3.1/{project}/instances"), query)).await
    }

    /// One instance with its nodes.
    pub async fn show_instance(&self, instance: &InstanceId) -> Result<InstanceDetail, ClientError> {
        let project = self.project().await?;
        let path = format!("/v3.1/{project}/instances/{instance}");
        let answer: DetailAnswer = self.json(&self.get("showing an instance", project, path, Vec::new())).await?;
        Ok(answer.instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_nulls_and_missing_fields_do_no_harm() {
        let list: InstanceList = serde_json::from_str(
            r#"{"instances":[{"id":"a","name":"b","port":3306,"enterprise_project_id":0,"tags":null,"datastore":null,
                "private_ips":["10.0.0.1"],"new_field":{}}],"total_count":1}"#,
        )
        .unwrap();
        let [only] = list.instances.as_slice() else { unreachable!() };
        assert_eq!((only.port.as_str(), only.enterprise_project_id.as_str()), ("3306", "0"));
        assert_eq!((&only.datastore, only.tags.len(), only.status.as_str()), (&Datastore::default(), 0, ""));

        let empty: InstanceList = serde_json::from_str(r#"{"instances":null,"total_count":null}"#).unwrap();
        assert_eq!((empty.instances.len(), empty.total_count), (0, 0));

        for broken in
            [r#"{"instances":[{"name":"without an id"}],"total_count":1}"#, "{}", "[]", r#"{"total_count":0}"#]
        {
            assert!(serde_json::from_str::<InstanceList>(broken).is_err(), "{broken}");
        }
    }
}
