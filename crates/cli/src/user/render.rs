//! Formats users as text and JSON. The output contains no passwords and no password hashes.

use std::fmt::Write as _;

use clew_store::{AccessKeyMetadata, CustomOrBuiltInPolicy, Group, PolicyGrant, User};
use serde_json::{Value, json};

use crate::access_key::ACCESS_KEY_LIST_FORMAT;
use crate::error::CliError;
use crate::identity_directory::IdentityDirectory;
use crate::output::merge_json_objects;
use crate::text_table::{self, ListFormat, format_yes_no};

pub(super) struct UserDetails {
    groups: Vec<Group>,
    grants: Vec<(PolicyGrant, Option<String>)>,
    /// User name and metadata of each access key.
    keys: Vec<(String, AccessKeyMetadata)>,
}

impl UserDetails {
    pub(super) async fn load(directory: &IdentityDirectory, user: &User) -> Result<Self, CliError> {
        let store = &directory.store;
        let mut groups = Vec::new();
        for group in store.identities().list_groups(&directory.domain.id).await? {
            if store.identities().list_group_members(&group.id).await?.iter().any(|member| member.id == user.id) {
                groups.push(group);
            }
        }
        let mut grants = Vec::new();
        for grant in store.policies().list_user_policy_grants(&user.id).await? {
            let project = match &grant.project {
                Some(id) => store.tenants().find_project(id).await?.map(|project| project.name),
                None => None,
            };
            grants.push((grant, project));
        }
        let keys = store.identities().list_access_keys(&user.id).await?;
        Ok(Self { groups, grants, keys: keys.into_iter().map(|key| (user.name.clone(), key)).collect() })
    }
}

pub(super) const USER_LIST_FORMAT: ListFormat<User, 5> = ListFormat {
    json_key: "users",
    headings: ["NAME", "USER", "ENABLED", "ADMINISTRATOR", "DESCRIPTION"],
    empty: "No users. Create one with clew user create.",
    to_row: |user| {
        let User { name, id, enabled, administrator, description, .. } = user;
        [name.clone(), id.to_string(), format_yes_no(*enabled), format_yes_no(*administrator), description.clone()]
    },
    to_json: user_to_json,
};

pub(super) fn render_user(user: &User) -> String {
    text_table::render_field_list(&[
        ("user", format!("{} ({})", user.name, user.id)),
        ("domain", format!("{} ({})", user.domain_name, user.domain_id)),
        ("enabled", format_yes_no(user.enabled)),
        ("administrator", format_yes_no(user.administrator)),
        ("description", user.description.clone()),
    ])
}

pub(super) fn render_user_details(user: &User, access: &UserDetails) -> String {
    let groups: Vec<_> = access.groups.iter().map(|group| group.name.as_str()).collect();
    let groups = if groups.is_empty() { "none".to_owned() } else { groups.join(", ") };
    let mut text = render_user(user);
    let _ = writeln!(text, "groups         {groups}");
    let grant = |(grant, project): &(PolicyGrant, Option<String>)| {
        let via = grant.via_group.as_ref().map_or("the user".to_owned(), |group| format!("the group {group}"));
        [policy_name(grant).to_owned(), via, project.clone().unwrap_or_else(|| "all".to_owned())]
    };
    text.push('\n');
    let none = if user.administrator {
        "No policies; administrators have full access."
    } else {
        "No policies; the user has no access."
    };
    let grants = access.grants.iter().map(grant).collect();
    text.push_str(&text_table::render_table(["POLICY", "ATTACHED TO", "PROJECT"], grants, none));
    text.push('\n');
    text + &ACCESS_KEY_LIST_FORMAT.render_table(&access.keys)
}

pub(super) fn user_to_json(user: &User) -> Value {
    json!({
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain_id,
        "enabled": user.enabled,
        "administrator": user.administrator,
        "description": user.description,
    })
}

pub(super) fn user_details_to_json(user: &User, access: &UserDetails) -> Value {
    let group = |group: &Group| json!({ "id": group.id, "name": group.name });
    let grant = |(grant, _): &(PolicyGrant, Option<String>)| json!({ "policy": policy_name(grant), "group": grant.via_group, "project_id": grant.project });
    let groups: Vec<_> = access.groups.iter().map(group).collect();
    let policies: Vec<_> = access.grants.iter().map(grant).collect();
    let keys: Vec<_> = access.keys.iter().map(ACCESS_KEY_LIST_FORMAT.to_json).collect();
    merge_json_objects(user_to_json(user), json!({ "groups": groups, "policies": policies, "access_keys": keys }))
}

fn policy_name(grant: &PolicyGrant) -> &str {
    match &grant.policy {
        CustomOrBuiltInPolicy::Custom { name, .. } | CustomOrBuiltInPolicy::System { name } => name,
    }
}
