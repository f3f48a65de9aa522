//! Identity API that the Huawei Cloud SDKs require (TaurusDB API spec, sections 3.1, 3.2 and 8.3).

pub(crate) mod auth_attempts;
pub(crate) mod projects;
pub(crate) mod sign_in;
pub(crate) mod subject_tokens;
pub(crate) mod temporary_keys;
mod token_response;
pub(crate) mod tokens;

use axum::response::Response;
use clew_model::ApiErrorDefinition;

use crate::error::ApiError;

pub(crate) async fn map_to_iam_error_codes(mut response: Response) -> Response {
    if let Some(refusal) = response.extensions_mut().get_mut::<ApiError>() {
        refusal.definition = match refusal.definition {
            ApiErrorDefinition::INTERNAL => ApiErrorDefinition::IAM_INTERNAL,
            ApiErrorDefinition::INVALID_PARAMETER => ApiErrorDefinition::IAM_INVALID_PARAMETER,
            definition => definition,
        };
    }
    response
}
