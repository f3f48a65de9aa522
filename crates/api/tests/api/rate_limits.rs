//! Rate limits.
//!
//! The tests act as a trusted proxy to send requests from several client addresses. Limits are small and refill
//! slowly, and requests are repeated until they are rejected, so that the speed of the machine does not matter.

use clew_api::RateLimitSettings;
use clew_http::TrustedProxies;
use clew_iam::access_key;
use clew_model::AccessKeyId;
use http::Method;
use jiff::SignedDuration;
use serde_json::json;

use crate::answer::Answer;
use crate::call::Call;
use crate::server::{NO_RATES, Server};

/// More requests than any limit of these tests permits.
const MAX_REQUESTS: usize = 2000;
const FORWARDED: &str = "x-forwarded-for";
/// A peer, a neighbour in the same IPv6 /64, and an address in another subnet.
const PEER: &str = "2001:db8:0:1::1";
const NEIGHBOUR: &str = "2001:db8:0:1:ffff::2";
const ELSEWHERE: &str = "2001:db8:0:2::1";

async fn start_server(rates: RateLimitSettings) -> Server {
    Server::start_limited(rates, |settings, _| {
        settings.connections.trusted_proxies = TrustedProxies::parse(&["127.0.0.1".into()]).unwrap();
    })
    .await
}

const PEERS: RateLimitSettings = RateLimitSettings { peer_per_second: 1, peer_burst: 5, ..NO_RATES };

/// A request with the administrator's token.
fn valid_request(server: &Server, peer: &str) -> Call {
    server.call(Method::GET, "/v3/projects").header(FORWARDED, peer)
}

fn invalid_request(server: &Server, peer: &str) -> Call {
    valid_request(server, peer).token("guessed")
}

fn sign_in(server: &Server, peer: &str) -> Call {
    let domain = json!({ "name": "acme" });
    let user = json!({ "name": "nobody", "password": "guessed", "domain": domain });
    let body = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": user } } } });
    server.call(Method::POST, "/v3/auth/tokens").anonymous().header(FORWARDED, peer).body(body.to_string())
}

/// Sends requests until one is rate limited. Returns the number of previous requests and the error response.
async fn repeat_until_limited(ask: impl Fn() -> Call) -> (usize, Answer) {
    for before in 0..MAX_REQUESTS {
        let answer = ask().send().await;
        if answer.status == 429 {
            return (before, answer);
        }
    }
    panic!("never refused");
}

/// Sends requests until one is not rate limited.
async fn repeat_until_granted(ask: impl Fn() -> Call) -> Answer {
    for _ in 0..MAX_REQUESTS {
        let answer = ask().send().await;
        if answer.status != 429 {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("never granted");
}

#[tokio::test]
async fn principal_over_the_rate_limit_gets_429_with_retry_after() {
    let server = start_server(RateLimitSettings { principal_per_second: 1, principal_burst: 5, ..NO_RATES }).await;
    let other_user = server.user("grace").await;
    let other = server.token_of(&other_user, Some(&server.tenant.project_id), 60).await;
    let (before, answer) = repeat_until_limited(|| valid_request(&server, PEER)).await;
    assert!(before >= 5, "{before}");
    let message = answer.expect_error(429, "APIGW.0308");
    assert_eq!(message, "The throttling threshold has been reached. Fix: wait 1 s before you retry.");
    assert_eq!(answer.header("retry-after"), "1");
    let (_, chinese) = repeat_until_limited(|| valid_request(&server, PEER).chinese()).await;
    assert_eq!(chinese.expect_error(429, "APIGW.0308"), "已达到流量控制阈值。处理方法：请在1秒后重试。");
    // The limit applies to the principal, regardless of address and kind of credentials.
    repeat_until_limited(|| valid_request(&server, ELSEWHERE)).await;
    repeat_until_limited(|| server.sign(valid_request(&server, PEER))).await;
    assert_ne!(valid_request(&server, PEER).token(&other).send().await.status, 429);
    repeat_until_granted(|| valid_request(&server, PEER)).await.expect_status(200);
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("clew_http_rate_limited_total{limit=\"principal\"}"), "{metrics}");
}

#[tokio::test]
async fn failed_authentications_rate_limit_the_subnet() {
    let server = start_server(PEERS).await;
    let signed_wrong = || {
        let (key, secret) = (AccessKeyId::generate(), access_key::generate_secret_key().unwrap());
        valid_request(&server, PEER).signed(&key, &secret, SignedDuration::ZERO)
    };
    let anonymous_call = || valid_request(&server, PEER).anonymous();
    let guesses: [&dyn Fn() -> Call; 4] =
        [&|| invalid_request(&server, PEER), &signed_wrong, &anonymous_call, &|| sign_in(&server, PEER)];
    for guess in guesses {
        let (before, answer) = repeat_until_limited(guess).await;
        assert!(before <= MAX_REQUESTS / 2, "{before}");
        answer.expect_error(429, "APIGW.0308");
        // Single requests may succeed: the limit refills every second.
        for peer in [PEER, NEIGHBOUR] {
            let mut refused = false;
            for _ in 0..MAX_REQUESTS {
                guess().send().await;
                if valid_request(&server, peer).send().await.status == 429 {
                    refused = true;
                    break;
                }
            }
            assert!(refused, "{peer} goes on though it fails again and again");
        }
        valid_request(&server, ELSEWHERE).send().await.expect_status(200);
        repeat_until_granted(|| valid_request(&server, PEER)).await.expect_status(200);
    }
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("clew_http_rate_limited_total{limit=\"failures\"}"), "{metrics}");
}

#[tokio::test]
async fn successful_requests_of_a_subnet_are_not_rate_limited() {
    let server = start_server(PEERS).await;
    for _ in 0..100 {
        valid_request(&server, PEER).send().await.expect_status(200);
        server.sign(valid_request(&server, NEIGHBOUR)).send().await.expect_status(200);
    }
}

#[tokio::test]
async fn sign_ins_have_their_own_rate_limit() {
    let server = start_server(PEERS).await;
    // A malformed sign-in counts against the sign-in limit, but not as a failed authentication.
    let unclear = || sign_in(&server, PEER).body("{");
    let (before, answer) = repeat_until_limited(unclear).await;
    assert!(before >= 5, "{before}");
    answer.expect_error(429, "APIGW.0308");
    valid_request(&server, PEER).send().await.expect_status(200);
    assert_eq!(sign_in(&server, ELSEWHERE).send().await.status, 401);
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("clew_http_rate_limited_total{limit=\"sign_ins\"}"), "{metrics}");
}

#[tokio::test]
async fn forwarded_address_of_an_untrusted_peer_is_ignored() {
    let server = Server::start_limited(PEERS, |_, _| {}).await;
    let count = std::cell::Cell::new(0);
    repeat_until_limited(|| {
        count.set(count.get() + 1);
        invalid_request(&server, &format!("203.0.113.{}", count.get() % 256))
    })
    .await;
}

#[tokio::test]
async fn public_endpoints_are_not_rate_limited() {
    let server = start_server(PEERS).await;
    repeat_until_limited(|| invalid_request(&server, PEER)).await;
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        for _ in 0..20 {
            assert_eq!(invalid_request(&server, PEER).send().await.status.as_u16() / 100, 4);
            assert_eq!(server.call(Method::GET, path).header(FORWARDED, PEER).send().await.status, 200, "{path}");
        }
    }
}
