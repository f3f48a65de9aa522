//! 100,000 random policies and requests, decided here and by the crate iam-rs, an evaluator of AWS policies.
//!
//! Both must say the same, and do in all that both models share. What they do not share is left out of the generator:
//! - `*` in the service of a URN: AWS takes none there, so it never matches; Huawei's model does not say so.
//! - Actions that take no resource: iam-rs always wants one.
//! - A plain operator on a key with many values: iam-rs asks each wanted value of any value of the request, also for negated
//!   operators ("some tag is not env"); here a negated operator misses all (spec section 4.7). `cases/modifiers.json` has it.
//! - ForAnyValue: and ForAllValues: together with IfExists, and of anything but text: iam-rs has neither.
//! - `NaN`, `inf` and exponents: iam-rs takes them for numbers. Numbers for dates: it takes them for seconds since 1970.
//! - Letters beyond ASCII where case is ignored: iam-rs knows the case of ASCII only.
//! - `${...}`: AWS fills in variables.
//! - StringStartWith and StringEndWith have no name there. StringLike with a star says the same but for case, so these two
//!   get a tag that is always in lower case.

use std::collections::BTreeMap;

use clew_iam::decision::{Action, Decision, DenyReason, Target};
use clew_iam::policy::{Model, Policy};
use iam_rs::{Arn, Context, ContextValue, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId};
use serde_json::{Map, Value, json};

use crate::facts::{DOMAIN, Facts, INSTANCE};

/// Of each half: two run at the same time.
const PAIRS: usize = 50_000;

/// AWS's accounts have 12 digits: the last of the domain's id.
const BEFORE_ACCOUNT: &str = "ABCDEFGHIJKLMNOPQRST";

/// SplitMix64: the same numbers on every machine, for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn some<'a>(&mut self, most: usize, from: &[&'a str]) -> Vec<&'a str> {
        (0..=self.below(most)).map(|_| self.pick(from)).collect()
    }

    /// The text with some letters in the other case.
    fn recased(&mut self, text: &str) -> String {
        let swap = self.one_in(3);
        let letter =
            |letter: char| if swap && letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter };
        text.chars().map(letter).collect()
    }
}

const TEXT: &[&str] =
    &["prod", "test", "Prod", "PROD-eu", "prod-eu", "dev", "p", "10", "9.5", "ada", "eu-1", "0", "", "a*b", "x?z"];
const LOWER: &[&str] = &["prod", "prod-eu", "prod-us", "test", "eu", "-eu", "p", "dev-eu-1"];
const PATTERNS: &[&str] = &["prod", "*", "p*", "*-eu", "?rod*", "*o*e*", "t??t", "**d", "10", "?", "a*b", "*1", "e?-?"];
const NUMBERS: &[&str] = &["10", "9.5", "-1", "0", "10.0", "100", "9"];
const DATES: &[&str] =
    &["2026-06-12T12:00:00Z", "2026-06-12T12:00:01Z", "2025-01-01T00:00:00Z", "2026-06-12T14:00:00+02:00"];
const NETWORKS: &[&str] =
    &["10.0.0.0/8", "10.1.2.3", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "10.9.9.9/16"];
const TAG_KEYS: &[&str] = &["env", "team", "Env", "low", "x"];
const TAG_PATTERNS: &[&str] = &["env", "e*", "*", "?eam", "T*", "x"];

