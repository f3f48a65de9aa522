//! Rate limits per principal and, before authentication, per client address.
//!
//! Each client address has two quotas of equal size: one for sign-ins and one for failed authentications.
//! If a client address exceeds its sign-in quota, Clew refuses sign-ins from the address but accepts other requests.
//! When the quota for failed authentications is exhausted, sign-ins and requests with credentials are refused.
//! To prevent credential guessing, Clew refuses requests over a quota of the client address without checking their credentials.
//! Authenticated requests do not count toward the quotas of the client address, because thousands of users can share an address.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clew_http::{ClientAddr, ClientSubnet, KeyedRateLimiter};
use clew_iam::decision::EvaluationBudget;
use clew_model::UserId;
use http::{Extensions, StatusCode};
use tracing::debug;

use crate::error::ApiError;
use crate::metrics::{ExceededLimit, Metrics};

/// Rates and burst sizes for the rate limits. A rate or burst size of 0 disables the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitSettings {
    /// Sustained rate per principal, in requests per second.
    pub principal_per_second: u32,
    /// Burst size of requests per principal.
    pub principal_burst: u32,
    /// Maximum sustained sign-ins per second for each client address. Failed authentications have a separate, equal limit.
    pub peer_per_second: u32,
    /// Burst size of sign-ins per client address. A separate rate limit of the same size applies to failed authentications.
    pub peer_burst: u32,
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self { principal_per_second: 100, principal_burst: 200, peer_per_second: 10, peer_burst: 30 }
    }
}

const EVALUATED_POLICY_BYTES_PER_QUOTA_PERMIT: usize = 32 << 10;
/// Parsing a policy can be expensive because the parser suggests a correction for each unknown name.
const PARSED_POLICY_BYTES_PER_QUOTA_PERMIT: usize = 4 << 10;
const POLICY_WORK_UNITS_PER_QUOTA_PERMIT: u64 = 1 << 20;

/// Rate limiters for principals and client addresses. Clones share the same quotas.
#[derive(Debug, Clone)]
pub struct RateLimiters(Arc<SharedRateLimiters>);

#[derive(Debug)]
struct SharedRateLimiters {
    principals: KeyedRateLimiter<UserId>,
    sign_ins: KeyedRateLimiter<ClientSubnet>,
    failures: KeyedRateLimiter<ClientSubnet>,
    metrics: Metrics,
}

impl RateLimiters {
    /// Creates rate limiters with full quotas. `metrics` counts the refused requests.
    #[must_use]
    pub fn new(rates: RateLimitSettings, metrics: Metrics) -> Self {
        let per_peer = || KeyedRateLimiter::new(rates.peer_per_second, rates.peer_burst);
        Self(Arc::new(SharedRateLimiters {
            principals: KeyedRateLimiter::new(rates.principal_per_second, rates.principal_burst),
            sign_ins: per_peer(),
            failures: per_peer(),
            metrics,
        }))
    }

    pub(crate) fn check_auth_failure_limit(&self, peer: IpAddr) -> Result<(), ApiError> {
        self.0
            .failures
            .check_permit_available(&peer.into())
            .map_err(self.reject_rate_limited_request(ExceededLimit::AUTH_FAILURES))
    }

    pub(crate) fn consume_sign_in_quota(&self, peer: IpAddr) -> Result<(), ApiError> {
        self.check_auth_failure_limit(peer)?;
        self.0.sign_ins.consume_permit(&peer.into()).map_err(self.reject_rate_limited_request(ExceededLimit::SIGN_INS))
    }

    pub(crate) fn record_auth_failure(&self, peer: IpAddr) {
        if self.0.failures.consume_permit(&peer.into()).is_err() {
            debug!(net.peer = %peer, "peer exceeded the limit for failed authentications");
        }
    }

