//! `clew key …`

use serde_json::Value;

use crate::tenant::{Tenant, is_nowhere};

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_sealed() {
    let tenant = Tenant::new().await;
    tenant.says(&["user", "create", "ada"]).await;
    let permanent = tenant.json(&["key", "create", "ada"]).await;
    let temporary = tenant.json(&["key", "create", "ada", "--temporary", "15m"]).await;
    assert_eq!((&permanent["security_token"], &permanent["expires_at"]), (&Value::Null, &Value::Null));
    assert!(temporary["expires_at"].as_str().is_some_and(|ends| ends.ends_with('Z')), "{temporary}");
    let secrets = [&permanent["secret_key"], &temporary["secret_key"], &temporary["security_token"]];
    for secret in secrets.map(|secret| secret.as_str().unwrap()) {
        assert!(secret.len() >= 40 && is_nowhere(&tenant.dir(), secret));
        for arguments in [vec!["key", "list"], vec!["user", "show", "ada"], vec!["audit", "export"]] {
            assert!(!tenant.says(&arguments).await.contains(secret), "{arguments:?}");
        }
    }
    let listed = tenant.json(&["key", "list", "ada"]).await;
    assert_eq!(listed["access_keys"].as_array().unwrap().len(), 1, "temporary keys end by themselves: {listed}");
    assert_eq!(listed["access_keys"][0]["last_used_at"], Value::Null);
}

#[tokio::test]
async fn a_user_has_two_keys_at_most_so_that_one_can_be_changed_for_the_other() {
    let tenant = Tenant::new().await;
    tenant.says(&["key", "create", "admin"]).await;
    tenant.run(&["key", "create", "admin"]).await.is_refused_with(&["2 access keys already", "remove one first"]);
    let first = tenant.made["access_key"].as_str().unwrap();
    let disabled = tenant.json(&["key", "disable", first]).await;
    assert_eq!((&disabled["enabled"], &disabled["user"]), (&false.into(), &"admin".into()));
    assert!(tenant.says(&["key", "list"]).await.contains("no"));
    tenant.says(&["key", "enable", first]).await;
    tenant.run(&["key", "remove", first]).await.is_refused_with(&["--yes"]);
    tenant.says(&["key", "remove", first, "--yes"]).await;
    tenant.says(&["key", "create", "admin"]).await;
    tenant.run(&["key", "enable", first]).await.is_refused_with(&["there is no access key", "clew key list"]);
}

#[tokio::test]
async fn keys_of_another_domain_are_not_there() {
    let tenant = Tenant::new().await;
    tenant.says(&["domain", "create", "acme", "--admin", "alice"]).await;
    let own = tenant.made["access_key"].as_str().unwrap();
    for action in ["enable", "disable"] {
        tenant.run(&["key", action, own, "--domain", "acme"]).await.is_refused_with(&["there is no access key"]);
    }
    tenant.run(&["key", "remove", own, "--yes", "--domain", "acme"]).await.is_refused_with(&["there is no access key"]);
    assert!(tenant.says(&["key", "list", "--domain", "acme"]).await.contains("No access keys"));
}

#[tokio::test]
async fn the_life_of_a_temporary_key_has_limits() {
    let tenant = Tenant::new().await;
    for life in ["14m", "25h", "-15m", "soon", "900"] {
        let ended = tenant.run(&["key", "create", "admin", &format!("--temporary={life}")]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{life}: {ended:?}");
    }
    tenant.says(&["key", "create", "admin", "--temporary", "24h"]).await;
}
