//! Looking at a document without keeping it.

use axum::body::Bytes;
use axum::extract::State;
use clew_iam::policy::{Finding, Model};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ModelWord, parse};
use crate::Service;
use crate::administration::reader;
use crate::body::{Body, missing, wrong};
use crate::caller::Caller;
use crate::json::Json;
use crate::refusal::{FindingView, Refusal};

/// A policy document: an object, or its text. Lines and columns are those of what is written there.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "schema of the body; the raw text is parsed for exact error positions")]
pub(crate) enum Document {
    Object(PolicyDocument),
    Text(String),
}

/// A policy in the grammar of its version (spec sections 4.3 and 4.5).
#[derive(ToSchema)]
#[serde(rename_all = "PascalCase")]
#[allow(dead_code, reason = "schema of a document that `clew_iam` parses")]
pub(crate) struct PolicyDocument {
    version: PolicyVersion,
    /// Each with Effect, Action or NotAction, and more: Resource or NotResource, Condition, Sid
    #[schema(min_items = 1)]
    statement: Vec<Map<String, Value>>,
}

/// 1.0 (roles), 1.1 (policies) or 5.0 (identity policies)
#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of a document that `clew_iam` parses")]
pub(crate) enum PolicyVersion {
    #[serde(rename = "1.0")]
    Role,
    #[serde(rename = "1.1")]
    Policy,
    #[serde(rename = "5.0")]
    Identity,
}

/// A document to be looked at.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct PolicyValidation {
    document: Document,
}

/// What a document is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Validation {
    /// Whether it could be kept
    valid: bool,
    /// role (versions 1.0 and 1.1) or identity (5.0); nothing if it is not valid
    #[schema(value_type = Option<ModelWord>)]
    model: Option<Model>,
    /// Everything that is wrong with it
    errors: Vec<FindingView>,
    /// What is right but worth a second look
    warnings: Vec<FindingView>,
}

/// Say whether a document is a policy, and everything that is wrong with it.
#[utoipa::path(post, path = "/clew/v1/policies/validate", tag = "administration",
    request_body(content = PolicyValidation, content_type = "application/json"),
    responses((status = 200, description = "What it is", body = Validation)))]
pub(crate) async fn validate(
    State(service): State<Service>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<Validation>, Refusal> {
    reader(&service, &caller)?;
    let text = document(&Body::parse(&body, &["document"])?)?;
    Ok(Json(match parse(&service, &caller, text).await? {
        Ok(policy) => Validation {
            valid: true,
            model: Some(policy.model()),
            errors: Vec::new(),
            warnings: findings(policy.warnings()),
        },
        Err(errors) => {
            Validation { valid: false, model: None, errors: findings(errors.findings()), warnings: Vec::new() }
        }
    }))
}

/// The text of the field `document`.
pub(super) fn document(body: &Body) -> Result<String, Refusal> {
    let raw = body.raw("document").ok_or_else(|| missing("document"))?;
    match raw.as_bytes().first() {
        Some(b'{') => Ok(raw.to_owned()),
        Some(b'"') => serde_json::from_str(raw).map_err(|_| wrong("document", raw)),
        _ => Err(wrong("document", raw)),
    }
}

pub(super) fn findings(findings: &[Finding]) -> Vec<FindingView> {
    findings.iter().map(FindingView::from).collect()
}