    pub(crate) fn check_principal_rate_limit(&self, user: &UserId) -> Result<(), ApiError> {
        self.0
            .principals
            .check_permit_available(user)
            .map_err(self.reject_rate_limited_request(ExceededLimit::PRINCIPAL_REQUESTS))
    }

    /// A request that evaluates large policies counts as several requests toward the rate limit.
    /// A request that exceeds the rate limit does not count toward the limit, so a later retry can succeed.
    pub(crate) fn consume_policy_evaluation_quota(&self, user: &UserId, bytes: usize) -> Result<(), ApiError> {
        self.consume_request_quota(user, 1 + bytes / EVALUATED_POLICY_BYTES_PER_QUOTA_PERMIT)
    }

    pub(crate) fn consume_policy_parsing_quota(&self, user: &UserId, bytes: usize) -> Result<(), ApiError> {
        match bytes / PARSED_POLICY_BYTES_PER_QUOTA_PERMIT {
            0 => Ok(()),
            count => self.consume_request_quota(user, count),
        }
    }

    /// All concurrent requests of a user share the user's rate limit.
    pub(crate) fn create_policy_evaluation_budget(&self, user: &UserId) -> Arc<EvaluationBudget> {
        if self.0.principals.is_disabled() {
            return Arc::default();
        }
        let (limits, user) = (self.clone(), user.clone());
        let charge =
            move |steps| limits.consume_request_quota(&user, usize::try_from(steps).unwrap_or(usize::MAX)).is_ok();
        Arc::new(EvaluationBudget::with_rate_limit(POLICY_WORK_UNITS_PER_QUOTA_PERMIT, charge))
    }

    fn consume_request_quota(&self, user: &UserId, count: usize) -> Result<(), ApiError> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.0
            .principals
            .consume_permits(user, count)
            .map_err(self.reject_rate_limited_request(ExceededLimit::PRINCIPAL_REQUESTS))
    }

    fn reject_rate_limited_request(&self, limit: ExceededLimit) -> impl FnOnce(std::time::Duration) -> ApiError {
        move |wait| {
            self.0.metrics.record_exceeded_limit(limit);
            ApiError::rate_limit_exceeded_error(wait)
        }
    }
}

pub(crate) async fn limit_sign_in_rate(limits: &RateLimiters, request: Request, next: Next) -> Response {
    let peer = client_ip(request.extensions());
    if let Some(peer) = peer
        && let Err(refusal) = limits.consume_sign_in_quota(peer)
    {
        return refusal.into_response();
    }
    let response = next.run(request).await;
    if let Some(peer) = peer
        && response.status() == StatusCode::UNAUTHORIZED
    {
        limits.record_auth_failure(peer);
    }
    response
}

