//! Looks up a domain's custom policies and the built-in system policies.

use clew_iam::policy::{PermissionModel, system_policies};
use clew_store::{PolicyRecord, PolicyRef};

use super::{IdentityDirectory, find_most_similar_name};
use crate::error::CliError;

/// A domain's custom policy or a built-in system policy.
#[derive(Debug)]
pub(crate) struct NamedPolicy {
    pub(crate) reference: PolicyRef,
    pub(crate) name: String,
    /// Permission model of the policy: `role` or `identity`.
    pub(crate) model: &'static str,
    pub(crate) description: String,
    pub(crate) document: String,
}

impl IdentityDirectory {
    /// Returns the domain's custom policies, followed by the built-in system policies.
    pub(crate) async fn list_policies(&self) -> Result<Vec<NamedPolicy>, CliError> {
        let own = self.store.policies().list_policies(&self.domain.id).await?.into_iter().map(named_policy_from_record);
        Ok(own.chain(system_policies::SYSTEM_POLICIES.iter().filter_map(named_policy_from_system_policy)).collect())
    }

    /// Custom policies can be found by name or id, system policies only by name.
    pub(crate) async fn find_policy(&self, name_or_id: &str) -> Result<NamedPolicy, CliError> {
        let all = self.list_policies().await?;
        let hint = find_most_similar_name(name_or_id, all.iter().map(|policy| policy.name.as_str()))
            .map_or_else(|| "clew policy list shows all".to_owned(), |name| format!("did you mean {name:?}?"));
        all.into_iter()
            .find(|policy| {
                policy.name == name_or_id
                    || matches!(&policy.reference, PolicyRef::Custom(id) if id.as_str() == name_or_id)
            })
            .ok_or_else(|| CliError::new_refusal(format!("there is no policy {name_or_id:?}")).with_suggested_fix(hint))
    }
}

fn named_policy_from_record(record: PolicyRecord) -> NamedPolicy {
    let model = if record.model == permission_model_name(PermissionModel::RoleBased) {
        PermissionModel::RoleBased
    } else {
        PermissionModel::IdentityBased
    };
    NamedPolicy {
        reference: PolicyRef::Custom(record.id),
        name: record.name,
        model: permission_model_name(model),
        description: record.description,
        document: record.document,
    }
}

fn named_policy_from_system_policy(policy: &system_policies::SystemPolicy) -> Option<NamedPolicy> {
    Some(NamedPolicy {
        reference: PolicyRef::System(policy.name.to_owned()),
        name: policy.name.to_owned(),
        model: permission_model_name(policy.parsed_policy()?.model()),
        description: policy.description.to_owned(),
        document: policy.document.to_owned(),
    })
}

pub(crate) fn permission_model_name(model: PermissionModel) -> &'static str {
    match model {
        PermissionModel::RoleBased => "role",
        PermissionModel::IdentityBased => "identity",
    }
}
