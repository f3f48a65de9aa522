//! What the audit keeps of requests: sign-ins, refusals, collections, downloads.
//!
//! Refusals that one caller repeats are counted (`audit/repeated.rs`).
//!
//! It is written before the answer goes out, and what cannot be written down is not answered. Changes of identities, policies and
//! the inventory are written down by the store, in one transaction with the change.

mod repeated;

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Service;
use crate::carried_on::CarriedOn;
use crate::operations::{Kept, Operation};
use crate::prefer;
use crate::query::shown;
use crate::refusal::Refusal;
use axum::RequestExt;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use clew_model::{Actor, AuditEvent, DomainId, Origin, Outcome};
use clew_store::User;
use http::StatusCode;
pub(crate) use repeated::RepeatedRefusals;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

/// What becomes known of a request on its way. Clones write to the same; handlers find it in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Trail(Arc<Mutex<Facts>>);

#[derive(Debug)]
struct Facts {
    origin: Origin,
    domain_id: Option<DomainId>,
    /// Where the route alone does not name it.
    operation: Option<&'static str>,
    target: Option<String>,
    detail: Map<String, Value>,
}

impl Trail {
    /// Of a request from here, of nobody yet.
    pub(crate) fn new(peer: Option<IpAddr>, request_id: &str) -> Self {
        let actor = Actor::Nobody { claimed: String::new() };
        let origin = Origin { actor, peer, request_id: request_id.to_owned() };
        Self(Arc::new(Mutex::new(Facts { origin, domain_id: None, operation: None, target: None, detail: Map::new() })))
    }

    /// Who they say they are, before it is known to be true.
    pub(crate) fn claims(&self, claimed: &str) {
        self.facts().origin.actor = Actor::Nobody { claimed: shown(claimed) };
    }

    /// Whose auditors shall see it, whether the claim is true or not.
    pub(crate) fn is_about(&self, domain: &DomainId) {
        self.facts().domain_id = Some(domain.clone());
    }

    /// Who they are.
    pub(crate) fn is(&self, user: &User) {
        self.is_about(&user.domain_id);
        self.facts().origin.actor =
            Actor::User { id: user.id.clone(), name: user.name.clone(), domain_id: user.domain_id.clone() };
    }

    /// Sets the operation of a request that does something else than its route is named after, such as a preview.
    pub(crate) fn operation(&self, operation: &'static str) {
        self.facts().operation = Some(operation);
    }

    /// What it is done to, in a word that a reader knows again. By itself it is the last id of the path.
    pub(crate) fn target(&self, target: impl Into<String>) {
        self.facts().target = Some(target.into());
    }

    /// What else is to be known. Never a secret; of a statement its template only.
    pub(crate) fn detail(&self, name: &str, value: impl Into<Value>) {
        self.facts().detail.insert(name.to_owned(), value.into());
    }

    /// Name of the request.
    pub(crate) fn request_id(&self) -> String {
        self.facts().origin.request_id.clone()
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Told when nobody is there any more to read the answer. In the extensions of each request that would rather wait and is worked on
/// apart from its connection.
#[derive(Debug, Clone)]
pub(crate) struct HungUp(pub(crate) CancellationToken);

/// Answers a request, and writes down what the audit must keep of it.
pub(crate) async fn keep<F>(
    service: Service,
    trail: Trail,
    mut request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    request.extensions_mut().insert(trail.clone());
    let Some(operation) = Operation::of(&request) else { return answer(request).await };
    let ids: Vec<(String, String)> = match request.extract_parts::<RawPathParams>().await {
        Ok(ids) => ids.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        Err(_) => Vec::new(),
    };
    let _told_when_dropped = prefer::may_wait(request.headers()).then(|| {
        let hung_up = CancellationToken::new();
        request.extensions_mut().insert(HungUp(hung_up.clone()));
        hung_up.drop_guard()
    });
    // Apart, so that it is not copied into what is around it.
    let answer = Box::pin(answer(request));
    let work = async move {
        let response = answer.await;
        let Some(event) = event(operation, &trail, &ids, &response) else { return response };
        // A request that changed nothing may be repeated without end.
        let recorded = if response.status().is_client_error() {
            let reason = response.extensions().get::<Refusal>().map_or("", Refusal::reason);
            service.refusals().record(&service.store, event, reason).await
        } else {
            service.store.record(&event).await
        };
        match recorded {
            Ok(()) => response,
            Err(error) => Refusal::internal(&error).into_response(),
        }
    };
    // A client that hangs up early must not keep what it did out of the audit.
    CarriedOn::new(work).await
}

/// What is to be kept, if anything.
fn event(operation: &Operation, trail: &Trail, ids: &[(String, String)], response: &Response) -> Option<AuditEvent> {
    let status = response.status();
    let outcome = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Denied,
        // Who asks too often is counted: rows for each of them would help to fill the disk.
        StatusCode::TOO_MANY_REQUESTS => return None,
        _ if operation.kept == Kept::Refused => return None,
        status if status.is_client_error() || status.is_server_error() => Outcome::Failed,
        _ => Outcome::Done,
    };
    let facts = trail.facts();
    let nobody = matches!(facts.origin.actor, Actor::Nobody { .. });
    if nobody && outcome == Outcome::Failed {
        return None;
    }
    let id = |name: &str| ids.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let last = || ids.last().map_or_else(String::new, |(_, value)| shown(value));
    Some(AuditEvent {
        domain_id: facts.domain_id.clone(),
        project_id: id("project_id").and_then(|id| id.parse().ok()),
        instance_id: id("instance_id").and_then(|id| id.parse().ok()),
        node_id: id("node_id").and_then(|id| id.parse().ok()),
        outcome,
        code: response.extensions().get::<Refusal>().map(|refusal| refusal.entry.code.to_owned()),
        detail: if facts.detail.is_empty() { Value::Null } else { Value::Object(facts.detail.clone()) },
        ..AuditEvent::done(
            &facts.origin,
            facts.operation.unwrap_or(operation.name),
            facts.target.clone().unwrap_or_else(last),
        )
    })
}
