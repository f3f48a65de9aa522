//! `clew domain …`

use crate::tenant::Tenant;

#[tokio::test]
async fn a_domain_is_made_with_a_project_and_an_administrator_and_kept_apart() {
    let tenant = Tenant::new().await;
    let made = tenant.json(&["domain", "create", "acme", "--admin", "alice"]).await;
    assert_eq!(made["project_name"], "local", "named like the region");
    assert_eq!(made["password"].as_str().unwrap().len(), 24);
    let listed = tenant.json(&["domain", "list"]).await;
    let names: Vec<_> = listed["domains"].as_array().unwrap().iter().map(|domain| &domain["name"]).collect();
    assert_eq!(names, ["acme", "clew"]);

    let users = tenant.json(&["user", "list", "--domain", "acme"]).await;
    assert_eq!((&users["users"][0]["name"], &users["users"][0]["administrator"]), (&"alice".into(), &true.into()));
    assert_eq!(users["users"].as_array().unwrap().len(), 1);
    let by_id = tenant.json(&["user", "list", "--domain", made["domain_id"].as_str().unwrap()]).await;
    assert_eq!(by_id, users);
    tenant.run(&["user", "list"]).await.is_refused_with(&["name the domain with --domain: acme, clew"]);
    tenant.run(&["user", "show", "alice", "--domain", "clew"]).await.is_refused_with(&["there is no user \"alice\""]);
    tenant.run(&["user", "list", "--domain", "acne"]).await.is_refused_with(&["no domain", "did you mean acme?"]);

    tenant.run(&["instance", "list", "--project", "local"]).await.is_refused_with(&[
        "several projects are named local",
        "of acme",
        "of clew",
        "--domain",
    ]);
    assert!(tenant.says(&["instance", "list", "--domain", "acme"]).await.contains("No instances yet"));
    let url = "mysql://clew:hunter2@127.0.0.1:1/";
    tenant.says(&["instance", "add", "--name", "shop", "--node", url, "--domain", "acme"]).await;
    tenant.says(&["instance", "show", "shop", "--domain", "acme"]).await;
    tenant.run(&["instance", "show", "shop", "--domain", "clew"]).await.has_failed_with(&["no instance shop"]);
}

#[tokio::test]
async fn a_domain_that_is_there_is_not_made_again() {
    let tenant = Tenant::new().await;
    tenant
        .run(&["domain", "create", "clew", "--admin", "eve"])
        .await
        .is_refused_with(&["there is already a domain \"clew\""]);
    tenant.run(&["domain", "create", "a b", "--admin", "eve"]).await.is_refused_with(&["letters, digits"]);
    let told = tenant.told(&["domain", "create", "acme", "--admin", "alice", "--password-stdin"], "alice\n").await;
    told.is_refused_with(&["8 to 128 characters"]);
    assert!(!tenant.says(&["domain", "list"]).await.contains("acme"), "nothing was begun");
    let told =
        tenant.told(&["domain", "create", "acme", "--admin", "alice", "--password-stdin"], "long enough\n").await;
    assert!(told.code == Some(0) && !told.stdout.contains("password"), "{told:?}");
}
