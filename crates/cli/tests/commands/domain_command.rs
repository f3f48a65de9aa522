//! `clew domain …`

use crate::tenant::Tenant;

#[tokio::test]
async fn domains_are_created_with_project_and_administrator_and_isolated() {
    let tenant = Tenant::new().await;
    let made = tenant.json(&["domain", "create", "acme", "--admin", "alice"]).await;
    assert_eq!(made["project_name"], "local", "the project has the name of the region");
    assert_eq!(made["password"].as_str().unwrap().len(), 24);
    let listed = tenant.json(&["domain", "list"]).await;
    let names: Vec<_> = listed["domains"].as_array().unwrap().iter().map(|domain| &domain["name"]).collect();
    assert_eq!(names, ["acme", "clew"]);

    let users = tenant.json(&["user", "list", "--domain", "acme"]).await;
    assert_eq!((&users["users"][0]["name"], &users["users"][0]["administrator"]), (&"alice".into(), &true.into()));
    assert_eq!(users["users"].as_array().unwrap().len(), 1);
    let by_id = tenant.json(&["user", "list", "--domain", made["domain_id"].as_str().unwrap()]).await;
    assert_eq!(by_id, users);
    tenant.run(&["user", "list"]).await.assert_refused(&["select a domain with --domain: acme, clew"]);
    tenant.run(&["user", "show", "alice", "--domain", "clew"]).await.assert_refused(&["there is no user \"alice\""]);
    tenant.run(&["user", "list", "--domain", "acne"]).await.assert_refused(&["no domain", "did you mean acme?"]);

    tenant.run(&["instance", "list", "--project", "local"]).await.assert_refused(&[
        "several projects are named local",
        "of acme",
        "of clew",
        "--domain",
    ]);
    assert!(tenant.run_ok(&["instance", "list", "--domain", "acme"]).await.contains("No instances yet"));
    let url = "mysql://clew:hunter2@127.0.0.1:1/";
    tenant.run_ok(&["instance", "add", "--name", "shop", "--node", url, "--domain", "acme"]).await;
    tenant.run_ok(&["instance", "show", "shop", "--domain", "acme"]).await;
    tenant.run(&["instance", "show", "shop", "--domain", "clew"]).await.assert_failed(&["no instance shop"]);
}

#[tokio::test]
async fn invalid_or_existing_domain_is_not_created() {
    let tenant = Tenant::new().await;
    tenant
        .run(&["domain", "create", "clew", "--admin", "eve"])
        .await
        .assert_refused(&["there is already a domain \"clew\""]);
    tenant.run(&["domain", "create", "a b", "--admin", "eve"]).await.assert_refused(&["letters, digits"]);
    let output =
        tenant.run_with_stdin(&["domain", "create", "acme", "--admin", "alice", "--password-stdin"], "alice\n").await;
    output.assert_refused(&["8 to 128 characters"]);
    assert!(!tenant.run_ok(&["domain", "list"]).await.contains("acme"), "the domain was not created");
    let output = tenant
        .run_with_stdin(&["domain", "create", "acme", "--admin", "alice", "--password-stdin"], "long enough\n")
        .await;
    assert!(output.code == Some(0) && !output.stdout.contains("password"), "{output:?}");
}
