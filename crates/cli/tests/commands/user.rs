//! `clew user …`

use clew_iam::password;
use clew_store::Store;

use crate::tenant::{Tenant, is_absent_from};

/// Returns true if the password is the current password of the user.
async fn signs_in(tenant: &Tenant, user: &str, password: &str) -> bool {
    let store = Store::open(&tenant.dir()).await.unwrap();
    let user = store.identities().find_user_by_name("clew", user).await.unwrap().unwrap();
    password::verify_password(&password.into(), &user.password_hash)
}

#[tokio::test]
async fn generated_password_is_shown_once_and_not_stored() {
    let tenant = Tenant::new().await;
    let made = tenant.json(&["user", "create", "ada", "--description", "on call"]).await;
    let password = made["password"].as_str().unwrap();
    assert!(signs_in(&tenant, "ada", password).await);
    assert!(is_absent_from(&tenant.dir(), password));
    for arguments in [vec!["user", "list"], vec!["user", "show", "ada"], vec!["audit", "list", "--format", "json"]] {
        let stdout = tenant.run_ok(&arguments).await;
        assert!(!stdout.contains(password) && !stdout.contains("argon2"), "{stdout}");
    }
    let next = tenant.json(&["user", "password", "ada"]).await;
    assert!(signs_in(&tenant, "ada", next["password"].as_str().unwrap()).await);
    assert!(!signs_in(&tenant, "ada", password).await);
}

#[tokio::test]
async fn password_from_stdin_is_validated_and_not_echoed() {
    let tenant = Tenant::new().await;
    for (password, words) in [("short\n", "8 to 128"), ("", "8 to 128"), ("GraceHopper\n", "differ from the user name")]
    {
        let create = ["user", "create", "gracehopper", "--password-stdin"];
        tenant.run_with_stdin(&create, password).await.assert_refused(&[words]);
    }
    let output =
        tenant.run_with_stdin(&["user", "create", "gracehopper", "--password-stdin"], "café au lait\r\n").await;
    assert!(output.code == Some(0) && !output.stdout.contains("café"), "{output:?}");
    assert!(signs_in(&tenant, "gracehopper", "café au lait").await, "the password does not include the line break");
    let again = tenant.run_with_stdin(&["user", "password", "gracehopper", "--password-stdin"], "another one").await;
    assert!(again.code == Some(0) && signs_in(&tenant, "gracehopper", "another one").await, "{again:?}");
}

#[tokio::test]
async fn user_is_resolved_by_name_or_id_and_updated() {
    let tenant = Tenant::new().await;
    let id = tenant.json(&["user", "create", "ada"]).await["id"].as_str().unwrap().to_owned();
    tenant.run(&["user", "create", "ada"]).await.assert_refused(&["there is already a user \"ada\""]);
    assert_eq!(tenant.json(&["user", "disable", &id]).await["enabled"], false);
    assert_eq!(tenant.json(&["user", "enable", "ada"]).await["enabled"], true);
    let changed = tenant.json(&["user", "update", "ada", "--administrator", "--description", "boss"]).await;
    assert_eq!((&changed["administrator"], &changed["description"]), (&true.into(), &"boss".into()));
    let changed = tenant.json(&["user", "update", "ada", "--no-administrator"]).await;
    assert_eq!((&changed["administrator"], &changed["description"]), (&false.into(), &"boss".into()));
    tenant.run(&["user", "update", "ada"]).await.assert_refused(&["--administrator|--no-administrator"]);
    tenant.run(&["user", "show", "adda"]).await.assert_refused(&["there is no user \"adda\"", "did you mean ada?"]);
}

#[tokio::test]
async fn removal_requires_confirmation() {
    let tenant = Tenant::new().await;
    tenant.run_ok(&["user", "create", "ada"]).await;
    // Without a terminal there is no prompt, and stdin does not count as confirmation.
    tenant.run_with_stdin(&["user", "remove", "ada"], "y\n").await.assert_refused(&["nothing was changed", "--yes"]);
    assert!(tenant.run_ok(&["user", "list"]).await.contains("ada"));
    assert!(tenant.run_ok(&["user", "remove", "ada", "--yes"]).await.contains("Removed the user ada"));
    tenant.run(&["user", "show", "ada"]).await.assert_refused(&["there is no user"]);
}

#[tokio::test]
async fn last_administrator_cannot_be_removed() {
    let tenant = Tenant::new().await;
    for arguments in [
        vec!["user", "remove", "admin", "--yes"],
        vec!["user", "disable", "admin"],
        vec!["user", "update", "admin", "--no-administrator"],
    ] {
        tenant.run(&arguments).await.assert_refused(&["admin is the last enabled administrator"]);
    }
    tenant.run_ok(&["user", "create", "ada", "--administrator"]).await;
    tenant.run_ok(&["user", "remove", "admin", "--yes"]).await;
}
