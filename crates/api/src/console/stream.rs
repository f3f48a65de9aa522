//! Streams a node's live session list as server-sent events.
//!
//! `docs/decisions/0025-shared-sampling-for-event-streams.md` describes how subscribers share samples.

mod authorization;
mod feed;
mod subscriber;

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use clew_iam::decision::Action;
use futures_util::stream;
use http::HeaderName;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use utoipa::IntoParams;

use crate::api_request::ApiRequest;
use crate::caller::{NodePath, TargetNode};
use crate::error::ApiError;
use crate::error_responses::TooManyStreams;
use crate::query_string::QueryString;
use crate::state::ConcurrencySlotKind;
use authorization::StreamAuthorization;
use feed::FeedPosition;
use subscriber::Subscriber;

pub(crate) use feed::SessionEventFeed;

/// Query parameters of an event stream.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read parameter by parameter to name what is wrong")]
pub(crate) struct StreamParameters {
    /// Minimum interval between events, in seconds; the actual interval is longer if sampling the node is slow
    #[param(minimum = 1, maximum = 60, default = 1)]
    interval: Option<u32>,
    /// Id of the last received event, as an alternative to the Last-Event-ID header
    last_event_id: Option<String>,
}

/// Watch the sessions of a node.
///
/// A `snapshot` event contains all sessions; a `changes` event contains the changes since the previous event.
/// A `limitations` event lists data that Clew cannot read; a `read-error` event reports a failure to read the node.
/// An `end` event contains the reason why the stream ended.
#[utoipa::path(get, path = "/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/stream", tag = "console",
    operation_id = "WatchSessions",
    params(
        StreamParameters,
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last received event; the stream resumes with the changes since that event")
    ),
    responses(
        (status = 200, description = "Stream of events, which stays open", body = String, content_type = "text/event-stream"),
        TooManyStreams
    ))]
pub(crate) async fn stream_sessions(request: ApiRequest<NodePath>) -> Result<Response, ApiError> {
    let ApiRequest { service, caller, path, query, headers, .. } = request;
    let target = TargetNode::authorize_and_find_node(&caller, Action::LIST_PROCESSES, &path).await?;
    let query = QueryString::parse(query.as_deref())?;
    let seconds = query.get_number_in_range("interval", 1..=60, 1)?;
    let interval = Duration::from_secs(seconds.into());
    let slot = service.acquire_concurrency_slot(ConcurrencySlotKind::Stream, &caller.principal.user_id)?;
    let header = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let position = header.or_else(|| query.get("last_event_id")).and_then(FeedPosition::parse);
    let subscription = service.node_watch_registry.subscribe(
        &service.store,
        service.connector.clone(),
        &target.instance.id,
        &target.node,
        interval,
    );
    let authorization = StreamAuthorization::new(service.clone(), caller, path, &target);
    let subscriber = Subscriber::new(
        authorization,
        (subscription, slot),
        interval,
        position,
        service.node_watch_registry.shutdown_token(),
    );
    let body = Body::from_stream(stream::unfold(subscriber, Subscriber::next_chunk));
    let headers: [(HeaderName, &str); 3] = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // Disables response buffering in nginx.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, body).into_response())
}
