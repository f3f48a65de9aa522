//! Defines all condition keys (TaurusDB API spec, section 4.7) and reads their values from a request.

use std::borrow::Cow;

use crate::access_request::AccessRequest;
use crate::policy::permission_model::PermissionModel;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConditionValueSource {
    CurrentTime,
    PeerAddress,
    SecureTransport,
    DomainId,
    DomainName,
    UserId,
    UserName,
    PrincipalType,
    PrincipalUrn,
    ProjectId,
    ProjectName,
    RequestedRegion,
    ServiceName,
    EnterpriseProjectId,
    ResourceTag,
    RequestTag,
    TagKeys,
    /// Condition key that never has a value, because Clew does not support MFA, principal tags or VPCs.
    Unavailable,
}

/// Definition of a condition key, or of a family of condition keys if the name ends with a slash.
#[derive(Debug)]
pub(super) struct ConditionKeyDefinition {
    pub(super) name: &'static str,
    pub(super) source: ConditionValueSource,
}

const fn define_key(name: &'static str, source: ConditionValueSource) -> ConditionKeyDefinition {
    ConditionKeyDefinition { name, source }
}

pub(super) static CONDITION_KEYS: &[ConditionKeyDefinition] = &[
    define_key("g:CurrentTime", ConditionValueSource::CurrentTime),
    define_key("g:SourceIp", ConditionValueSource::PeerAddress),
    define_key("g:SecureTransport", ConditionValueSource::SecureTransport),
    define_key("g:DomainId", ConditionValueSource::DomainId),
    define_key("g:DomainName", ConditionValueSource::DomainName),
    define_key("g:UserId", ConditionValueSource::UserId),
    define_key("g:UserName", ConditionValueSource::UserName),
    define_key("g:PrincipalType", ConditionValueSource::PrincipalType),
    define_key("g:PrincipalUrn", ConditionValueSource::PrincipalUrn),
    define_key("g:ProjectId", ConditionValueSource::ProjectId),
    define_key("g:ProjectName", ConditionValueSource::ProjectName),
    define_key("g:RequestedRegion", ConditionValueSource::RequestedRegion),
    define_key("g:ServiceName", ConditionValueSource::ServiceName),
    define_key("g:EnterpriseProjectId", ConditionValueSource::EnterpriseProjectId),
    define_key("g:ResourceTag/", ConditionValueSource::ResourceTag),
    define_key("g:RequestTag/", ConditionValueSource::RequestTag),
    define_key("g:TagKeys", ConditionValueSource::TagKeys),
    define_key("g:MFAPresent", ConditionValueSource::Unavailable),
    define_key("g:MFAAge", ConditionValueSource::Unavailable),
    define_key("g:PrincipalTag/", ConditionValueSource::Unavailable),
    define_key("g:SourceVpc", ConditionValueSource::Unavailable),
    define_key("g:SourceVpce", ConditionValueSource::Unavailable),
];

#[derive(Debug, Clone)]
pub(super) struct ConditionKey {
    pub(super) text: String,
    /// Definition of the condition key, or `None` if Clew does not support the key.
    pub(super) definition: Option<&'static ConditionKeyDefinition>,
    /// Tag key (the part of the condition key after the slash).
    tag: String,
}

impl ConditionKey {
    /// The part of a condition key before the slash is case-insensitive.
    pub(super) fn parse(text: &str) -> Self {
        let family = text.split_once('/');
        let definition = CONDITION_KEYS.iter().find(|definition| match (definition.name.strip_suffix('/'), family) {
            (Some(name), Some((given, tag))) => name.eq_ignore_ascii_case(given) && !tag.is_empty(),
            (None, None) => definition.name.eq_ignore_ascii_case(text),
            _ => false,
        });
        Self { text: text.to_owned(), definition, tag: family.map_or_else(String::new, |(_, tag)| tag.to_owned()) }
    }

    fn value_source(&self) -> ConditionValueSource {
        self.definition.map_or(ConditionValueSource::Unavailable, |definition| definition.source)
    }

    pub(super) fn is_multivalued(&self) -> bool {
        self.value_source() == ConditionValueSource::TagKeys
    }

    pub(super) fn refers_to_resource(&self) -> bool {
        use ConditionValueSource::{EnterpriseProjectId, RequestTag, ResourceTag, TagKeys};
        matches!(self.value_source(), EnterpriseProjectId | ResourceTag | RequestTag | TagKeys)
    }

    pub(super) fn read_values_from_request<'a>(
        &'a self,
        model: PermissionModel,
        request: &AccessRequest<'a>,
    ) -> Vec<Cow<'a, str>> {
        let AccessRequest { caller, action, resource, environment, .. } = *request;
        let one = |text: &'a str| vec![Cow::Borrowed(text)];
        let some = |text: Option<&'a str>| text.map(Cow::Borrowed).into_iter().collect();
        let owned = |text: String| vec![Cow::Owned(text)];
        let instance = resource.instance;
        if self.refers_to_resource() && action.keys.is_empty() {
            // An action without condition keys applies neither to an instance nor to tags that the caller passes.
            return Vec::new();
        }
        match self.value_source() {
            ConditionValueSource::Unavailable => Vec::new(),
            ConditionValueSource::CurrentTime => owned(environment.now.to_string()),
            ConditionValueSource::PeerAddress => {
                environment.source_ip.map_or_else(Vec::new, |address| owned(address.to_canonical().to_string()))
            }
            ConditionValueSource::SecureTransport => one(if environment.secure_transport { "true" } else { "false" }),
            ConditionValueSource::DomainId => one(caller.domain_id.as_str()),
            ConditionValueSource::DomainName => one(caller.domain_name),
            ConditionValueSource::UserId => one(caller.user_id.as_str()),
            ConditionValueSource::UserName => one(caller.user_name),
            ConditionValueSource::PrincipalType => one("User"),
            ConditionValueSource::PrincipalUrn => owned(format!("iam::{}:user:{}", caller.domain_id, caller.user_name)),
            ConditionValueSource::ProjectId => some(resource.project.map(|project| project.id.as_str())),
            ConditionValueSource::ProjectName => some(resource.project.map(|project| project.name)),
            ConditionValueSource::RequestedRegion => one(resource.region),
            ConditionValueSource::ServiceName => some(model.action_name(action).split(':').next()),
            ConditionValueSource::EnterpriseProjectId => {
                some(instance.and_then(|instance| instance.enterprise_project_id))
            }
            ConditionValueSource::ResourceTag => some(instance.and_then(|instance| self.find_tag_value(instance.tags))),
            ConditionValueSource::RequestTag => some(self.find_tag_value(resource.request_tags)),
            ConditionValueSource::TagKeys => {
                resource.request_tags.iter().map(|tag| Cow::Borrowed(tag.key.as_str())).collect()
            }
        }
    }

    /// A tag key with the same case takes precedence over a tag key that differs only in case.
    fn find_tag_value<'a>(&self, tags: &'a [clew_model::Tag]) -> Option<&'a str> {
        let exact = tags.iter().find(|tag| tag.key == self.tag);
        let found = exact.or_else(|| tags.iter().find(|tag| tag.key.eq_ignore_ascii_case(&self.tag)));
        found.map(|tag| tag.value.as_str())
    }
}
