//! How often somebody may ask: each principal, and each peer address before it is known who asks.
//!
//! A peer has two allowances of the same size. Every sign-in takes from the first, and only sign-ins are refused when it is used up.
//! Every failed authentication, of whatever kind, takes from the second; when that one is used up, everything that would need to be
//! authenticated is refused before anything is looked at. So thousands may work behind one address, each with a token or a key of
//! their own, and none of them suffers from how busy the others are; but an address from which secrets are guessed is refused
//! as a whole, because looking at a guess is what the guesser wants.

mod allowance;
pub(crate) mod keyed_slots;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clew_iam::decision::WorkBudget;
use clew_model::UserId;
use http::{Extensions, StatusCode};
use tracing::debug;

use crate::Service;
use crate::connection::{Connection, Neighbourhood};
use crate::ops::metrics::{Limit, Metrics};
use crate::refusal::Refusal;
use allowance::Allowance;

/// How much is allowed. 0 a second, or a burst of 0, is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Requests of one principal a second, in the long run.
    pub principal_per_second: u32,
    /// Requests of one principal at once, after a rest.
    pub principal_burst: u32,
    /// Sign-ins, and failed authentications, of one peer a second, in the long run.
    pub peer_per_second: u32,
    /// Sign-ins, and failed authentications, of one peer at once, after a rest.
    pub peer_burst: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { principal_per_second: 100, principal_burst: 200, peer_per_second: 10, peer_burst: 30 }
    }
}

/// Bytes of policies whose evaluation counts as one more request.
const BYTES_PER_REQUEST: usize = 32 << 10;
/// Bytes of a policy document whose parsing counts as one more request: each unknown word in it is compared with all known ones.
const DOCUMENT_BYTES_PER_REQUEST: usize = 4 << 10;
/// Units of evaluation work that count as one more request: see [`clew_iam::decision::WorkBudget`].
const UNITS_PER_REQUEST: u64 = 1 << 20;

/// What each principal and each peer has left. Clones count together.
#[derive(Debug, Clone)]
pub struct RateLimits(Arc<Allowances>);

#[derive(Debug)]
struct Allowances {
    principals: Option<Allowance<UserId>>,
    sign_ins: Option<Allowance<Neighbourhood>>,
    failures: Option<Allowance<Neighbourhood>>,
    metrics: Metrics,
}

impl RateLimits {
    /// Nobody has asked for anything yet. What is refused is counted in `metrics`.
    #[must_use]
    pub fn new(rates: Rates, metrics: Metrics) -> Self {
        let peers = || Allowance::new(rates.peer_per_second, rates.peer_burst);
        Self(Arc::new(Allowances {
            principals: Allowance::new(rates.principal_per_second, rates.principal_burst),
            sign_ins: peers(),
            failures: peers(),
            metrics,
        }))
    }

    /// Whether the peer may try to authenticate. Costs nothing.
    pub(crate) fn before_authentication(&self, peer: IpAddr) -> Result<(), Refusal> {
        let failures = self.0.failures.as_ref();
        failures
            .map_or(Ok(()), |failures| failures.left(&peer.into()))
            .map_err(|wait| self.refuse(Limit::Failures, wait))
    }

    /// Whether the peer may try to sign in, which costs one.
    pub(crate) fn before_sign_in(&self, peer: IpAddr) -> Result<(), Refusal> {
        self.before_authentication(peer)?;
        let sign_ins = self.0.sign_ins.as_ref();
        sign_ins
            .map_or(Ok(()), |sign_ins| sign_ins.take(&peer.into()))
            .map_err(|wait| self.refuse(Limit::SignIns, wait))
    }

    /// An authentication of the peer failed, which costs one. It got its answer: the next one is refused.
    pub(crate) fn authentication_failed(&self, peer: IpAddr) {
        if let Some(failures) = &self.0.failures
            && failures.take(&peer.into()).is_err()
        {
            debug!(net.peer = %peer, "a peer fails to authenticate again and again");
        }
    }

    /// Whether the principal may make any request at the moment. Costs nothing.
    pub(crate) fn before_request(&self, user: &UserId) -> Result<(), Refusal> {
        let principals = self.0.principals.as_ref();
        principals
            .map_or(Ok(()), |principals| principals.left(user))
            .map_err(|wait| self.refuse(Limit::Principal, wait))
    }

    /// Whether the principal may make a request that evaluates policies of so many bytes. Large policies count as more requests. A
    /// refused request counts as none, so that a client which retries is served in the end.
    pub(crate) fn request(&self, user: &UserId, bytes: usize) -> Result<(), Refusal> {
        self.take(user, 1 + bytes / BYTES_PER_REQUEST)
    }

    /// Whether the principal may have a document of so many bytes parsed: [`DOCUMENT_BYTES_PER_REQUEST`].
    pub(crate) fn document(&self, user: &UserId, bytes: usize) -> Result<(), Refusal> {
        match bytes / DOCUMENT_BYTES_PER_REQUEST {
            0 => Ok(()),
            count => self.take(user, count),
        }
    }

