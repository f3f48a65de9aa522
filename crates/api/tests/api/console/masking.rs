//! In a project that masks statements, no route of the page shows literals to masked users.

use clew_testkit::{Flavor, LockWaitScenario};
use http::Method;
use rstest::rstest;
use serde_json::json;

use super::events::Events;
use super::stream::{node, path, session, watching};

/// Literal that a masked user must not see.
const SECRET: &str = "4111-1111-1111";
/// Running statement with the literal.
const STATEMENT: &str = "SELECT SLEEP(1000), '4111-1111-1111'";
/// SQL template of the statement.
const TEMPLATE: &str = "SELECT SLEEP(?), ?";

#[rstest]
#[tokio::test]
async fn masked_users_see_no_literals(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = node(flavor).await;
    let server = watching(&node.url()).await;
    server.mask(&server.tenant.project_id, true).await;
    let all_but_text = json!([
        { "Effect": "Allow", "Action": ["gaussdbformysql:*:*"] },
        { "Effect": "Deny", "Action": ["gaussdbformysql:instance:getRealtimeSessionText"] }
    ]);
    let masked = server.project_token(&server.user_with("masked", all_but_text).await).await;
    let unmasked = server.project_token(&server.tenant.user_id).await;

    let scenario =
        LockWaitScenario::scenarios_for_flavor(flavor).into_iter().find(|scenario| scenario.name == "a row").unwrap();
    let built = scenario.set_up(&node).await.unwrap();
    let (blocker, waiter) = (built.thread_ids()["a"], built.thread_ids()["b"]);
    let mut busy = session(&node).await;
    busy.send_statement(STATEMENT.as_bytes()).await.unwrap();

    // Reads the stream until it shows the statement or its template.
    let stream = async |token: &str, shown: &str| {
        let mut events = Events::open(server.call(Method::GET, &path(&server, "stream")).token(token)).await;
        let mut seen = String::new();
        while !(seen.contains(shown) && seen.contains("LOCK WAIT")) {
            seen.push_str(&events.next().await.unwrap().text);
            assert!(seen.len() < 1 << 20, "no event with {shown}");
        }
        seen
    };
    let full = stream(&unmasked, SECRET).await;
    assert!(full.contains("\"masked\":false") && full.contains(TEMPLATE), "{full}");
    let masked_response = stream(&masked, TEMPLATE).await;
    assert!(
        masked_response.contains("\"masked\":true")
            && !masked_response.contains(SECRET)
            && !masked_response.contains("id = 1"),
        "{masked_response}"
    );

    // All other routes that show statements.
    let get = async |token: &str, rest: &str| server.call(Method::GET, &path(&server, rest)).token(token).send().await;
    for (rest, literal) in [
        (format!("sessions/{}", busy.id), SECRET),
        (format!("sessions/{waiter}"), "id = 1"),
        (format!("sessions/{blocker}"), ""),
        ("locks".to_owned(), "id = 1"),
    ] {
        let (full, masked_response) = (get(&unmasked, &rest).await, get(&masked, &rest).await);
        assert!(full.status == 200 && full.text().contains(literal), "{rest}: {}", full.text());
        assert_eq!(masked_response.status, 200, "{}", masked_response.text());
        for literal in [SECRET, "id = 1", "v = 2", "\"data\":\"1\""] {
            assert!(!masked_response.text().contains(literal), "{flavor} {rest}: {}", masked_response.text());
        }
    }
    let kill = json!({
        "sessions": [{ "id": busy.id, "user": "root", "host": get(&unmasked, &format!("sessions/{}", busy.id)).await.json()["host"] }],
        "what": "query", "preview": true
    });
    let preview = async |token: &str| {
        server.call(Method::POST, &path(&server, "kill")).token(token).body(kill.to_string()).send().await
    };
    let (full, masked_response) = (preview(&unmasked).await, preview(&masked).await);
    assert!(full.text().contains(SECRET), "{}", full.text());
    assert!(
        masked_response.text().contains(TEMPLATE) && !masked_response.text().contains(SECRET),
        "{}",
        masked_response.text()
    );

    let explain = path(&server, &format!("sessions/{waiter}/explain"));
    let message = server.call(Method::POST, &explain).token(&masked).send().await.expect_error(403, "DBS.280015");
    assert!(message.contains("Cannot show the execution plan: it contains literals"), "{message}");
    let plan = server.call(Method::POST, &explain).token(&unmasked).send().await.expect_status(200);
    assert!(plan["plan"].is_string() || plan["refused"].is_string(), "{plan}");
    built.tear_down(&node).await.unwrap();
}
