//! Records audit events for requests, including refused requests.
//!
//! The server records a request's audit event before it sends the response.
//! If recording the audit event fails, the client receives an internal error, unless the response is already a server error.
//! When an identity, a policy, an instance or a node changes, the store writes the audit event in the same transaction.

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::SharedState;
use crate::audited_operations::{AuditedOperation, AuditedOperations};
use crate::error::ApiError;
use crate::field_errors::truncate_for_message;
use axum::RequestExt;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use clew_http::{ClientSubnet, DetachOnDropFuture, has_prefer_header};
use clew_model::{Actor, AuditEvent, AuditOrigin, AuditOutcome, DomainId};
use clew_store::User;
use http::StatusCode;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tracing::error;

#[derive(Debug, Clone)]
pub(crate) struct AuditContext(Arc<Mutex<AuditEventFields>>);

#[derive(Debug)]
struct AuditEventFields {
    origin: AuditOrigin,
    domain_id: Option<DomainId>,
    operation: Option<&'static str>,
    target: Option<String>,
    detail: Map<String, Value>,
}

impl AuditContext {
    pub(crate) fn new(peer: Option<IpAddr>, request_id: &str) -> Self {
        let actor = Actor::Anonymous { claimed: String::new() };
        let origin = AuditOrigin { actor, peer, request_id: request_id.to_owned() };
        Self(Arc::new(Mutex::new(AuditEventFields {
            origin,
            domain_id: None,
            operation: None,
            target: None,
            detail: Map::new(),
        })))
    }

    pub(crate) fn set_claimed_identity(&self, claimed: &str) {
        self.lock_audit_fields_mutex().origin.actor = Actor::Anonymous { claimed: truncate_for_message(claimed) };
    }

    pub(crate) fn set_domain_id(&self, domain: &DomainId) {
        self.lock_audit_fields_mutex().domain_id = Some(domain.clone());
    }

    pub(crate) fn set_actor(&self, user: &User) {
        self.set_domain_id(&user.domain_id);
        self.lock_audit_fields_mutex().origin.actor =
            Actor::User { id: user.id.clone(), name: user.name.clone(), domain_id: user.domain_id.clone() };
    }

    pub(crate) fn set_audited_operation(&self, operation: &'static str) {
        self.lock_audit_fields_mutex().operation = Some(operation);
    }

    /// The default target is the last id in the request path.
    pub(crate) fn set_target(&self, target: impl Into<String>) {
        self.lock_audit_fields_mutex().target = Some(target.into());
    }

    /// `value` must not contain secrets.
    /// For an SQL statement, pass the SQL template instead of the full text.
    pub(crate) fn add_detail(&self, name: &str, value: impl Into<Value>) {
        self.lock_audit_fields_mutex().detail.insert(name.to_owned(), value.into());
    }

    pub(crate) fn request_id(&self) -> String {
        self.lock_audit_fields_mutex().origin.request_id.clone()
    }

    fn lock_audit_fields_mutex(&self) -> MutexGuard<'_, AuditEventFields> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct ClientDisconnectToken(pub(crate) CancellationToken);

pub(crate) async fn run_and_audit_request<F>(
    service: SharedState,
    operations: &AuditedOperations,
    audit_context: AuditContext,
    mut request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    request.extensions_mut().insert(audit_context.clone());
    let Some(operation) = operations.find_operation_by_request(&request) else { return answer(request).await };
    let ids: Vec<(String, String)> = match request.extract_parts::<RawPathParams>().await {
        Ok(ids) => ids.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        Err(_) => Vec::new(),
    };
    let _cancel_on_drop = has_prefer_header(request.headers()).then(|| {
        let client_gone = CancellationToken::new();
        request.extensions_mut().insert(ClientDisconnectToken(client_gone.clone()));
        client_gone.drop_guard()
    });
    // The future is boxed so that it is not copied into the enclosing futures.
    let answer = Box::pin(answer(request));
    let work = async move {
        let response = answer.await;
        let Some(event) = build_audit_event(&operation, &audit_context, &ids, &response) else { return response };
        // Clients can repeat refused requests indefinitely, so repeated refusals are counted in a single audit event.
        let recorded = if response.status().is_client_error() {
            let client = event.origin.peer.map(|peer| ClientSubnet::from(peer).address());
            let reason = response.extensions().get::<ApiError>().map_or("", ApiError::message_id);
            service.repeated_refusals.record_refusal(&service.store, event, client, reason).await
        } else {
            service.store.audit().append_audit_event(&event).await
        };
        match recorded {
            Ok(()) => response,
            // The error response of the failed request takes precedence, because it may contain `Retry-After`.
            Err(error) if response.status().is_server_error() => {
                error!(%error, "could not record the audit event of a failed request");
                response
            }
            Err(error) => ApiError::internal_error(&error).into_response(),
        }
    };
    // The event is recorded even if the client disconnects before receiving the response.
    DetachOnDropFuture::new(work).await
}

fn build_audit_event(
    operation: &AuditedOperation,
    audit_context: &AuditContext,
    ids: &[(String, String)],
    response: &Response,
) -> Option<AuditEvent> {
    let status = response.status();
    let outcome = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => AuditOutcome::Denied,
        // Rate-limited requests are counted only in the metrics because one row per request would fill the disk.
        StatusCode::TOO_MANY_REQUESTS => return None,
        _ if !operation.audits_all_requests => return None,
        status if status.is_client_error() || status.is_server_error() => AuditOutcome::Failed,
        _ => AuditOutcome::Succeeded,
    };
    let fields = audit_context.lock_audit_fields_mutex();
    let is_anonymous = matches!(fields.origin.actor, Actor::Anonymous { .. });
    if is_anonymous && outcome == AuditOutcome::Failed {
        return None;
    }
    let id = |name: &str| ids.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let last = || ids.last().map_or_else(String::new, |(_, value)| truncate_for_message(value));
    Some(AuditEvent {
        domain_id: fields.domain_id.clone(),
        project_id: id("project_id").and_then(|id| id.parse().ok()),
        instance_id: id("instance_id").and_then(|id| id.parse().ok()),
        node_id: id("node_id").and_then(|id| id.parse().ok()),
        outcome,
        code: response.extensions().get::<ApiError>().map(|refusal| refusal.definition.code.to_owned()),
        detail: if fields.detail.is_empty() { Value::Null } else { Value::Object(fields.detail.clone()) },
        ..AuditEvent::for_successful_operation(
            &fields.origin,
            fields.operation.unwrap_or(&operation.name),
            fields.target.clone().unwrap_or_else(last),
        )
    })
}
