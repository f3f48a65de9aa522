//! Looks up domains, users, user groups, projects and policies by name or id.

use std::fmt::Display;

use clew_iam::policy::{PermissionModel, system_policies};
use clew_model::{AuditOrigin, DomainId};
use clew_store::{Domain, EnterpriseProject, Group, PolicyRecord, PolicyRef, Project, Store, User};
use serde::Serialize;
use serde_json::json;

use crate::error::{CliError, failed, refused};
use crate::output::CommandOutputFormat;
use crate::value_parsers;

pub(crate) async fn find_domain(store: &Store, name_or_id: &str) -> Result<Domain, CliError> {
    find_by_id_or_name(store.tenants().list_domains().await?, "domain", name_or_id, |domain| {
        (domain.id.as_str(), &domain.name)
    })
}

pub(crate) fn require_single_item<T>(mut items: Vec<T>, kind: &str, name: fn(&T) -> &str) -> Result<T, CliError> {
    if items.len() == 1
        && let Some(only) = items.pop()
    {
        return Ok(only);
    }
    let names: Vec<_> = items.iter().map(name).collect();
    Err(refused!("select a {kind} with --{kind}: {}", names.join(", ")))
}

pub(crate) struct IdentityDirectory {
    pub(crate) store: Store,
    pub(crate) domain: Domain,
    pub(crate) origin: AuditOrigin,
    pub(crate) format: CommandOutputFormat,
}

impl IdentityDirectory {
    pub(crate) async fn find_user(&self, name_or_id: &str) -> Result<User, CliError> {
        let users = self.store.identities().list_users(&self.domain.id).await?;
        find_by_id_or_name(users, "user", name_or_id, |user| (user.id.as_str(), &user.name))
    }

    pub(crate) async fn find_group(&self, name_or_id: &str) -> Result<Group, CliError> {
        let groups = self.store.identities().list_groups(&self.domain.id).await?;
        find_by_id_or_name(groups, "group", name_or_id, |group| (group.id.as_str(), &group.name))
    }

    pub(crate) async fn find_project(&self, name_or_id: &str) -> Result<Project, CliError> {
        let projects = self.store.tenants().list_projects(&self.domain.id).await?;
        find_by_id_or_name(projects, "project", name_or_id, |project| (project.id.as_str(), &project.name))
    }

    pub(crate) async fn find_enterprise_project(&self, name_or_id: &str) -> Result<EnterpriseProject, CliError> {
        find_enterprise_project(&self.store, &self.domain.id, name_or_id).await
    }

    /// `next` is a suggested next command and may be empty.
    pub(crate) fn print_created_object(
        &self,
        kind: &str,
        name: &str,
        id: &(impl Display + Serialize),
        next: &str,
    ) -> Result<(), CliError> {
        let domain = &self.domain;
        self.format.print(
            || format!("Created the {kind} {name} ({id}) in the domain {}.\n{next}", domain.name),
            || json!({ "id": id, "name": name, "domain_id": domain.id }),
        )
    }

    pub(crate) fn print_removed_object(
        &self,
        kind: &str,
        name: &str,
        id: &(impl Display + Serialize),
    ) -> Result<(), CliError> {
        self.format.print(|| format!("Removed the {kind} {name} ({id}).\n"), || json!({ "removed": id }))
    }
}

pub(crate) async fn find_enterprise_project(
    store: &Store,
    domain: &DomainId,
    name_or_id: &str,
) -> Result<EnterpriseProject, CliError> {
    let projects = store.tenants().list_enterprise_projects(domain).await?;
    find_by_id_or_name(projects, "enterprise project", name_or_id, |project| (&project.id, &project.name))
}

fn find_by_id_or_name<T>(
    items: Vec<T>,
    kind: &str,
    name_or_id: &str,
    id_and_name: fn(&T) -> (&str, &str),
) -> Result<T, CliError> {
    let index = items.iter().position(|item| id_and_name(item).0 == name_or_id);
    let index = index.or_else(|| items.iter().position(|item| id_and_name(item).1 == name_or_id));
    let hint = || {
        find_most_similar_name(name_or_id, items.iter().map(|item| id_and_name(item).1)).map_or_else(
            || format!("clew {} list shows all", kind.replace(' ', "-")),
            |name| format!("did you mean {name}?"),
        )
    };
    match index {
        Some(index) => items.into_iter().nth(index).ok_or_else(|| failed!("a list changed while it was read")),
        None => Err(refused!("there is no {kind} {name_or_id:?}").with_suggested_fix(hint())),
    }
}

pub(crate) fn find_most_similar_name<'a>(input: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    value_parsers::find_name_within_edit_distance(input, names, input.chars().count() / 3)
}

#[derive(Debug)]
pub(crate) struct NamedPolicy {
    pub(crate) reference: PolicyRef,
    pub(crate) name: String,
    /// Either `role` or `identity`.
    pub(crate) model: &'static str,
    pub(crate) description: String,
    pub(crate) document: String,
}

impl IdentityDirectory {
    pub(crate) async fn list_policies(&self) -> Result<Vec<NamedPolicy>, CliError> {
        let own = self.store.policies().list_policies(&self.domain.id).await?.into_iter().map(named_policy_from_record);
        Ok(own.chain(system_policies::SYSTEM_POLICIES.iter().filter_map(named_policy_from_system_policy)).collect())
    }

    pub(crate) async fn find_policy(&self, name_or_id: &str) -> Result<NamedPolicy, CliError> {
        let all = self.list_policies().await?;
        let hint = find_most_similar_name(name_or_id, all.iter().map(|policy| policy.name.as_str()))
            .map_or_else(|| "clew policy list shows all".to_owned(), |name| format!("did you mean {name:?}?"));
        all.into_iter()
            .find(|policy| {
                policy.name == name_or_id
                    || matches!(&policy.reference, PolicyRef::Custom(id) if id.as_str() == name_or_id)
            })
            .ok_or_else(|| refused!("there is no policy {name_or_id:?}").with_suggested_fix(hint))
    }
}

fn named_policy_from_record(record: PolicyRecord) -> NamedPolicy {
    let is_role_based = record.model == permission_model_name(PermissionModel::RoleBased);
    let model = if is_role_based { PermissionModel::RoleBased } else { PermissionModel::IdentityBased };
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
        model: permission_model_name(policy.parsed_policy()?.permission_model()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name_or_id: &str) -> Result<(&'static str, &'static str), CliError> {
        find_by_id_or_name(vec![("1", "ada"), ("2", "1"), ("3", "grace")], "user", name_or_id, |pair| *pair)
    }

    #[test]
    fn id_takes_precedence_over_name() {
        assert_eq!(find("ada").unwrap().0, "1");
        assert_eq!(find("2").unwrap().1, "1");
        assert_eq!(find("1").unwrap().1, "ada");
    }

    #[test]
    fn unknown_name_is_rejected_with_the_nearest_name() {
        let error = format!("{:?}", find("grase").unwrap_err());
        assert!(error.contains("there is no user") && error.contains("did you mean grace?"), "{error}");
        assert!(format!("{:?}", find("zoe").unwrap_err()).contains("clew user list"));
    }
}
