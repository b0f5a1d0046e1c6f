//! Signing in, and what a cookie is worth.

use api::{Role, Settings, User, password_hash};
use axum::http::Method;
use number::Number;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::world::{Answer, World, secret, settings};

const PASSWORD: &str = "correct horse battery";

/// Whom the console knows: an operator, one who may reveal, an administrator.
pub(crate) fn users() -> Vec<User> {
    let hash = password_hash(PASSWORD);
    let user = |name, role| User::new(name, &hash, role).unwrap();
    vec![
        user("anna", Role::Operator).reached_at(Some(Number::parse("+79995550001").unwrap())),
        user("vera", Role::Operator).revealing(true),
        user("root", Role::Admin),
    ]
}

pub(crate) async fn with(world: &World, change: impl FnOnce(&mut Settings)) {
    let mut all = Settings { users: users(), ..settings(world.dir.path()) };
    change(&mut all);
    world.gate.configure(all).await;
}

pub(crate) async fn world() -> World {
    let world = World::new().await;
    with(&world, |_| {}).await;
    world
}

/// A browser that is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

impl Browser {
    /// What it sends from a page of ours.
    pub(crate) fn ask(&self, world: &World, method: Method, path: &str) -> RequestBuilder {
        self.bare(world, method, path).header("bauta-csrf", &self.csrf)
    }

    /// What it sends from anywhere.
    pub(crate) fn bare(&self, world: &World, method: Method, path: &str) -> RequestBuilder {
        world.bare(method, path).header("cookie", format!("bauta_session={}", self.cookie))
    }

    async fn is_known(&self, world: &World) -> bool {
        let answer = world.send(self.bare(world, Method::GET, "/v1/session")).await;
        assert!(matches!(answer.status, 200 | 401), "{answer:?}");
        answer.status == 200
    }
}

pub(crate) fn named(user: &str) -> Value {
    json!({"user": user, "password": PASSWORD})
}

async fn try_to(world: &World, body: &Value) -> Answer {
    world.send(world.bare(Method::POST, "/v1/session").json(body)).await
}

fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie");
    set.strip_prefix("bauta_session=").and_then(|rest| rest.split(';').next()).unwrap().to_owned()
}

pub(crate) async fn sign_in(world: &World, body: &Value) -> Browser {
    let answer = try_to(world, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    Browser { cookie: cookie(&answer), csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
}

#[tokio::test]
async fn whoever_signs_in_is_known_by_the_cookie_until_they_leave() {
    let world = world().await;
    let answer = try_to(&world, &named("anna")).await;
    let set = answer.header("set-cookie").to_owned();
    assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{set}");
    let anna = Browser { cookie: cookie(&answer), csrf: answer.json()["csrf"].as_str().unwrap().to_owned() };
    let session = world.send(anna.bare(&world, Method::GET, "/v1/session")).await;
    assert_eq!(session.json(), answer.json());
    assert_eq!(session.json()["name"], "anna");
    assert_eq!(session.json()["role"], "operator");
    assert_eq!(session.json()["number"], "+79995550001");
    assert_eq!(session.json()["may_reveal"], false);
    assert_eq!(world.send(anna.bare(&world, Method::GET, "/v1/orders")).await.status, 200);
    assert_eq!(world.send(anna.bare(&world, Method::GET, "/v1/audit")).await.problem().1, "forbidden");
    let left = world.send(anna.ask(&world, Method::DELETE, "/v1/session")).await;
    assert_eq!(left.status, 204);
    assert!(left.header("set-cookie").starts_with("bauta_session=; Path=/; Max-Age=0; HttpOnly"), "{left:?}");
    assert!(!anna.is_known(&world).await);
}

#[tokio::test]
async fn a_token_of_a_person_signs_in_and_one_of_a_program_does_not() {
    let world = world().await;
    let root = sign_in(&world, &json!({"token": secret(Role::Admin)})).await;
    let session = world.send(root.bare(&world, Method::GET, "/v1/session")).await.json();
    assert_eq!((session["name"].as_str(), session["may_reveal"].as_bool()), (Some("admin"), Some(true)));
    for role in [Role::App, Role::Metrics] {
        assert_eq!(try_to(&world, &json!({"token": secret(role)})).await.problem().1, "forbidden");
    }
    // A token is no session.
    let bearer = world.send(world.ask(Role::Admin, Method::GET, "/v1/session")).await;
    assert_eq!(bearer.problem().1, "unauthorized");
}

#[tokio::test]
async fn whatever_is_wrong_is_answered_alike() {
    let world = world().await;
    let wrong = [
        json!({"user": "anna", "password": "wrong"}),
        json!({"user": "nobody", "password": PASSWORD}),
        json!({"user": "", "password": ""}),
        json!({"user": "anna", "password": "x".repeat(4000)}),
        json!({"token": "nonsense"}),
    ];
    let mut answers = Vec::new();
    for body in &wrong {
        let answer = try_to(&world, body).await;
        assert_eq!(answer.problem(), (401, "login-failed".into(), None), "{body}");
        assert_eq!(answer.header("set-cookie"), "");
        answers.push(answer.body);
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]));
    for (body, code) in [
        (json!({"user": "anna"}), "missing-field"),
        (json!({"password": "x"}), "missing-field"),
        (json!({}), "missing-field"),
        (json!({"token": "x", "user": "anna"}), "unknown-field"),
        (json!({"tokn": "x"}), "unknown-field"),
    ] {
        assert_eq!(try_to(&world, &body).await.problem().1, code, "{body}");
    }
}

/// Every good answer there is, once.
pub(crate) async fn toured(world: &World) -> Vec<(String, String, u16)> {
    let root = sign_in(world, &json!({"token": secret(Role::Admin)})).await;
    let there = world.send(root.bare(world, Method::GET, "/v1/session")).await;
    let left = world.send(root.ask(world, Method::DELETE, "/v1/session")).await;
    let had = [("POST", 201), ("GET", there.status), ("DELETE", left.status)];
    had.map(|(method, status)| (method.to_owned(), "/v1/session".to_owned(), status)).into()
}
