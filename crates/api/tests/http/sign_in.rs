//! Signing in, and what a cookie is worth.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use api::{Role, Settings, User, password_hash};
use axum::http::Method;
use number::Number;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use store::Options;

use crate::contract::document;
use crate::world::{Answer, World, secret, settings};

const PASSWORD: &str = "correct horse battery";

/// Whom the console knows: an operator, one who may reveal, an administrator.
pub(crate) fn users() -> Vec<User> {
    // Of each there is one: another salt would be another user.
    static HASH: LazyLock<String> = LazyLock::new(|| password_hash(PASSWORD));
    let user = |name, role| User::new(name, &HASH, role).unwrap();
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

#[tokio::test]
async fn a_cookie_that_was_there_before_signing_in_is_worth_nothing_after_it() {
    let world = world().await;
    // One that an attacker made up, and one that was somebody's.
    let before = sign_in(&world, &named("vera")).await;
    for fixed in ["a".repeat(64), before.cookie.clone()] {
        let request =
            world.bare(Method::POST, "/v1/session").header("cookie", format!("bauta_session={fixed}"));
        let answer = world.send(request.json(&named("anna"))).await;
        assert_eq!(answer.status, 201);
        assert_ne!(cookie(&answer), fixed);
        let fixed = Browser { cookie: fixed, csrf: String::new() };
        assert!(!fixed.is_known(&world).await);
    }
    let mut all = BTreeSet::new();
    for _ in 0..3 {
        assert!(all.insert(sign_in(&world, &named("anna")).await.cookie));
    }
}

#[tokio::test]
async fn by_the_cookie_nothing_changes_without_what_only_a_page_of_ours_knows() {
    let world = world().await;
    let root = sign_in(&world, &named("root")).await;
    let other = sign_in(&world, &named("root")).await;
    let mut tried = 0;
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let admins = operation["x-roles"].as_array().is_some_and(|roles| roles.contains(&json!("admin")));
            if method == "get" || !admins {
                continue;
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let bare = root.bare(&world, method.clone(), path);
            for request in [
                bare.try_clone().unwrap(),
                bare.try_clone().unwrap().header("bauta-csrf", ""),
                bare.try_clone().unwrap().header("bauta-csrf", &other.csrf),
                bare.try_clone().unwrap().header("bauta-csrf", &root.cookie),
                bare.header("content-type", "text/plain").body("{}"),
            ] {
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 403, "{method} {path}");
                let problem: Value = answer.json().await.unwrap();
                assert_eq!(problem["code"], "csrf-missing", "{method} {path}");
            }
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
    assert!(root.is_known(&world).await, "nobody was signed out by it");
    // A token is not sent by browsers of themselves: it needs nothing besides.
    assert_eq!(world.put("/v1/orders/12345", &crate::orders::order()).await.status, 201);
}

#[tokio::test]
async fn a_browser_that_shows_another_site_is_refused() {
    let world = world().await;
    let anna = sign_in(&world, &named("anna")).await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let read = anna.bare(&world, Method::GET, "/v1/orders").header(name, value);
        assert_eq!(world.send(read).await.problem().1, "cross-origin", "{name}: {value}");
        let write = anna.ask(&world, Method::DELETE, "/v1/session").header(name, value);
        assert_eq!(world.send(write).await.problem().1, "cross-origin", "{name}: {value}");
        // Nor does it sign anybody in: that would be somebody else's session.
        let begin = world.bare(Method::POST, "/v1/session").header(name, value).json(&named("anna"));
        assert_eq!(world.send(begin).await.problem().1, "cross-origin", "{name}: {value}");
    }
    let form =
        world.bare(Method::POST, "/v1/session").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(world.send(form.body("user=anna&password=x")).await.problem().1, "content-type");
    let ours = anna.bare(&world, Method::GET, "/v1/orders").header("origin", &world.url);
    assert_eq!(world.send(ours.header("sec-fetch-site", "same-origin")).await.status, 200);
}

