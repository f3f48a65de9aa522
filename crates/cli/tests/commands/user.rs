//! `clew user …`

use clew_iam::password;
use clew_store::Store;

use crate::tenant::{Tenant, is_nowhere};

/// Whether this is the user's password now.
async fn signs_in(tenant: &Tenant, user: &str, password: &str) -> bool {
    let store = Store::open(&tenant.dir()).await.unwrap();
    let user = store.user_by_name("clew", user).await.unwrap().unwrap();
    password::verify(&password.into(), &user.password_hash)
}

#[tokio::test]
async fn a_made_password_is_shown_once_and_kept_nowhere() {
    let tenant = Tenant::new().await;
    let made = tenant.json(&["user", "create", "ada", "--description", "on call"]).await;
    let password = made["password"].as_str().unwrap();
    assert!(signs_in(&tenant, "ada", password).await);
    assert!(is_nowhere(&tenant.dir(), password));
    for arguments in [vec!["user", "list"], vec!["user", "show", "ada"], vec!["audit", "list", "--format", "json"]] {
        let said = tenant.says(&arguments).await;
        assert!(!said.contains(password) && !said.contains("argon2"), "{said}");
    }
    let next = tenant.json(&["user", "password", "ada"]).await;
    assert!(signs_in(&tenant, "ada", next["password"].as_str().unwrap()).await);
    assert!(!signs_in(&tenant, "ada", password).await);
}

#[tokio::test]
async fn a_told_password_follows_the_rules_and_is_not_said_again() {
    let tenant = Tenant::new().await;
    for (told, words) in [("short\n", "8 to 128"), ("", "8 to 128"), ("GraceHopper\n", "name of its user")] {
        let create = ["user", "create", "gracehopper", "--password-stdin"];
        tenant.told(&create, told).await.is_refused_with(&[words]);
    }
    let ended = tenant.told(&["user", "create", "gracehopper", "--password-stdin"], "café au lait\r\n").await;
    assert!(ended.code == Some(0) && !ended.stdout.contains("café"), "{ended:?}");
    assert!(signs_in(&tenant, "gracehopper", "café au lait").await, "without the end of the line");
    let again = tenant.told(&["user", "password", "gracehopper", "--password-stdin"], "another one").await;
    assert!(again.code == Some(0) && signs_in(&tenant, "gracehopper", "another one").await, "{again:?}");
}

#[tokio::test]
async fn a_user_is_found_by_name_or_id_and_changed() {
    let tenant = Tenant::new().await;
    let id = tenant.json(&["user", "create", "ada"]).await["id"].as_str().unwrap().to_owned();
    tenant.run(&["user", "create", "ada"]).await.is_refused_with(&["there is already a user \"ada\""]);
    assert_eq!(tenant.json(&["user", "disable", &id]).await["enabled"], false);
    assert_eq!(tenant.json(&["user", "enable", "ada"]).await["enabled"], true);
    let changed = tenant.json(&["user", "update", "ada", "--administrator", "--description", "boss"]).await;
    assert_eq!((&changed["administrator"], &changed["description"]), (&true.into(), &"boss".into()));
    let changed = tenant.json(&["user", "update", "ada", "--no-administrator"]).await;
    assert_eq!((&changed["administrator"], &changed["description"]), (&false.into(), &"boss".into()));
    tenant.run(&["user", "update", "ada"]).await.is_refused_with(&["--administrator|--no-administrator"]);
    tenant.run(&["user", "show", "adda"]).await.is_refused_with(&["there is no user \"adda\"", "did you mean ada?"]);
}

#[tokio::test]
async fn what_is_removed_is_asked_for_first() {
    let tenant = Tenant::new().await;
    tenant.says(&["user", "create", "ada"]).await;
    // There is no terminal here, so nobody can answer; what comes on stdin is no answer.
    tenant.told(&["user", "remove", "ada"], "y\n").await.is_refused_with(&["nothing was changed", "--yes"]);
    assert!(tenant.says(&["user", "list"]).await.contains("ada"));
    assert!(tenant.says(&["user", "remove", "ada", "--yes"]).await.contains("Removed the user ada"));
    tenant.run(&["user", "show", "ada"]).await.is_refused_with(&["there is no user"]);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let tenant = Tenant::new().await;
    for arguments in [
        vec!["user", "remove", "admin", "--yes"],
        vec!["user", "disable", "admin"],
        vec!["user", "update", "admin", "--no-administrator"],
    ] {
        tenant.run(&arguments).await.is_refused_with(&["admin is the last enabled administrator"]);
    }
    tenant.says(&["user", "create", "ada", "--administrator"]).await;
    tenant.says(&["user", "remove", "admin", "--yes"]).await;
}
