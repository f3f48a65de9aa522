//! Instance list and detail (TaurusDB API spec, sections 3.3 and 3.4).

use http::Method;
use serde_json::{Value, json};

use crate::server::{NODE_PASSWORD, REGION, Server, new_instance, test_origin};

/// A server with four instances: shop, shop-eu, bank, 银行.
async fn start_server() -> Server {
    let server = Server::start().await;
    for name in ["shop-eu", "bank", "银行"] {
        let mut instance = new_instance(&server.tenant.project_id, name);
        if name == "银行" {
            for node in &mut instance.nodes {
                node.url.host = "bank-master.example".into();
            }
        }
        server.store.instances().add_instance(&test_origin(), instance).await.unwrap();
    }
    let domain = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    let foreign = server.store.tenants().create_project(&test_origin(), &domain, REGION, "").await.unwrap();
    server.store.instances().add_instance(&test_origin(), new_instance(&foreign, "shop")).await.unwrap();
    server
}

fn names(list: &Value) -> Vec<&str> {
    list["instances"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn instance_list_is_filtered() {
    let server = start_server().await;
    let id = server.instance.id.as_str();
    for version in ["v3", "v3.1"] {
        for (query, expected) in [
            (String::new(), vec!["shop", "shop-eu", "bank", "银行"]),
            ("name=shop".into(), vec!["shop"]),
            ("name=*shop".into(), vec!["shop", "shop-eu"]),
            ("name=sho".into(), vec![]),
            ("name=*SHOP".into(), vec![]),
            ("name=%E9%93%B6%E8%A1%8C".into(), vec!["银行"]),
            ("name=*%25".into(), vec![]),
            ("name=*_".into(), vec![]),
            (format!("id={id}"), vec!["shop"]),
            (format!("id=*{}", &id[4..20]), vec!["shop"]),
            (format!("id={}", &id[4..20]), vec![]),
            ("type=Cluster&datastore_type=gaussdb-mysql&name=bank".into(), vec!["bank"]),
            ("private_ip=bank-master.example".into(), vec!["bank", "银行"]),
            ("private_ip=bank-replica.example".into(), vec![]),
            ("readonly_private_ip=bank-replica.example".into(), vec!["bank"]),
            ("tags=team%3Dbank".into(), vec!["bank"]),
            ("tags=team=bank".into(), vec!["bank"]),
            ("tags=team=bank,stage=live".into(), vec![]),
            ("tags=team=".into(), vec![]),
            ("vpc_id=x".into(), vec![]),
            ("subnet_id=x".into(), vec![]),
            ("proxy_ip=10.0.0.1".into(), vec![]),
            ("unknown=1&name=bank".into(), vec!["bank"]),
        ] {
            let path = format!("/{version}/{}/instances?{query}", server.tenant.project_id);
            for call in [server.call(Method::GET, &path), server.sign(server.call(Method::GET, &path))] {
                let answer = call.send().await.expect_status(200);
                assert_eq!(names(&answer), expected, "{query}");
                assert_eq!(answer["total_count"], expected.len(), "{query}");
            }
        }
    }
}

#[tokio::test]
async fn instance_pages_partition_the_list() {
    let server = start_server().await;
    let list = |query: &str| server.call(Method::GET, &format!("/v3/{}/instances?{query}", server.tenant.project_id));
    for (query, expected) in [
        ("limit=2", &["shop", "shop-eu"][..]),
        ("offset=1&limit=2", &["shop-eu", "bank"]),
        ("offset=3", &["银行"]),
        ("offset=4", &[]),
        ("offset=2147483647&limit=100", &[]),
        ("offset=0&limit=100", &["shop", "shop-eu", "bank", "银行"]),
    ] {
        let answer = list(query).send().await.expect_status(200);
        assert_eq!(names(&answer), expected, "{query}");
        assert_eq!(answer["total_count"], 4, "{query}");
    }
    let filtered = list("name=*shop&offset=1").send().await.expect_status(200);
    assert_eq!((names(&filtered), &filtered["total_count"]), (vec!["shop-eu"], &json!(2)));
}

#[tokio::test]
async fn invalid_instance_list_parameters_are_rejected() {
    let server = Server::start().await;
    for (query, reason) in [
        ("limit=0", "Invalid value for limit: 0. Fix: use 1 to 100"),
        ("limit=101", "Invalid value for limit: 101"),
        ("limit=", "Invalid value for limit"),
        ("limit=ten", "Invalid value for limit: ten"),
        ("limit=10.0", "Invalid value for limit"),
        ("offset=-1", "Invalid value for offset: -1. Fix: use 0 to 2147483647"),
        ("offset=2147483648", "Invalid value for offset"),
        ("offset=99999999999999999999", "Invalid value for offset"),
        ("name=*", "Invalid value for name: \"*\""),
        ("name=", "Invalid value for name: \"\""),
        ("id=*", "Invalid value for id: \"*\""),
        ("id=", "Invalid value for id: \"\""),
        ("type=Single", "Invalid value for type: \"Single\". Fix: use one of Cluster"),
        ("datastore_type=mysql", "Invalid value for datastore_type: \"mysql\". Fix: use one of gaussdb-mysql"),
        ("tags=team", "Invalid value for tags: \"team\""),
        ("tags=", "Invalid value for tags"),
        ("tags==x", "Invalid value for tags"),
        ("tags=a=1,a=2", "Invalid value for tags"),
        ("tags=a=1,", "Invalid value for tags"),
        ("limit=1&limit=2", "limit is specified more than once"),
        ("name=a&%6eame=a", "name is specified more than once"),
        ("vpc_id=x&limit=0", "Invalid value for limit: 0"),
    ] {
        for version in ["v3", "v3.1"] {
            let path = format!("/{version}/{}/instances?{query}", server.tenant.project_id);
            let message = server.get(&path).await.expect_error(400, "DBS.280001");
            assert!(message.contains(reason), "{query}: {message}");
        }
    }
}

#[tokio::test]
async fn status_names_follow_the_api_version() {
    let server = Server::start().await;
    let instance = &server.instance;
    for (version, working) in [("v3", "ACTIVE"), ("v3.1", "normal")] {
        let path = format!("/{version}/{}/instances", server.tenant.project_id);
        let list = server.get(&path).await;
        let listed = list.expect_status(200)["instances"][0].clone();
        let detail = server.get(&format!("{path}/{}", instance.id)).await;
        let detailed = detail.expect_status(200)["instance"].clone();
        for answer in [&list, &detail] {
            assert!(!answer.text().contains(NODE_PASSWORD), "{}", answer.text());
        }
        for one in [&listed, &detailed] {
            assert_eq!((&one["id"], &one["name"]), (&json!(instance.id.as_str()), &json!("shop")));
            assert_eq!((&one["status"], &one["type"]), (&json!(working), &json!("Cluster")));
            assert_eq!(one["port"], "3307");
            assert_eq!(one["db_user_name"], "reader");
            assert_eq!(one["datastore"]["type"], "gaussdb-mysql");
            assert_eq!(one["tags"], json!([{ "key": "team", "value": "shop" }]));
            let created = one["created"].as_str().unwrap();
            assert!(created.len() == 24 && created.ends_with("+0000"), "{created}");
        }
        assert_eq!(listed["region"], REGION);
        assert_eq!(listed["private_ips"], json!(["shop-master.example"]));
        assert_eq!(listed["readonly_private_ips"], json!(["shop-replica.example"]));
        assert_eq!(detailed["project_id"], server.tenant.project_id.as_str());
        assert_eq!(detailed["private_write_ips"], json!(["shop-master.example"]));
        assert_eq!(detailed["node_count"], 2);
        let nodes = detailed["nodes"].as_array().unwrap();
        for ((node, expected), (role, host)) in nodes
            .iter()
            .zip(&instance.nodes)
            .zip([("master", "shop-master.example"), ("slave", "shop-replica.example")])
        {
            assert_eq!((&node["id"], &node["name"]), (&json!(expected.id.as_str()), &json!(expected.name)));
            assert_eq!((&node["type"], &node["status"], &node["port"]), (&json!(role), &json!(working), &json!(3307)));
            assert_eq!(node["private_read_ips"], json!([host]));
        }
    }
}
