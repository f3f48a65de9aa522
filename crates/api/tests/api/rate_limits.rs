//! How often somebody may ask. The client of a request is told by a trusted proxy, which is the test itself, so that it has many
//! addresses. Allowances are small and come back slowly, and what is repeated is repeated until it is refused: how fast the machine
//! is does not matter.

use clew_api::{Rates, TrustedProxies};
use clew_iam::access_key;
use clew_model::AccessKeyId;
use http::Method;
use jiff::SignedDuration;
use serde_json::json;

use crate::answer::Answer;
use crate::call::Call;
use crate::server::{NO_RATES, Server};

/// More than enough to use up any allowance here.
const MANY: usize = 2000;
const FORWARDED: &str = "x-forwarded-for";
/// A peer, its neighbour in the same /64 of IPv6, and somebody else.
const PEER: &str = "2001:db8:0:1::1";
const NEIGHBOUR: &str = "2001:db8:0:1:ffff::2";
const ELSEWHERE: &str = "2001:db8:0:2::1";

async fn server(rates: Rates) -> Server {
    Server::start_limited(rates, |settings, _| {
        settings.trusted_proxies = TrustedProxies::parse(&["127.0.0.1".into()]).unwrap();
    })
    .await
}

const PEERS: Rates = Rates { peer_per_second: 1, peer_burst: 5, ..NO_RATES };

/// A request with the token of the administrator.
fn right(server: &Server, peer: &str) -> Call {
    server.call(Method::GET, "/v3/projects").header(FORWARDED, peer)
}

fn wrong(server: &Server, peer: &str) -> Call {
    right(server, peer).token("guessed")
}

fn sign_in(server: &Server, peer: &str) -> Call {
    let domain = json!({ "name": "acme" });
    let user = json!({ "name": "nobody", "password": "guessed", "domain": domain });
    let body = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": user } } } });
    server.call(Method::POST, "/v3/auth/tokens").anonymous().header(FORWARDED, peer).body(body.to_string())
}

/// Asks until it is told that this is too often. Returns how many answers came before that, and what it was told.
async fn until_refused(ask: impl Fn() -> Call) -> (usize, Answer) {
    for before in 0..MANY {
        let answer = ask().send().await;
        if answer.status == 429 {
            return (before, answer);
        }
    }
    panic!("never refused");
}

/// Asks until it is answered by something else than "too often".
async fn until_granted(ask: impl Fn() -> Call) -> Answer {
    for _ in 0..MANY {
        let answer = ask().send().await;
        if answer.status != 429 {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("never granted");
}

#[tokio::test]
async fn a_principal_that_asks_too_often_is_told_when_to_come_back() {
    let server = server(Rates { principal_per_second: 1, principal_burst: 5, ..NO_RATES }).await;
    let other_user = server.user("grace").await;
    let other = server.token_of(&other_user, Some(&server.tenant.project_id), 60).await;
    let (before, answer) = until_refused(|| right(&server, PEER)).await;
    assert!(before >= 5, "{before}");
    let message = answer.refused(429, "APIGW.0308");
    assert_eq!(message, "The throttling threshold has been reached. Try again in 1 seconds.");
    assert_eq!(answer.header("retry-after"), "1");
    let (_, chinese) = until_refused(|| right(&server, PEER).chinese()).await;
    assert_eq!(chinese.refused(429, "APIGW.0308"), "已达到流量控制阈值。请在1秒后重试。");
    // Elsewhere it is the same principal; with a key instead of a token, too.
    until_refused(|| right(&server, ELSEWHERE)).await;
    until_refused(|| server.sign(right(&server, PEER))).await;
    assert_ne!(right(&server, PEER).token(&other).send().await.status, 429);
    until_granted(|| right(&server, PEER)).await.ok(200);
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("clew_http_over_limit_total{limit=\"principal\"}"), "{metrics}");
}

#[tokio::test]
async fn who_guesses_is_shut_out_with_all_of_its_network() {
    let server = server(PEERS).await;
    let signed_wrong = || {
        let (key, secret) = (AccessKeyId::generate(), access_key::generate_secret().unwrap());
        right(&server, PEER).signed(&key, &secret, SignedDuration::ZERO)
    };
    let nobody = || right(&server, PEER).anonymous();
    let guesses: [&dyn Fn() -> Call; 4] =
        [&|| wrong(&server, PEER), &signed_wrong, &nobody, &|| sign_in(&server, PEER)];
    for guess in guesses {
        let (before, answer) = until_refused(guess).await;
        assert!(before <= MANY / 2, "{before}");
        answer.refused(429, "APIGW.0308");
        // Both may be granted now and then: an allowance comes back each second.
        for peer in [PEER, NEIGHBOUR] {
            let mut refused = false;
            for _ in 0..MANY {
                guess().send().await;
                if right(&server, peer).send().await.status == 429 {
                    refused = true;
                    break;
                }
            }
            assert!(refused, "{peer} goes on though it fails again and again");
        }
        right(&server, ELSEWHERE).send().await.ok(200);
        until_granted(|| right(&server, PEER)).await.ok(200);
    }
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("clew_http_over_limit_total{limit=\"failures\"}"), "{metrics}");
}

#[tokio::test]
async fn a_busy_network_is_not_taken_for_a_guesser() {
    let server = server(PEERS).await;
    for _ in 0..100 {
        right(&server, PEER).send().await.ok(200);
        server.sign(right(&server, NEIGHBOUR)).send().await.ok(200);
    }
}

#[tokio::test]
async fn signing_in_has_an_allowance_of_its_own() {
    let server = server(PEERS).await;
    // A sign-in that is not even understood costs one, but it is no failed one.
    let unclear = || sign_in(&server, PEER).body("{");
    let (before, answer) = until_refused(unclear).await;
    assert!(before >= 5, "{before}");
    answer.refused(429, "APIGW.0308");
    right(&server, PEER).send().await.ok(200);
    assert_eq!(sign_in(&server, ELSEWHERE).send().await.status, 401);
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("clew_http_over_limit_total{limit=\"sign_ins\"}"), "{metrics}");
}

#[tokio::test]
async fn a_guesser_cannot_name_itself_anew() {
    let server = Server::start_limited(PEERS, |_, _| {}).await;
    let count = std::cell::Cell::new(0);
    until_refused(|| {
        count.set(count.get() + 1);
        wrong(&server, &format!("203.0.113.{}", count.get() % 256))
    })
    .await;
}

#[tokio::test]
async fn what_needs_no_credentials_is_never_refused() {
    let server = server(PEERS).await;
    until_refused(|| wrong(&server, PEER)).await;
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        for _ in 0..20 {
            assert_eq!(wrong(&server, PEER).send().await.status.as_u16() / 100, 4);
            assert_eq!(server.call(Method::GET, path).header(FORWARDED, PEER).send().await.status, 200, "{path}");
        }
    }
}