/// Operators of text: ours, theirs.
const TEXT_OPERATORS: &[(&str, &str)] = &[
    ("StringEquals", "StringEquals"),
    ("StringNotEquals", "StringNotEquals"),
    ("StringEqualsIgnoreCase", "StringEqualsIgnoreCase"),
    ("StringNotEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    ("StringMatch", "StringLike"),
    ("StringNotMatch", "StringNotLike"),
];
const NUMBER_OPERATORS: &[&str] =
    &["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"];
const DATE_OPERATORS: &[&str] = &["LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"];
const TEXT_KEYS: &[&str] = &[
    "g:ResourceTag/env",
    "g:UserName",
    "g:EnterpriseProjectId",
    "g:RequestedRegion",
    "g:SourceVpc",
    "g:RequestTag/env",
];

/// One condition in both languages.
struct Both {
    operator: (String, String),
    key: String,
    values: (Value, Value),
}

fn same(values: &[&str]) -> (Value, Value) {
    (json!(values), json!(values))
}

fn condition(dice: &mut Dice) -> Both {
    let if_exists = if dice.one_in(4) { "IfExists" } else { "" };
    let plain = |ours: &str, theirs: &str| (format!("{ours}{if_exists}"), format!("{theirs}{if_exists}"));
    let (operator, key, values) = match dice.below(9) {
        0 | 1 => {
            let (ours, theirs) = TEXT_OPERATORS[dice.below(TEXT_OPERATORS.len())];
            let values = dice.some(3, if theirs.ends_with("Like") { PATTERNS } else { &TEXT[..TEXT.len() - 3] });
            (plain(ours, theirs), dice.pick(TEXT_KEYS), same(&values))
        }
        2 => {
            let (ours, theirs) = TEXT_OPERATORS[dice.below(TEXT_OPERATORS.len())];
            let quantifier = dice.pick(&["ForAnyValue:", "ForAllValues:"]);
            let values = dice.some(3, if theirs.ends_with("Like") { TAG_PATTERNS } else { TAG_KEYS });
            ((format!("{quantifier}{ours}"), format!("{quantifier}{theirs}")), "g:TagKeys", same(&values))
        }
        3 => {
            let negated = dice.pick(&["", "Not"]);
            let (place, values) = (dice.pick(&["Start", "End"]), dice.some(2, LOWER));
            let like = |value: &&str| if place == "Start" { format!("{value}*") } else { format!("*{value}") };
            let theirs: Vec<String> = values.iter().map(like).collect();
            let operator = plain(&format!("String{negated}{place}With"), &format!("String{negated}Like"));
            (operator, "g:ResourceTag/low", (json!(values), json!(theirs)))
        }
        4 => {
            let name = dice.pick(NUMBER_OPERATORS);
            let operator = plain(&format!("Number{name}"), &format!("Numeric{name}"));
            (operator, "g:ResourceTag/env", same(&dice.some(2, NUMBERS)))
        }
        5 => {
            let name = format!("Date{}", dice.pick(DATE_OPERATORS));
            (plain(&name, &name), dice.pick(&["g:CurrentTime", "g:SourceVpc"]), same(&dice.some(2, DATES)))
        }
        6 => {
            let truth = dice.one_in(2);
            (
                plain("Bool", "Bool"),
                dice.pick(&["g:SecureTransport", "g:MFAPresent"]),
                (json!([truth.to_string()]), json!(truth)),
            )
        }
        7 => {
            let name = dice.pick(&["IpAddress", "NotIpAddress"]);
            (plain(name, name), "g:SourceIp", same(&dice.some(2, NETWORKS)))
        }
        _ => {
            let truth = dice.pick(&["true", "false"]);
            let key = dice.pick(&["g:ResourceTag/env", "g:TagKeys", "g:SourceIp", "g:MFAPresent", "g:UserName"]);
            (("Null".to_owned(), "Null".to_owned()), key, (json!(truth), json!(truth)))
        }
    };
    // A tag's key in another case could be another tag; the names of keys have no case.
    let key = if key.contains('/') { key.to_owned() } else { dice.recased(key) };
    Both { operator, key, values }
}

/// Conditions in both languages; what would stand twice in either is left out of both.
fn conditions(dice: &mut Dice) -> (Value, Value) {
    let (mut ours, mut theirs) = (Map::new(), Map::new());
    for _ in 0..dice.below(4) {
        let Both { operator, key, values } = condition(dice);
        let taken = |map: &Map<String, Value>, operator: &String| {
            map.get(operator)
                .is_some_and(|keys| keys.as_object().unwrap().keys().any(|known| known.eq_ignore_ascii_case(&key)))
        };
        if !taken(&ours, &operator.0) && !taken(&theirs, &operator.1) {
            ours.entry(operator.0).or_insert_with(|| json!({}))[&key] = values.0;
            theirs.entry(operator.1).or_insert_with(|| json!({}))[&key] = values.1;
        }
    }
    (ours.into(), theirs.into())
}

fn action(dice: &mut Dice, model: Model) -> String {
    let service = if model == Model::RoleBased { "gaussdb" } else { "gaussdbformysql" };
    let instance_actions: Vec<Action> =
        Action::ALL.iter().copied().filter(|action| action.target == Target::Instance).collect();
    let name = match dice.below(8) {
        0..=2 => model.name_of(instance_actions[dice.below(instance_actions.len())]).to_owned(),
        3 => "*:*:*".to_owned(),
        4 => "ecs:*:*".to_owned(),
        5 if model == Model::IdentityBased => {
            format!("{service}:instance:{}", dice.pick(&["ge?", "?ist", "list?*", "???"]))
        }
        _ => format!(
            "{service}:{}",
            dice.pick(&["*:*", "instance:list*", "*:get*", "instance:*Processes", "*:*s*l*", "tag:*"])
        ),
    };
    match (dice.one_in(3), name.split_once(':')) {
        // The service stays in lower case, as 1.1 wants it.
        (true, Some((service, rest))) => format!("{service}:{}", dice.recased(rest)),
        _ => name,
    }
}

fn urn(dice: &mut Dice, model: Model) -> String {
    let service = if model == Model::RoleBased { "gaussdb" } else { "gaussdbformysql" };
    let service = if dice.one_in(10) { "ecs" } else { service };
    let region = dice.pick(&["eu-1", "*", "*", "eu-*", "us-1", "??-1"]);
    let domain = match dice.below(5) {
        0 | 1 => DOMAIN.to_owned(),
        2 | 3 => "*".to_owned(),
        _ => format!("{BEFORE_ACCOUNT}{}", dice.pick(&["1234*", "999999999999", "*12", "????56789012"])),
    };
    let kind = dice.pick(&["instance", "instance", "*", "inst*", "backup"]);
    let id = dice.pick(&[INSTANCE, "*", "d54b*", "*in07", "?54*1in07", "0*"]);
    format!("{service}:{region}:{domain}:{kind}:{id}")
}

/// The same statement in both languages.
fn statement(dice: &mut Dice, model: Model) -> (Value, Value) {
    let effect = if dice.one_in(4) { "Deny" } else { "Allow" };
    let actions: Vec<String> = (0..=dice.below(3)).map(|_| action(dice, model)).collect();
    let actions_element = if dice.one_in(6) { "NotAction" } else { "Action" };
    let mut ours = json!({"Effect": effect, actions_element: actions});
    let mut theirs = ours.clone();
    // AWS wants a resource; "*" says there what leaving it out says here.
    theirs["Resource"] = json!("*");
    if dice.one_in(2) {
        let urns: Vec<String> =
            (0..=dice.below(2)).map(|_| if dice.one_in(8) { "*".to_owned() } else { urn(dice, model) }).collect();
        let element = if dice.one_in(5) { "NotResource" } else { "Resource" };
        let arn = |urn: &String| {
            if urn == "*" { urn.clone() } else { format!("arn:aws:{}", urn.replace(BEFORE_ACCOUNT, "")) }
        };
        theirs.as_object_mut().unwrap().remove("Resource");
        theirs[element] = urns.iter().map(arn).collect();
        ours[element] = json!(urns);
    }
    let conditions = conditions(dice);
    if conditions.0 != json!({}) {
        (ours["Condition"], theirs["Condition"]) = conditions;
    }
    (ours, theirs)
}

fn request(dice: &mut Dice) -> Facts {
    let instance_actions: Vec<&Action> =
        Action::ALL.iter().filter(|action| action.target == Target::Instance).collect();
    let mut tags = BTreeMap::new();
    if !dice.one_in(4) {
        tags.insert("env".to_owned(), dice.pick(TEXT).to_owned());
    }
    if !dice.one_in(4) {
        tags.insert("low".to_owned(), dice.pick(LOWER).to_owned());
    }
    let request_tags =
        (0..dice.below(3)).map(|_| (dice.pick(TAG_KEYS).to_owned(), dice.pick(TEXT).to_owned())).collect();
    Facts {
        action: instance_actions[dice.below(instance_actions.len())].name.to_owned(),
        user: dice.pick(&["ada", "bob", "prod-eu"]).to_owned(),
        region: dice.pick(&["eu-1", "eu-1", "us-1"]).to_owned(),
        enterprise_project: Some(dice.pick(&["0", "10", "prod"]).to_owned()),
        tags,
        request_tags,
        time: dice.pick(DATES).to_owned(),
        ip: [None, Some("10.1.2.3"), Some("192.0.2.9"), Some("2001:db8::1")][dice.below(4)].map(str::to_owned),
        tls: dice.one_in(2),
        ..Facts::default()
    }
}

/// The same request in AWS's language.
fn their_request(facts: &Facts, model: Model) -> IAMRequest {
    let action = Action::find(&facts.action).unwrap();
    let name = model.name_of(action);
    let service = if model == Model::RoleBased { "gaussdb" } else { "gaussdbformysql" };
    let account = DOMAIN.replace(BEFORE_ACCOUNT, "");
    let arn = format!("arn:aws:{service}:{}:{account}:instance:{INSTANCE}", facts.region);
    let mut context = Context::new()
        .with_string("g:UserName", &facts.user)
        .with_string("g:RequestedRegion", &facts.region)
        .with_string("g:CurrentTime", &facts.time)
        .with_boolean("g:SecureTransport", facts.tls);
    let single = [("g:SourceIp", &facts.ip), ("g:EnterpriseProjectId", &facts.enterprise_project)];
    for (key, value) in single {
        if let Some(value) = value {
            context = context.with_string(key, value);
        }
    }
    for (family, tags) in [("g:ResourceTag", &facts.tags), ("g:RequestTag", &facts.request_tags)] {
        for (key, value) in tags {
            // Of two tags that differ in case, ours is the one written as the policy writes it.
            if !(key == "Env" && tags.contains_key("env")) {
                context = context.with_string(format!("{family}/{key}"), value);
            }
        }
    }
    if !facts.request_tags.is_empty() {
        let keys = facts.request_tags.keys().cloned().collect();
        context.insert("g:TagKeys".to_owned(), ContextValue::StringList(keys));
    }
    let principal = Principal::Aws(PrincipalId::String(format!("arn:aws:iam::{account}:user/{}", facts.user)));
    IAMRequest::new_with_context(principal, name, Arn::parse(&arn).unwrap(), context)
}

#[test]
fn both_decide_alike() {
    compare(Dice(0x00c1_e3ed));
}

#[test]
fn both_decide_the_other_half_alike() {
    compare(Dice(0x001a_b341));
}

fn compare(mut dice: Dice) {
    let mut outcomes = BTreeMap::new();
    for pair in 0..PAIRS {
        let model = if dice.one_in(3) { Model::RoleBased } else { Model::IdentityBased };
        let (ours, theirs): (Vec<_>, Vec<_>) = (0..=dice.below(4)).map(|_| statement(&mut dice, model)).unzip();
        let version = if model == Model::RoleBased { "1.1" } else { "5.0" };
        let ours = json!({"Version": version, "Statement": ours});
        let theirs = json!({"Version": "2012-10-17", "Statement": theirs});
        let facts = request(&mut dice);

        let policy = Policy::parse(&ours.to_string()).unwrap_or_else(|errors| panic!("pair {pair}: {ours}: {errors}"));
        let decision = match facts.decide(&[policy]) {
            Decision::Allow => iam_rs::Decision::Allow,
            Decision::Deny { reason: DenyReason::ExplicitDeny { .. } } => iam_rs::Decision::Deny,
            Decision::Deny { .. } => iam_rs::Decision::NotApplicable,
        };
        let their_policy: IAMPolicy = serde_json::from_value(theirs.clone()).unwrap();
        let evaluator = PolicyEvaluator::with_policies(vec![their_policy]);
        let expected = evaluator.evaluate(&their_request(&facts, model)).unwrap().decision;
        assert_eq!(decision, expected, "pair {pair}\n{ours:#}\n{theirs:#}\n{facts:#?}");
        *outcomes.entry(decision.to_string()).or_insert(0) += 1;
    }
    // A comparison of nothing but refusals would say little.
    assert!(outcomes.len() == 3 && outcomes.values().all(|count| *count > PAIRS / 20), "{outcomes:?}");
}