    /// The budget for evaluating policies of one request. Each [`UNITS_PER_REQUEST`] count as one more request as soon as they are spent:
    /// requests at the same time share what is left.
    pub(crate) fn work_budget(&self, user: &UserId) -> Arc<WorkBudget> {
        if self.0.principals.is_none() {
            return Arc::default();
        }
        let (limits, user) = (self.clone(), user.clone());
        let pay = move |steps| limits.take(&user, usize::try_from(steps).unwrap_or(usize::MAX)).is_ok();
        Arc::new(WorkBudget::paid_by(UNITS_PER_REQUEST, pay))
    }

    fn take(&self, user: &UserId, count: usize) -> Result<(), Refusal> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let principals = self.0.principals.as_ref();
        principals
            .map_or(Ok(()), |principals| principals.take_all(user, count))
            .map_err(|wait| self.refuse(Limit::Principal, wait))
    }

    fn refuse(&self, limit: Limit, wait: std::time::Duration) -> Refusal {
        self.0.metrics.over_limit(limit);
        Refusal::too_often(wait)
    }
}

/// What is around a sign-in.
pub(crate) async fn sign_in(service: &Service, request: Request, next: Next) -> Response {
    let peer = peer(request.extensions());
    if let Some(peer) = peer
        && let Err(refusal) = service.limits.before_sign_in(peer)
    {
        return refusal.into_response();
    }
    let response = next.run(request).await;
    if let Some(peer) = peer
        && response.status() == StatusCode::UNAUTHORIZED
    {
        service.limits.authentication_failed(peer);
    }
    response
}

/// The client of a request. None where a test calls the router itself.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Connection>().map(|connection| connection.peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    /// Limits whose allowances do not come back while a test runs.
    fn limits(principal: u32, peer: u32) -> RateLimits {
        const NEVER: std::time::Duration = std::time::Duration::from_hours(1);
        RateLimits(Arc::new(Allowances {
            principals: Allowance::every(NEVER, principal),
            sign_ins: Allowance::every(NEVER, peer),
            failures: Allowance::every(NEVER, peer),
            metrics: Metrics::default(),
        }))
    }

    #[test]
    fn who_signs_in_too_often_may_still_do_all_else() {
        let limits = limits(1, 2);
        assert!(limits.before_sign_in(PEER).is_ok() && limits.before_sign_in(PEER).is_ok());
        assert!(limits.before_sign_in(PEER).is_err());
        assert!(limits.before_authentication(PEER).is_ok());
        assert!(limits.before_sign_in(OTHER).is_ok());
    }

    #[test]
    fn who_fails_too_often_may_do_nothing() {
        let limits = limits(1, 2);
        limits.authentication_failed(PEER);
        assert!(limits.before_authentication(PEER).is_ok());
        limits.authentication_failed(PEER);
        assert!(limits.before_authentication(PEER).is_err() && limits.before_sign_in(PEER).is_err());
        assert!(limits.before_authentication(OTHER).is_ok() && limits.before_sign_in(OTHER).is_ok());
    }

    #[test]
    fn principals_do_not_count_together() {
        let limits = limits(1, 1);
        let (one, other) = (UserId::generate(), UserId::generate());
        assert!(limits.request(&one, 0).is_ok() && limits.request(&one, 0).is_err());
        assert!(limits.before_request(&one).is_err() && limits.before_request(&other).is_ok());
        assert!(limits.request(&other, 0).is_ok());
    }

    #[test]
    fn large_policies_and_documents_count_as_more_requests() {
        let limits = limits(10, 1);
        let user = UserId::generate();
        assert!(limits.request(&user, 32 << 10).is_ok() && limits.request(&user, (32 << 10) - 1).is_ok());
        assert!(limits.request(&user, 256 << 10).is_err(), "nine where seven are left");
        assert!(limits.request(&user, 192 << 10).is_ok(), "seven: the refused request took none");
        assert!(limits.request(&user, 0).is_err());
        let other = UserId::generate();
        assert!(limits.request(&other, 5 << 20).is_ok() && limits.request(&other, 0).is_err(), "at most the burst");
        let third = UserId::generate();
        assert!(limits.document(&third, 4095).is_ok() && limits.document(&third, 36 << 10).is_ok());
        assert!(limits.document(&third, 8 << 10).is_err() && limits.document(&third, 4 << 10).is_ok());
    }

    /// Spends so many requests' units in pieces.
    fn spend(budget: &WorkBudget, requests: u64) -> bool {
        (0..requests * 4).all(|_| budget.spend(UNITS_PER_REQUEST / 4))
    }

    #[test]
    fn requests_at_the_same_time_share_what_is_left_for_evaluation() {
        let limits = limits(10, 1);
        let user = UserId::generate();
        let (one, other) = (limits.work_budget(&user), limits.work_budget(&user));
        assert!(spend(&one, 6) && spend(&other, 4));
        assert!(!spend(&one, 1) && one.is_overdrawn() && !spend(&other, 1));
        assert!(limits.before_request(&user).is_err());
        assert!(spend(&limits.work_budget(&UserId::generate()), 10), "another principal");
    }

    #[test]
    fn nought_is_no_limit() {
        let rates = Rates { principal_per_second: 0, principal_burst: 1, peer_per_second: 1, peer_burst: 0 };
        let limits = RateLimits::new(rates, Metrics::default());
        let user = UserId::generate();
        for _ in 0..1000 {
            limits.authentication_failed(PEER);
            assert!(limits.before_sign_in(PEER).is_ok() && limits.request(&user, usize::MAX).is_ok());
            assert!(spend(&limits.work_budget(&user), 60));
        }
    }
}
