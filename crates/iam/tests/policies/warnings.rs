//! Warnings about valid but suspicious documents.

use clew_iam::policy::Policy;
use serde_json::{Value, json};

fn warnings(version: &str, statement: &Value) -> Vec<String> {
    let document = json!({"Version": version, "Statement": [statement]}).to_string();
    Policy::parse(&document).unwrap().warnings().iter().map(ToString::to_string).collect()
}

/// Asserts that the statement has exactly this warning at this path.
fn assert_warning(version: &str, statement: &Value, path: &str, message: &str) {
    let found = warnings(version, statement);
    assert_eq!(found.len(), 1, "{statement}: {found:?}");
    assert!(found[0].contains(&format!(": $.Statement[0]{path}: ")) && found[0].contains(message), "{found:?}");
}

#[test]
fn actions_that_match_nothing_are_reported() {
    for (version, action, message) in [
        ("5.0", "gaussdbformysql:instance:lst", "did you mean \"gaussdbformysql:instance:list\"?"),
        ("5.0", "gaussdbformysql:backup:*", "knows no such action"),
        ("5.0", "gaussdb:instance:deleteProcesses", "version 5.0 says \"gaussdbformysql:instance:deleteProcesses\""),
        ("5.0", "gaussdb:*:*", "version 5.0 says \"gaussdbformysql:"),
        ("1.1", "gaussdbformysql:instance:get", "version 1.x says \"gaussdb:instance:list\""),
        ("5.0", "ecs:*:*", "\"ecs\" is no service of Clew's"),
    ] {
        assert_warning(version, &json!({"Effect": "Allow", "Action": [action]}), ".Action[0]", message);
    }
}

#[test]
fn resources_of_other_services_are_reported() {
    let message = "names nothing of Clew's";
    for resource in ["gaussdb:*:*:instance:*", "gaussdbformysql:*:*:backup:*", "ecs:*:*:*:*"] {
        let statement = json!({"Effect": "Allow", "Action": ["gaussdbformysql:*:*"], "Resource": [resource]});
        assert_warning("5.0", &statement, ".Resource[0]", message);
    }
    let statement = json!({"Effect": "Allow", "Action": ["gaussdb:*:*"], "Resource": {"uri": ["/iam/x"]}});
    assert_warning("1.1", &statement, ".Resource.uri[0]", message);
}

#[test]
fn suspicious_keys_and_values_are_reported() {
    for (operator, key, value, message) in [
        ("Bool", "g:MFAPresent", "true", "Clew cannot know"),
        ("NumberLessThan", "g:MFAAge", "60", "Clew cannot know"),
        ("StringEquals", "g:SourceVpc", "x", "Clew cannot know"),
        ("StringEquals", "g:SourceVpce", "x", "Clew cannot know"),
        ("StringEquals", "g:PrincipalTag/a", "x", "Clew cannot know"),
        ("StringEquals", "g:UserNam", "x", "did you mean \"g:UserName\"?"),
        ("StringEquals", "obs:prefix", "x", "knows no condition key"),
        ("StringEquals", "g:TagKeys", "x", "say ForAnyValue: or ForAllValues:"),
        ("StringEquals", "g:DomainName", "${g:UserName}", "fills in no variables"),
    ] {
        let statement = json!({"Effect": "Deny", "Action": ["*"], "Condition": {operator: {key: value}}});
        assert_warning("5.0", &statement, &format!(".Condition.{operator}[{key:?}]"), message);
    }
}

#[test]
fn statements_with_unexpected_reach_are_reported() {
    let (modify, tagged) = ("gaussdbformysql:instance:modify*", json!({"StringEquals": {"g:ResourceTag/a": "x"}}));
    let each_key = json!({"ForAllValues:StringEquals": {"g:TagKeys": "x"}});
    for (statement, message) in [
        (json!({"Effect": "Allow", "Action": ["*"], "Condition": each_key}), "also holds where the key is not there"),
        (json!({"Effect": "Allow", "NotAction": ["gaussdbformysql:instance:list"]}), "allows every other action"),
        (
            json!({"Effect": "Allow", "Action": [modify], "Resource": ["gaussdbformysql:*:*:instance:*"]}),
            "this never matches",
        ),
        (json!({"Effect": "Allow", "Action": [modify], "Condition": tagged}), "this never matches"),
    ] {
        assert_warning("5.0", &statement, "", message);
    }
}

#[test]
fn ordinary_statements_have_no_warnings() {
    for (version, statement) in [
        ("5.0", json!({"Effect": "Allow", "Action": ["*"], "Resource": ["*"]})),
        (
            "5.0",
            json!({"Effect": "Deny", "NotAction": ["gaussdbformysql:*:get*"], "Resource": ["gaussdbformysql:*:*:instance:*"]}),
        ),
        (
            "5.0",
            json!({"Effect": "Allow", "Action": ["clew:audit:list"], "Condition": {"IpAddress": {"g:SourceIp": "10.0.0.0/8"}}}),
        ),
        (
            "5.0",
            json!({"Effect": "Deny", "Action": ["*"], "Condition": {"ForAllValues:StringEquals": {"g:TagKeys": ["x"]}}}),
        ),
        (
            "1.1",
            json!({"Effect": "allow", "Action": ["gaussdb:*:*"], "Condition": {"StringEquals": {"g:resourcetag/A": "x"}}}),
        ),
    ] {
        assert_eq!(warnings(version, &statement), Vec::<String>::new(), "{statement}");
    }
}

#[test]
fn depends_is_reported() {
    let document = r#"{"Version":"1.0","Depends":[],"Statement":[{"Effect":"Allow","Action":["gaussdb:*:*"]}]}"#;
    let policy = Policy::parse(document).unwrap();
    assert_eq!(
        policy.warnings()[0].to_string(),
        "1:28: $.Depends: Depends is not interpreted: attach the roles that it names as well"
    );
}
