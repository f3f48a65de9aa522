//! Clew's own API for identities, policies and the audit.

mod attachments;
mod audit;
mod bodies;
mod escalation;
mod groups;
mod keys;
mod passwords;
mod policies;
mod projects;
mod simulate;
mod users;

use http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::call::Call;
use crate::server::{Server, test_origin};
use crate::test_users::Signer;

/// A request below `/clew/v1/`. The body is empty for `null`.
fn call(server: &Server, method: Method, path: &str, body: &Value) -> Call {
    let call = server.call(method, &format!("/clew/v1/{path}"));
    if body.is_null() { call } else { call.body(body.to_string()) }
}

impl Server {
    /// Sends a request signed by the administrator.
    async fn send_as_admin(&self, method: Method, path: &str, body: Value) -> Answer {
        self.sign(call(self, method, path, &body)).send().await
    }

    async fn get_json(&self, path: &str) -> Value {
        self.send_as_admin(Method::GET, path, Value::Null).await.expect_status(200)
    }

    async fn create(&self, path: &str, body: Value) -> Value {
        self.send_as_admin(Method::POST, path, body).await.expect_status(201)
    }

    /// Sends a request that is signed by `signer`.
    async fn send_as(&self, signer: &Signer, method: Method, path: &str, body: Value) -> Answer {
        signer.sign(call(self, method, path, &body)).send().await
    }

    /// Creates a user with an access key who may perform the actions.
    async fn user_with_actions(&self, name: &str, actions: &[&str]) -> Signer {
        let statements = json!([{ "Effect": "Allow", "Action": actions }]);
        self.key_of(&self.user_with(name, statements).await).await
    }

    /// Creates an administrator of another domain.
    async fn foreign_admin(&self) -> Signer {
        let rival = self.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
        self.key_of(&self.user_of(&rival, "eve", true).await).await
    }
}

#[track_caller]
fn done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (204, ""));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}
