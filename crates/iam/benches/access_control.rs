//! Benchmarks for request authentication and authorization: `cargo bench -p clew-iam --bench access_control`.
//!
//! The benchmark group `signature` verifies the signatures of two requests: a GET request and a POST request with a small body.
//! Each signature covers the five headers that the official Huawei Cloud SDK signs.
//! The `decision` benchmark group evaluates a matching system policy and twenty policies that do not match.

#![allow(missing_docs, reason = "criterion's macros generate undocumented items")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;

use clew_iam::decision::{
    Action, CredentialScope, Grant, GrantSource, Principal, RequestEnvironment, Resource, TargetInstance,
    TargetProject, decide_access,
};
use clew_iam::policy::{Policy, system_policies};
use clew_iam::signature::{self, AuthorizationHeader, RequestToSign, SignatureCoverage};
use clew_model::{AccessKeyId, DomainId, InstanceId, ProjectId, Tag, UserId};
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use secrecy::SecretString;

const REQUEST_PATH: &str = "/v3/054e292c9880d4992f02c0196d3ea468/instances/6754902da1f447269c6979b0590102a5in07/nodes/941d21130b3c4899ad1a752a0945befdno07/realtime-session";

fn bench_signature_verification(criterion: &mut Criterion) {
    let secret = SecretString::from("SKEXAMPLE000000000000000000000000000000");
    let key: AccessKeyId = "AKEXAMPLE0000000000".parse().unwrap();
    let now = Timestamp::now();
    let date = signature::format_x_sdk_date(now);
    let headers = [
        ("content-type", "application/json"),
        ("host", "clew.example:8407"),
        ("user-agent", "huaweicloud-usdk-python/3.0"),
        ("x-project-id", "054e292c9880d4992f02c0196d3ea468"),
        ("x-sdk-date", &date),
    ];
    let names = headers.map(|(name, _)| name);
    let path = format!("{REQUEST_PATH}-task");
    let query = "request_id=realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9";
    let mut group = criterion.benchmark_group("signature");
    for (name, method, path, query, body) in [
        ("status", "GET", path.as_str(), query, &b""[..]),
        ("collect", "POST", REQUEST_PATH, "", br#"{"filter":"slow"}"#),
    ] {
        let request =
            || RequestToSign { method, path, query, headers: &headers, body_sha256: signature::hash_body(body) };
        let header = signature::sign_request(&request(), &names, &date, &key, &secret);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let authorization = AuthorizationHeader::parse(black_box(&header)).unwrap();
                let coverage = SignatureCoverage::OfficialSdks;
                signature::verify_signature(&authorization, &request(), &secret, now, coverage).unwrap();
            });
        });
    }
    group.finish();
}

fn bench_access_decisions(criterion: &mut Criterion) {
    let read_only = system_policies::find_system_policy("TaurusDBReadOnlyAccessPolicy").unwrap().clone();
    let others: Vec<_> = (0..20)
        .map(|number| {
            let document = format!(
                r#"{{"Version":"5.0","Statement":[{{"Effect":"Allow","Action":["gaussdbformysql:instance:*"],
                "Condition":{{"StringEquals":{{"g:ResourceTag/team":["team-{number}"]}}}}}}]}}"#
            );
            Arc::new(Policy::parse(&document).unwrap())
        })
        .collect();
    let (project, instance, domain) = (ProjectId::generate(), InstanceId::generate(), DomainId::generate());
    let tags = [Tag { key: "team".into(), value: "shop".into() }];
    let resource = Resource {
        project: Some(TargetProject { id: &project, name: "north-1", domain_id: Some(&domain) }),
        region: "north-1",
        instance: Some(TargetInstance { id: &instance, enterprise_project_id: Some("0"), tags: &tags }),
        request_tags: &[],
    };
    let environment = RequestEnvironment { now: Timestamp::now(), source_ip: None, secure_transport: true };
    let mut group = criterion.benchmark_group("decision");
    for (name, policies, allowed) in [("system policy", vec![read_only], true), ("twenty policies", others, false)] {
        let grants = policies.into_iter().map(|policy| Grant {
            policy,
            policy_name: "a policy".into(),
            via: GrantSource::User,
            project: None,
        });
        let principal = Principal {
            user_id: UserId::generate(),
            user_name: "grace".into(),
            domain_id: domain.clone(),
            domain_name: "acme".into(),
            scope: CredentialScope::AccessKey,
            administrator: false,
            grants: grants.collect(),
            budget: Arc::default(),
        };
        let run_decision =
            || decide_access(&principal, Action::GET_REALTIME_SESSION, black_box(&resource), &environment);
        assert_eq!(run_decision().is_allowed(), allowed, "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| black_box(run_decision())));
    }
    group.finish();
}

criterion_group!(benches, bench_signature_verification, bench_access_decisions);
criterion_main!(benches);
