//! Items that most request handlers import: extractors, responses, errors, field checks and derive macros.

pub(crate) use clew_iam::decision::Action;
pub(crate) use clew_model::ApiErrorDefinition;
pub(crate) use http::StatusCode;
pub(crate) use serde::{Deserialize, Serialize};
pub(crate) use utoipa::{IntoParams, ToSchema};

pub(crate) use crate::AppState;
pub(crate) use crate::api_request::{ApiRequest, ApiResult, Json};
pub(crate) use crate::caller::{Caller, InstancePath, NodePath, TargetNode};
pub(crate) use crate::error::ApiError;
pub(crate) use crate::error_responses::*;
pub(crate) use crate::field_errors::{
    check_array_length, check_text_length, invalid_field_error, missing_field_error, truncate_for_message,
    value_not_allowed_error, value_out_of_range_error,
};
pub(crate) use crate::query_string::{PageParameters, QueryString, paginate_list, parse_page_parameters};
pub(crate) use crate::request_body::parse_json_body;
pub(crate) use crate::statement_text::render_statement;
