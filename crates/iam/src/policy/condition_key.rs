//! Defines all condition keys (TaurusDB API spec, section 4.7) and reads their values from a request.

use std::borrow::Cow;

use crate::access_request::AccessRequest;
use crate::policy::permission_model::PermissionModel;

type ReadValuesFn = for<'a> fn(&'a ConditionKey, PermissionModel, &AccessRequest<'a>) -> Vec<Cow<'a, str>>;

/// A name that ends with a slash defines a family of condition keys, such as `g:ResourceTag/`.
#[derive(Debug)]
pub(super) struct ConditionKeyDefinition {
    pub(super) name: &'static str,
    /// `None` for MFA, principal tag and VPC keys, which are not supported.
    pub(super) read_values: Option<ReadValuesFn>,
    /// True if the value of the condition key depends on the instance or on the tags in the request.
    refers_to_resource: bool,
}

const fn request_key(name: &'static str, read_values: ReadValuesFn) -> ConditionKeyDefinition {
    ConditionKeyDefinition { name, read_values: Some(read_values), refers_to_resource: false }
}

const fn resource_key(name: &'static str, read_values: ReadValuesFn) -> ConditionKeyDefinition {
    ConditionKeyDefinition { name, read_values: Some(read_values), refers_to_resource: true }
}

const fn unsupported_key(name: &'static str) -> ConditionKeyDefinition {
    ConditionKeyDefinition { name, read_values: None, refers_to_resource: false }
}

/// The only condition key that can have several values.
const TAG_KEYS_CONDITION_KEY: &str = "g:TagKeys";

pub(super) static CONDITION_KEYS: &[ConditionKeyDefinition] = &[
    request_key("g:CurrentTime", |_, _, request| owned_value(request.environment.now.to_string())),
    request_key("g:SourceIp", |_, _, request| {
        request.environment.source_ip.map_or_else(Vec::new, |address| owned_value(address.to_canonical().to_string()))
    }),
    request_key("g:SecureTransport", |_, _, request| {
        borrowed_value(if request.environment.secure_transport { "true" } else { "false" })
    }),
    request_key("g:DomainId", |_, _, request| borrowed_value(request.caller.domain_id.as_str())),
    request_key("g:DomainName", |_, _, request| borrowed_value(request.caller.domain_name)),
    request_key("g:UserId", |_, _, request| borrowed_value(request.caller.user_id.as_str())),
    request_key("g:UserName", |_, _, request| borrowed_value(request.caller.user_name)),
    request_key("g:PrincipalType", |_, _, _| borrowed_value("User")),
    request_key("g:PrincipalUrn", |_, _, request| {
        owned_value(format!("iam::{}:user:{}", request.caller.domain_id, request.caller.user_name))
    }),
    request_key("g:ProjectId", |_, _, request| {
        optional_value(request.resource.project.map(|project| project.id.as_str()))
    }),
    request_key("g:ProjectName", |_, _, request| optional_value(request.resource.project.map(|project| project.name))),
    request_key("g:RequestedRegion", |_, _, request| borrowed_value(request.resource.region)),
    request_key("g:ServiceName", |_, model, request| {
        optional_value(model.action_name(request.action).split(':').next())
    }),
    resource_key("g:EnterpriseProjectId", |_, _, request| {
        optional_value(request.resource.instance.and_then(|instance| instance.enterprise_project_id))
    }),
    resource_key("g:ResourceTag/", |key, _, request| {
        optional_value(request.resource.instance.and_then(|instance| key.find_tag_value(instance.tags)))
    }),
    resource_key("g:RequestTag/", |key, _, request| optional_value(key.find_tag_value(request.resource.request_tags))),
    resource_key(TAG_KEYS_CONDITION_KEY, |_, _, request| {
        request.resource.request_tags.iter().map(|tag| Cow::Borrowed(tag.key.as_str())).collect()
    }),
    unsupported_key("g:MFAPresent"),
    unsupported_key("g:MFAAge"),
    unsupported_key("g:PrincipalTag/"),
    unsupported_key("g:SourceVpc"),
    unsupported_key("g:SourceVpce"),
];

fn borrowed_value(text: &str) -> Vec<Cow<'_, str>> {
    vec![Cow::Borrowed(text)]
}

fn optional_value(text: Option<&str>) -> Vec<Cow<'_, str>> {
    text.map(Cow::Borrowed).into_iter().collect()
}

fn owned_value(text: String) -> Vec<Cow<'static, str>> {
    vec![Cow::Owned(text)]
}

#[derive(Debug, Clone)]
pub(super) struct ConditionKey {
    pub(super) text: String,
    /// `None` for an unknown condition key.
    pub(super) definition: Option<&'static ConditionKeyDefinition>,
    tag_key: String,
}

impl ConditionKey {
    /// The part before the slash is case-insensitive.
    pub(super) fn parse(text: &str) -> Self {
        let family = text.split_once('/');
        let definition = CONDITION_KEYS.iter().find(|definition| match (definition.name.strip_suffix('/'), family) {
            (Some(name), Some((given, tag))) => name.eq_ignore_ascii_case(given) && !tag.is_empty(),
            (None, None) => definition.name.eq_ignore_ascii_case(text),
            _ => false,
        });
        Self { text: text.to_owned(), definition, tag_key: family.map_or_else(String::new, |(_, tag)| tag.to_owned()) }
    }

    pub(super) fn is_multivalued(&self) -> bool {
        self.definition.is_some_and(|definition| definition.name == TAG_KEYS_CONDITION_KEY)
    }

    pub(super) fn refers_to_resource(&self) -> bool {
        self.definition.is_some_and(|definition| definition.refers_to_resource)
    }

    pub(super) fn read_values_from_request<'a>(
        &'a self,
        model: PermissionModel,
        request: &AccessRequest<'a>,
    ) -> Vec<Cow<'a, str>> {
        if self.refers_to_resource() && request.action.keys.is_empty() {
            // An action without condition keys applies neither to an instance nor to tags that the caller passes.
            return Vec::new();
        }
        let read_values = self.definition.and_then(|definition| definition.read_values);
        read_values.map_or_else(Vec::new, |read_values| read_values(self, model, request))
    }

    /// An exact match of the tag key takes precedence over a match that differs only in case.
    fn find_tag_value<'a>(&self, tags: &'a [clew_model::Tag]) -> Option<&'a str> {
        let exact = tags.iter().find(|tag| tag.key == self.tag_key);
        let found = exact.or_else(|| tags.iter().find(|tag| tag.key.eq_ignore_ascii_case(&self.tag_key)));
        found.map(|tag| tag.value.as_str())
    }
}
