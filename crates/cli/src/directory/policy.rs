//! Policies by their names: the domain's own, and those that come with Clew.

use clew_iam::policy::{Model, system};
use clew_store::{PolicyRecord, PolicyRef};

use super::{Directory, nearest};
use crate::error::CliError;

/// A policy that can be attached.
#[derive(Debug)]
pub(crate) struct FoundPolicy {
    pub(crate) reference: PolicyRef,
    pub(crate) name: String,
    /// `role` or `identity`.
    pub(crate) model: &'static str,
    pub(crate) description: String,
    pub(crate) document: String,
}

impl Directory {
    /// The domain's own policies, then those that come with Clew.
    pub(crate) async fn policies(&self) -> Result<Vec<FoundPolicy>, CliError> {
        let own = self.store.policies_of(&self.domain.id).await?.into_iter().map(own);
        Ok(own.chain(system::ALL.iter().filter_map(of_clew)).collect())
    }

    pub(crate) async fn policy(&self, named: &str) -> Result<FoundPolicy, CliError> {
        let all = self.policies().await?;
        let hint = nearest(named, all.iter().map(|policy| policy.name.as_str()))
            .map_or_else(|| "clew policy list shows all".to_owned(), |name| format!("did you mean {name:?}?"));
        all.into_iter()
            .find(|policy| {
                policy.name == named || matches!(&policy.reference, PolicyRef::Own(id) if id.as_str() == named)
            })
            .ok_or_else(|| CliError::refused(format!("there is no policy {named:?}")).with_hint(hint))
    }
}

fn own(record: PolicyRecord) -> FoundPolicy {
    let model = if record.model == name_of_model(Model::RoleBased) { Model::RoleBased } else { Model::IdentityBased };
    FoundPolicy {
        reference: PolicyRef::Own(record.id),
        name: record.name,
        model: name_of_model(model),
        description: record.description,
        document: record.document,
    }
}

fn of_clew(policy: &system::SystemPolicy) -> Option<FoundPolicy> {
    Some(FoundPolicy {
        reference: PolicyRef::System(policy.name.to_owned()),
        name: policy.name.to_owned(),
        model: name_of_model(policy.policy()?.model()),
        description: policy.description.to_owned(),
        document: policy.document.to_owned(),
    })
}

/// As the store keeps it.
pub(crate) fn name_of_model(model: Model) -> &'static str {
    match model {
        Model::RoleBased => "role",
        Model::IdentityBased => "identity",
    }
}