#[tokio::test]
async fn guessing_is_slow_from_one_address_and_at_one_user() {
    let world = world().await;
    with(&world, |settings| {
        settings.proxies = vec![b2bua::Network { address: [127, 0, 0, 1].into(), prefix: 8 }];
    })
    .await;
    let guess = async |address: &str, body: Value| {
        let request = world.bare(Method::POST, "/v1/session").header("x-forwarded-for", address);
        world.send(request.json(&body)).await
    };
    for _ in 0..10 {
        assert_eq!(guess("198.51.100.1", json!({"token": "guess"})).await.status, 401);
    }
    let refused = guess("198.51.100.1", named("anna")).await;
    assert_eq!(refused.problem(), (429, "login-too-often".into(), None));
    assert!((1..=11).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    // Elsewhere she signs in as ever, however often.
    for _ in 0..12 {
        assert_eq!(guess("198.51.100.2", named("anna")).await.status, 201);
    }
    // From everywhere at one user: neither the right password nor an unknown name is told from the others.
    for name in ["anna", "nobody"] {
        for place in 0..10 {
            let wrong = json!({"user": name, "password": "guess"});
            assert_eq!(guess(&format!("203.0.113.{place}"), wrong).await.status, 401);
        }
        let refused = guess("203.0.113.77", json!({"user": name, "password": PASSWORD})).await;
        assert_eq!(refused.problem().1, "login-too-often", "{name}");
    }
    assert_eq!(guess("203.0.113.78", named("vera")).await.status, 201);
}

#[tokio::test]
async fn without_a_proxy_of_ours_nobody_says_where_they_are() {
    let world = world().await;
    for place in 0..10 {
        let request =
            world.bare(Method::POST, "/v1/session").header("x-forwarded-for", format!("203.0.113.{place}"));
        assert_eq!(world.send(request.json(&json!({"token": "guess"}))).await.status, 401);
    }
    assert_eq!(try_to(&world, &named("anna")).await.status, 429);
}

#[tokio::test]
async fn a_session_ends_with_what_it_was_begun_by() {
    let world = world().await;
    let anna = sign_in(&world, &named("anna")).await;
    let vera = sign_in(&world, &named("vera")).await;
    let token = sign_in(&world, &json!({"token": secret(Role::Operator)})).await;
    // Nothing of theirs has changed.
    with(&world, |settings| settings.languages.push("kk".into())).await;
    for who in [&anna, &vera, &token] {
        assert!(who.is_known(&world).await);
    }
    let hash = password_hash("another password");
    with(&world, |settings| {
        settings.users.retain(|user| !format!("{user:?}").contains("anna"));
        settings.users.push(User::new("anna", &hash, Role::Operator).unwrap());
        settings.tokens.retain(|token| token.role() != Role::Operator);
    })
    .await;
    assert!(!anna.is_known(&world).await && !token.is_known(&world).await);
    assert!(vera.is_known(&world).await);
    // What has ended stays so, though all be as it was.
    with(&world, |_| {}).await;
    assert!(!anna.is_known(&world).await && !token.is_known(&world).await);
    with(&world, |settings| settings.console.enabled = false).await;
    assert!(!vera.is_known(&world).await);
    assert_eq!(try_to(&world, &named("vera")).await.problem().1, "no-such-path");
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_the_store_has_nothing_to_be_used() {
    let world = world().await;
    let anna = sign_in(&world, &named("anna")).await;
    let dir = world.stop().await;
    let mut octets = Vec::new();
    for entry in std::fs::read_dir(dir.path().join("store")).unwrap() {
        octets.extend(std::fs::read(entry.unwrap().path()).unwrap_or_default());
    }
    let has = |text: &str| octets.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("session.begun"), "what is kept can be read");
    for hidden in [anna.cookie.as_str(), &anna.csrf, PASSWORD, "$argon2id"] {
        assert!(!has(hidden), "{hidden}");
    }
    let raw: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&anna.cookie[2 * at..][..2], 16).unwrap()).collect();
    assert!(!octets.windows(32).any(|window| window == raw));
    let world = World::over(dir, Options::default()).await;
    with(&world, |_| {}).await;
    assert!(anna.is_known(&world).await);
}

