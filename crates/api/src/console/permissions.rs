//! The caller's permissions on an instance, with a reason for each denied action.

use std::collections::BTreeMap;

use clew_iam::decision::{Action, ActionResourceType as ActionTarget};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::InstancePath;
use crate::error::ApiError;
use crate::error_responses::NoInstancePermission;

/// The caller's permissions on an instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Permissions {
    /// Permissions by action name
    permissions: BTreeMap<&'static str, Permission>,
    /// True if the caller receives SQL templates instead of statements
    masked: bool,
}

/// Permission for one action.
#[derive(Serialize, ToSchema)]
struct Permission {
    allowed: bool,
    /// Reason why the action is denied, in the language requested by X-Language; null if the action is allowed
    #[schema(required)]
    reason: Option<String>,
}

/// Show the caller's permissions on an instance.
#[utoipa::path(get, path = "/clew/v1/{project_id}/instances/{instance_id}/permissions", tag = "console",
    operation_id = "ShowPermissions",
    responses(
        (status = 200, description = "Permission for each action on the instance and its project", body = Permissions),
        NoInstancePermission
    ))]
pub(crate) async fn show_permissions(request: ApiRequest<InstancePath>) -> ApiResult<Permissions> {
    let ApiRequest { caller, path, language, .. } = request;
    let mut permissions = BTreeMap::new();
    let (mut found_instance, mut first_refusal) = (None, None);
    for action in Action::ALL {
        let outcome = match action.target {
            ActionTarget::Domain => continue,
            ActionTarget::Instance => Box::pin(caller.require_instance_permission(*action, &path)).await,
            ActionTarget::Project => Box::pin(caller.authorize_and_find_instance(*action, &path)).await,
        };
        let permission = match outcome {
            Ok(found) => {
                found_instance = Some(found);
                Permission { allowed: true, reason: None }
            }
            Err(refusal) if refusal.status() == http::StatusCode::FORBIDDEN => {
                let reason = refusal.build_body(language, "").error_msg;
                first_refusal.get_or_insert(refusal);
                Permission { allowed: false, reason: Some(reason) }
            }
            Err(refusal) => return Err(refusal),
        };
        permissions.insert(action.name, permission);
    }
    // A caller without any permissions gets the same error as for a missing instance.
    match (found_instance, first_refusal) {
        (Some((project, instance)), _) => {
            let masked = caller.requires_statement_masking(&project, &instance);
            Ok(Json(Permissions { permissions, masked }))
        }
        (None, Some(refusal)) => Err(refusal),
        (None, None) => Err(ApiError::internal_error("there is no action on an instance")),
    }
}