/// Returns `None` in tests that call the router without a connection.
pub(crate) fn client_ip(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ClientAddr>().map(|connection| connection.ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    /// Limits whose quotas are not replenished during a test.
    fn limits(principal: u32, peer: u32) -> RateLimiters {
        const PERIOD: std::time::Duration = std::time::Duration::from_hours(1);
        RateLimiters(Arc::new(SharedRateLimiters {
            principals: KeyedRateLimiter::with_period(PERIOD, principal),
            sign_ins: KeyedRateLimiter::with_period(PERIOD, peer),
            failures: KeyedRateLimiter::with_period(PERIOD, peer),
            metrics: Metrics::default(),
        }))
    }

    #[test]
    fn sign_in_limit_affects_only_sign_ins() {
        let limits = limits(1, 2);
        assert!(limits.consume_sign_in_quota(PEER).is_ok() && limits.consume_sign_in_quota(PEER).is_ok());
        assert!(limits.consume_sign_in_quota(PEER).is_err());
        assert!(limits.check_auth_failure_limit(PEER).is_ok());
        assert!(limits.consume_sign_in_quota(OTHER).is_ok());
    }

    #[test]
    fn peer_with_too_many_failures_is_refused() {
        let limits = limits(1, 2);
        limits.record_auth_failure(PEER);
        assert!(limits.check_auth_failure_limit(PEER).is_ok());
        limits.record_auth_failure(PEER);
        assert!(limits.check_auth_failure_limit(PEER).is_err() && limits.consume_sign_in_quota(PEER).is_err());
        assert!(limits.check_auth_failure_limit(OTHER).is_ok() && limits.consume_sign_in_quota(OTHER).is_ok());
    }

    #[test]
    fn principals_have_separate_quotas() {
        let limits = limits(1, 1);
        let (one, other) = (UserId::generate(), UserId::generate());
        assert!(
            limits.consume_policy_evaluation_quota(&one, 0).is_ok()
                && limits.consume_policy_evaluation_quota(&one, 0).is_err()
        );
        assert!(limits.check_principal_rate_limit(&one).is_err() && limits.check_principal_rate_limit(&other).is_ok());
        assert!(limits.consume_policy_evaluation_quota(&other, 0).is_ok());
    }

    #[test]
    fn large_policies_and_documents_count_as_more_requests() {
        let limits = limits(10, 1);
        let user = UserId::generate();
        assert!(
            limits.consume_policy_evaluation_quota(&user, 32 << 10).is_ok()
                && limits.consume_policy_evaluation_quota(&user, (32 << 10) - 1).is_ok()
        );
        assert!(
            limits.consume_policy_evaluation_quota(&user, 256 << 10).is_err(),
            "nine requests exceed the remaining quota of seven"
        );
        assert!(
            limits.consume_policy_evaluation_quota(&user, 192 << 10).is_ok(),
            "the refused request consumed no quota, so seven remain"
        );
        assert!(limits.consume_policy_evaluation_quota(&user, 0).is_err());
        let other = UserId::generate();
        assert!(
            limits.consume_policy_evaluation_quota(&other, 5 << 20).is_ok()
                && limits.consume_policy_evaluation_quota(&other, 0).is_err(),
            "at most the burst"
        );
        let third = UserId::generate();
        assert!(
            limits.consume_policy_parsing_quota(&third, 4095).is_ok()
                && limits.consume_policy_parsing_quota(&third, 36 << 10).is_ok()
        );
        assert!(
            limits.consume_policy_parsing_quota(&third, 8 << 10).is_err()
                && limits.consume_policy_parsing_quota(&third, 4 << 10).is_ok()
        );
    }

    /// Spends the units of `requests` requests, a quarter of a request at a time.
    fn spend(budget: &EvaluationBudget, requests: u64) -> bool {
        (0..requests * 4).all(|_| budget.consume_work_units(POLICY_WORK_UNITS_PER_QUOTA_PERMIT / 4))
    }

    #[test]
    fn concurrent_requests_share_the_evaluation_budget() {
        let limits = limits(10, 1);
        let user = UserId::generate();
        let (one, other) =
            (limits.create_policy_evaluation_budget(&user), limits.create_policy_evaluation_budget(&user));
        assert!(spend(&one, 6) && spend(&other, 4));
        assert!(!spend(&one, 1) && one.has_exceeded_rate_limit() && !spend(&other, 1));
        assert!(limits.check_principal_rate_limit(&user).is_err());
        assert!(spend(&limits.create_policy_evaluation_budget(&UserId::generate()), 10), "another principal");
    }

    #[test]
    fn zero_disables_the_limits() {
        let rates =
            RateLimitSettings { principal_per_second: 0, principal_burst: 1, peer_per_second: 1, peer_burst: 0 };
        let limits = RateLimiters::new(rates, Metrics::default());
        let user = UserId::generate();
        for _ in 0..1000 {
            limits.record_auth_failure(PEER);
            assert!(
                limits.consume_sign_in_quota(PEER).is_ok()
                    && limits.consume_policy_evaluation_quota(&user, usize::MAX).is_ok()
            );
            assert!(spend(&limits.create_policy_evaluation_budget(&user), 60));
        }
    }
}