#[tokio::test]
async fn a_session_has_an_end_and_so_has_sitting_idle() {
    for (session, idle) in
        [(Duration::ZERO, Duration::from_secs(60)), (Duration::from_secs(60), Duration::ZERO)]
    {
        let world = world().await;
        with(&world, |settings| {
            settings.console.session = session;
            settings.console.idle = idle;
        })
        .await;
        let anna = sign_in(&world, &named("anna")).await;
        assert!(!anna.is_known(&world).await);
        // It is gone, not only out of time.
        with(&world, |_| {}).await;
        assert!(!anna.is_known(&world).await);
    }
}

#[tokio::test]
async fn of_one_person_the_oldest_sessions_make_room() {
    let world = world().await;
    let first = sign_in(&world, &json!({"token": secret(Role::Admin)})).await;
    let anna = sign_in(&world, &named("anna")).await;
    let mut last = first.clone();
    for _ in 0..store::SignIn::MOST {
        last = sign_in(&world, &json!({"token": secret(Role::Admin)})).await;
    }
    assert!(!first.is_known(&world).await);
    assert!(last.is_known(&world).await && anna.is_known(&world).await);
}

#[tokio::test]
async fn the_cookie_is_secure_where_a_proxy_of_ours_speaks_https() {
    let world = world().await;
    with(&world, |settings| {
        settings.proxies = vec![b2bua::Network { address: [127, 0, 0, 1].into(), prefix: 8 }];
    })
    .await;
    let request = world.bare(Method::POST, "/v1/session").header("x-forwarded-proto", "https");
    let answer = world.send(request.json(&named("anna"))).await;
    assert!(answer.header("set-cookie").ends_with("; HttpOnly; SameSite=Strict; Secure"), "{answer:?}");
    // Strictly speaking HTTPS is the proxy's to demand.
    assert_eq!(answer.header("strict-transport-security"), "");
}

#[tokio::test]
async fn who_came_and_went_and_who_failed_is_written_down() {
    let world = world().await;
    let anna = sign_in(&world, &named("anna")).await;
    world.send(anna.ask(&world, Method::DELETE, "/v1/session")).await;
    try_to(&world, &json!({"user": "anna", "password": "wrong"})).await;
    // What stands in the wrong field may be a password.
    try_to(&world, &json!({"user": PASSWORD, "password": "anna"})).await;
    let audit = world.get(Role::Admin, "/v1/audit").await;
    assert!(!audit.text().contains(PASSWORD), "{}", audit.text());
    let audit = audit.json();
    let told: Vec<[&str; 2]> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| ["who", "what"].map(|name| entry[name].as_str().unwrap()))
        .collect();
    let expected = [
        ["unknown", "session.refused"],
        ["anna", "session.refused"],
        ["anna", "session.ended"],
        ["anna", "session.begun"],
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn browsers_are_given_the_console() {
    let world = world().await;
    let page = world.bare(Method::GET, "/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers()["cache-control"], "no-cache");
    let tag = page.headers()["etag"].clone();
    let text = page.text().await.unwrap();
    let known = world.bare(Method::GET, "/").header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((known.status().as_u16(), known.headers()["etag"].clone()), (304, tag.clone()));
    assert_eq!(known.bytes().await.unwrap().len(), 0);
    let packed = world.bare(Method::GET, "/").header("accept-encoding", "br, gzip").send().await.unwrap();
    if packed.headers().contains_key("content-encoding") {
        assert_ne!(packed.headers()["etag"], tag);
        assert!(packed.bytes().await.unwrap().len() < text.len());
    }
    let asset = text.split("/assets/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let asset = world.bare(Method::GET, &format!("/assets/{asset}")).send().await.unwrap();
    assert_eq!(asset.headers()["cache-control"], "public, max-age=31536000, immutable");
    for outside in
        ["/assets/../index.html", "/assets/%2e%2e/index.html", "/assets/none.js", "/assets/", "/index.html"]
    {
        let none = world.bare(Method::GET, outside).send().await.unwrap();
        assert!(matches!(none.status().as_u16(), 404 | 200), "{outside}");
        assert!(none.status() == 404 || none.text().await.unwrap() == text, "{outside}");
    }
    with(&world, |settings| settings.console.enabled = false).await;
    assert_eq!(world.bare(Method::GET, "/").send().await.unwrap().status(), 404);
}
