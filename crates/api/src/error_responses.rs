//! Error responses that the handlers list in their OpenAPI attributes.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

macro_rules! error_responses {
    ($($name:ident $status:literal $description:literal;)+) => {
        $(
            pub(crate) enum $name {}

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    BTreeMap::from([(stringify!($status).to_owned(), build_error_response($description))])
                }
            }
        )+
    };
}

error_responses! {
    InvalidField 400 "A field is missing or invalid";
    InvalidKillRequest 400 "Invalid field value; no session was killed";
    InvalidSubjectTokenRequest 400 "X-Subject-Token is missing, or a parameter is repeated";
    InvalidThresholdRequest 400 "Invalid field value; no threshold was changed";
    MissingSubjectToken 400 "X-Subject-Token is missing";
    NoResult 400 "No result is available; the message states the reason";
    UnknownCollection 400 "The node does not have this collection";
    UnknownIntelligentKill 400 "The intelligent kill is no longer stored";
    WrongPassword 401 "The user name or password is wrong, or the user is locked";
    CrossSiteRequest 403 "The request comes from another site";
    InvalidLink 403 "The link is invalid or expired";
    NoInstancePermission 403 "The caller has no permission on the instance";
    NotFromBrowser 403 "The request is signed with an access key or comes from another site";
    NotFromWebPage 403 "The request is signed with an access key or does not come from Clew's web page";
    PlanDenied 403 "No policy allows the action, or the project masks the literals that execution plans contain";
    ProjectSwitchDenied 403 "The user cannot access the project, the session was not created on the web page, \
        or the request does not come from the web page";
    ScopeDenied 403 "The user has no access to the scope";
    TemporaryKeyDenied 403 "The request was signed with a temporary access key";
    UnknownInstance 404 "The instance does not exist";
    UnknownInstanceInRequest 404 "An instance does not belong to the project; no threshold was changed";
    UnknownKillTask 404 "The instance does not have this task";
    UnknownReference 404 "An object that the body references does not exist";
    UnknownSession 404 "The node or session does not exist";
    UnknownSubjectToken 404 "The token is unknown, expired or revoked, or belongs to another user";
    AttachmentOverPolicyLimit 409 "The attachment would exceed the policy limit of a user or group";
    CollectionNotFinished 409 "The collection has not finished";
    CollectionQueueFull 409 "The collection queue of the node is full";
    IntelligentKillQueueFull 409 "The intelligent kill queue of the node is full";
    KillTaskNotAllowed 409 "The kill task switch is off, or the maximum number of tasks is running";
    LastAdministrator 409 "The user is the last enabled administrator";
    MembershipOverPolicyLimit 409 "The membership would exceed the policy limit of the user";
    NameTaken 409 "The name is already in use";
    NodeIsReplica 409 "The node is a read replica";
    PolicyNotDeletable 409 "The policy is attached, or it is a system policy";
    PolicyNotReplaceable 409 "A system policy has this name, the policy model of an attached policy would change, \
        or a user or group would exceed the policy limit";
    TooManyKeys 409 "The user has the maximum number of keys";
    RangeNotSatisfiable 416 "The range starts after the end of the CSV";
    TooManyLongPolls 429 "The caller has the maximum number of long polls";
    TooManyStreams 429 "The caller has the maximum number of event streams";
    KillFailed 500 "At least one kill failed; the message states the reason and lists the killed sessions";
    NodeNotQueryable 500 "The node cannot be queried; the message states the reason";
    NodeNotReadable 500 "The node cannot be read; the message states the reason";
    NodeUnavailableForKill 500 "The node cannot be queried, and no session was killed; the message states the reason";
    SomeNodeNotReadable 500 "A node cannot be read; the message states the reason";
}

pub(crate) fn build_error_response(description: &str) -> RefOr<Response> {
    let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
    ResponseBuilder::new().description(description).content("application/json", body).build().into()
}
