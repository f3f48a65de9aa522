//! Users for eyes and for scripts. Never a password or a hash of one.

use std::fmt::Write as _;

use clew_store::{Group, KeyRecord, StoredGrant, StoredPolicy, User};
use serde_json::{Value, json};

use crate::directory::Directory;
use crate::error::CliError;
use crate::key;
use crate::listing::{self, yes_no};
use crate::output::joined;

/// What a user belongs to and may use.
pub(super) struct Access {
    groups: Vec<Group>,
    grants: Vec<(StoredGrant, Option<String>)>,
    keys: Vec<KeyRecord>,
}

impl Access {
    pub(super) async fn of(directory: &Directory, user: &User) -> Result<Self, CliError> {
        let store = &directory.store;
        let mut groups = Vec::new();
        for group in store.groups_of(&directory.domain.id).await? {
            if store.members_of(&group.id).await?.iter().any(|member| member.id == user.id) {
                groups.push(group);
            }
        }
        let mut grants = Vec::new();
        for grant in store.grants_of(&user.id).await? {
            let project = match &grant.project {
                Some(id) => store.project(id).await?.map(|project| project.name),
                None => None,
            };
            grants.push((grant, project));
        }
        Ok(Self { groups, grants, keys: store.keys_of(&user.id).await? })
    }
}

/// A line per user.
pub(super) fn list(users: &[User]) -> String {
    let row = |user: &User| {
        let User { name, id, enabled, administrator, description, .. } = user;
        [name.clone(), id.to_string(), yes_no(*enabled), yes_no(*administrator), description.clone()]
    };
    let headings = ["NAME", "USER", "ENABLED", "ADMINISTRATOR", "DESCRIPTION"];
    listing::list(headings, users.iter().map(row).collect(), "No users; clew user create makes one.")
}

/// One user.
pub(super) fn one(user: &User) -> String {
    listing::facts(&[
        ("user", format!("{} ({})", user.name, user.id)),
        ("domain", format!("{} ({})", user.domain_name, user.domain_id)),
        ("enabled", yes_no(user.enabled)),
        ("administrator", yes_no(user.administrator)),
        ("description", user.description.clone()),
    ])
}

/// One user with all that they belong to.
pub(super) fn whole(user: &User, access: &Access) -> String {
    let groups: Vec<_> = access.groups.iter().map(|group| group.name.as_str()).collect();
    let groups = if groups.is_empty() { "none".to_owned() } else { groups.join(", ") };
    let mut text = one(user);
    let _ = writeln!(text, "groups         {groups}");
    let grant = |(grant, project): &(StoredGrant, Option<String>)| {
        let via = grant.via_group.as_ref().map_or("the user".to_owned(), |group| format!("the group {group}"));
        [policy_name(grant).to_owned(), via, project.clone().unwrap_or_else(|| "all".to_owned())]
    };
    text.push('\n');
    let none = if user.administrator { "No policies, and none needed." } else { "No policies: may do nothing." };
    let grants = access.grants.iter().map(grant).collect();
    text.push_str(&listing::list(["POLICY", "ATTACHED TO", "PROJECT"], grants, none));
    text.push('\n');
    text.push_str(&key::list(&access.keys.iter().map(|key| (user.name.clone(), key.clone())).collect::<Vec<_>>()));
    text
}

/// A user for scripts.
pub(super) fn value(user: &User) -> Value {
    json!({
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain_id,
        "enabled": user.enabled,
        "administrator": user.administrator,
        "description": user.description,
    })
}

/// The same with all that they belong to.
pub(super) fn whole_value(user: &User, access: &Access) -> Value {
    let group = |group: &Group| json!({ "id": group.id, "name": group.name });
    let grant = |(grant, _): &(StoredGrant, Option<String>)| json!({ "policy": policy_name(grant), "group": grant.via_group, "project_id": grant.project });
    let groups: Vec<_> = access.groups.iter().map(group).collect();
    let policies: Vec<_> = access.grants.iter().map(grant).collect();
    let keys: Vec<_> = access.keys.iter().map(|record| key::value(&user.name, record)).collect();
    joined(value(user), json!({ "groups": groups, "policies": policies, "access_keys": keys }))
}

fn policy_name(grant: &StoredGrant) -> &str {
    match &grant.policy {
        StoredPolicy::Own { name, .. } | StoredPolicy::System { name } => name,
    }
}
