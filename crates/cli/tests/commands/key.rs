//! `clew key …`

use serde_json::Value;

use crate::tenant::{Tenant, is_absent_from};

#[tokio::test]
async fn secret_key_is_shown_once_and_stored_encrypted() {
    let tenant = Tenant::new().await;
    tenant.run_ok(&["user", "create", "ada"]).await;
    let permanent = tenant.json(&["key", "create", "ada"]).await;
    let temporary = tenant.json(&["key", "create", "ada", "--temporary", "15m"]).await;
    assert_eq!((&permanent["security_token"], &permanent["expires_at"]), (&Value::Null, &Value::Null));
    assert!(temporary["expires_at"].as_str().is_some_and(|ends| ends.ends_with('Z')), "{temporary}");
    let secrets = [&permanent["secret_key"], &temporary["secret_key"], &temporary["security_token"]];
    for secret in secrets.map(|secret| secret.as_str().unwrap()) {
        assert!(secret.len() >= 40 && is_absent_from(&tenant.dir(), secret));
        for arguments in [vec!["key", "list"], vec!["user", "show", "ada"], vec!["audit", "export"]] {
            assert!(!tenant.run_ok(&arguments).await.contains(secret), "{arguments:?}");
        }
    }
    let listed = tenant.json(&["key", "list", "ada"]).await;
    assert_eq!(listed["access_keys"].as_array().unwrap().len(), 1, "temporary keys are not listed: {listed}");
    assert_eq!(listed["access_keys"][0]["last_used_at"], Value::Null);
}

#[tokio::test]
async fn user_has_at_most_two_access_keys() {
    let tenant = Tenant::new().await;
    tenant.run_ok(&["key", "create", "admin"]).await;
    tenant.run(&["key", "create", "admin"]).await.assert_refused(&["2 access keys already", "remove one first"]);
    let first = tenant.made["access_key"].as_str().unwrap();
    let disabled = tenant.json(&["key", "disable", first]).await;
    assert_eq!((&disabled["enabled"], &disabled["user"]), (&false.into(), &"admin".into()));
    assert!(tenant.run_ok(&["key", "list"]).await.contains("no"));
    tenant.run_ok(&["key", "enable", first]).await;
    tenant.run(&["key", "remove", first]).await.assert_refused(&["--yes"]);
    tenant.run_ok(&["key", "remove", first, "--yes"]).await;
    tenant.run_ok(&["key", "create", "admin"]).await;
    tenant.run(&["key", "enable", first]).await.assert_refused(&["there is no access key", "clew key list"]);
}

#[tokio::test]
async fn keys_of_other_domains_are_hidden() {
    let tenant = Tenant::new().await;
    tenant.run_ok(&["domain", "create", "acme", "--admin", "alice"]).await;
    let own = tenant.made["access_key"].as_str().unwrap();
    for action in ["enable", "disable"] {
        tenant.run(&["key", action, own, "--domain", "acme"]).await.assert_refused(&["there is no access key"]);
    }
    tenant.run(&["key", "remove", own, "--yes", "--domain", "acme"]).await.assert_refused(&["there is no access key"]);
    assert!(tenant.run_ok(&["key", "list", "--domain", "acme"]).await.contains("No access keys"));
}

#[tokio::test]
async fn lifetime_of_a_temporary_key_is_limited() {
    let tenant = Tenant::new().await;
    for life in ["14m", "25h", "-15m", "soon", "900"] {
        let output = tenant.run(&["key", "create", "admin", &format!("--temporary={life}")]).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{life}: {output:?}");
    }
    tenant.run_ok(&["key", "create", "admin", "--temporary", "24h"]).await;
}
