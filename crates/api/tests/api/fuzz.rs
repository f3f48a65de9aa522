//! Arbitrary bytes as secrets, names, bodies and ranges: no server errors and no access.

use clew_iam::signature::AuthorizationHeader;
use http::Method;
use http::header::AUTHORIZATION;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::call::{Call, TOKEN};
use crate::server::{DOMAIN, REGION, Server};

const CASES: usize = 200;

/// Values of a strategy, equal in every run.
fn samples<S: Strategy>(strategy: &S) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..CASES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Bytes of a header value: everything except control characters.
fn header_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..200)
}

/// Sends a call with a binary header value.
async fn send_with(call: Call, name: &str, value: &[u8]) -> StatusCode {
    call.into_request().header(name, value).send().await.unwrap().status()
}

#[tokio::test]
async fn arbitrary_tokens_and_signatures_are_rejected() {
    let server = Server::start().await;
    let ask = || server.call(Method::GET, "/v3/projects").anonymous();
    for bytes in samples(&header_bytes()) {
        assert_eq!(send_with(ask(), TOKEN, &bytes).await, 401, "{bytes:?}");
        let signature = [b"SDK-HMAC-SHA256 ".as_slice(), &bytes].concat();
        for value in [bytes, signature] {
            assert_eq!(send_with(ask(), AUTHORIZATION.as_str(), &value).await, 401, "{value:?}");
        }
    }
}

#[tokio::test]
async fn signature_with_a_changed_byte_is_rejected() {
    let server = Server::start().await;
    let edits = (any::<proptest::sample::Index>(), prop_oneof![Just(None), (0x20_u8..0x7f).prop_map(Some)]);
    for (at, byte) in samples(&edits) {
        let call = server.sign(server.call(Method::GET, "/v3/projects"));
        let right = call.headers.iter().find(|(name, _)| name == AUTHORIZATION.as_str()).unwrap().1.clone();
        let mut changed = right.clone().into_bytes();
        let at = at.index(changed.len());
        match byte {
            Some(byte) => changed[at] = byte,
            None => drop(changed.remove(at)),
        }
        let changed = String::from_utf8(changed).unwrap();
        let same = AuthorizationHeader::parse(&changed).ok() == AuthorizationHeader::parse(&right).ok();
        let status = call.header(AUTHORIZATION.as_str(), &changed).send().await.status;
        assert_eq!(status == 200, same, "{changed}");
        server.clear_auth_failures(&format!("key:{}", server.access_key)).await;
    }
}

/// Arbitrary JSON, biased towards the field names of a sign-in.
fn json_value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("password".to_owned()),
        Just("token".to_owned()),
        Just(DOMAIN.to_owned()),
        Just(REGION.to_owned()),
        any::<String>()
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.prop_map(Value::from)
    ];
    let key = prop_oneof!["auth|identity|methods|password|user|name|domain|scope|project|id|token", any::<String>()];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key.clone(), inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect()))
        ]
    })
}

#[tokio::test]
async fn arbitrary_bodies_create_no_tokens_or_keys() {
    let server = Server::start().await;
    let bodies = samples(&vec(any::<u8>(), 0..300)).into_iter();
    let documents = samples(&json_value()).into_iter().map(|value| value.to_string().into_bytes());
    let inside = samples(&json_value()).into_iter().map(|value| {
        json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": value } } } })
            .to_string()
            .into_bytes()
    });
    for body in bodies.chain(documents).chain(inside) {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = server.call(Method::POST, "/v3/auth/tokens").anonymous().body(body.clone()).send().await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{shown}: {}", answer.text());
        let answer = server.call(Method::POST, "/v3.0/OS-CREDENTIAL/securitytokens").body(body).send().await;
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
    }
}

#[tokio::test]
async fn arbitrary_request_ids_and_ranges_cause_no_server_errors() {
    let server = Server::start().await;
    let finished = server.add_finished(b"a,b\r\n1,2\r\n").await;
    let id = prop_oneof![any::<String>(), "realtime_session-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9a-f]{4}"];
    for id in samples(&id) {
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("request_id", &id).finish();
        let task = server.get(&server.sessions(&format!("-task?{query}"))).await;
        let unknown = task.status == 200 && task.json() == json!({ "status": "unrecognized" });
        assert!(unknown || task.status == 400, "{id}: {}", task.text());
        let result = server.get(&server.sessions(&format!("-result?{query}"))).await;
        assert_eq!(result.status, 400, "{id}: {}", result.text());
    }
    let range = prop_oneof![header_bytes(), "bytes=[0-9,-]{0,30}".prop_map(String::into_bytes)];
    for range in samples(&range) {
        let call = server.call(Method::GET, &server.result_of(&finished));
        let status = send_with(call, "range", &range).await.as_u16();
        assert!([200, 206, 416].contains(&status), "{range:?}: {status}");
    }
}
