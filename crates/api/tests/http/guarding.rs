//! Who may do what, and what everyone may expect of every answer.

use api::Role;
use axum::http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::contract::document;
use crate::world::World;

/// Method, path with something in its braces, and roles of each operation of the document.
fn operations() -> Vec<(Method, String, Option<Vec<String>>)> {
    let mut all = Vec::new();
    for (pattern, item) in document()["paths"].as_object().unwrap() {
        let filled = |part: &str| match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some((_, verb)) => format!("x{verb}"),
            None => part.to_owned(),
        };
        let path: Vec<String> = pattern.split('/').map(filled).collect();
        for (method, operation) in item.as_object().unwrap() {
            let roles = operation.get("x-roles").map(|roles| {
                roles.as_array().unwrap().iter().map(|role| role.as_str().unwrap().to_owned()).collect()
            });
            all.push((method.to_uppercase().parse().unwrap(), path.join("/"), roles));
        }
    }
    all
}

#[tokio::test]
async fn every_operation_admits_the_roles_it_names_and_no_other() {
    let world = World::new().await;
    for (method, path, roles) in operations() {
        let Some(roles) = roles else {
            // Whoever signs in has to say as whom.
            let answer = world.send(world.bare(method, &path)).await;
            assert!(answer.status < 400 || path == "/v1/session" && answer.status == 415, "{path}");
            continue;
        };
        for role in Role::ALL {
            let response = world.ask(role, method.clone(), &path).send().await.unwrap();
            let admitted = response.status() != 403;
            assert_eq!(admitted, roles.iter().any(|may| may == role.word()), "{role} {method} {path}");
        }
        let refused = world.send(world.bare(method.clone(), &path)).await;
        assert_eq!(refused.problem().1, "unauthorized", "{method} {path}");
    }
}

#[tokio::test]
async fn a_refusal_says_how_to_be_admitted() {
    let world = World::new().await;
    let bare = world.send(world.bare(Method::GET, "/v1/orders")).await;
    assert_eq!((bare.status, bare.header("www-authenticate")), (401, "Bearer realm=\"bauta\""));
    for authorization in
        ["Bearer nonsense", "Bearer ", "Basic YXBwOmFwcC1zZWNyZXQ=", "app-secret", "Bearer app-secre"]
    {
        let request = world.bare(Method::GET, "/v1/orders").header("authorization", authorization);
        let wrong = world.send(request).await;
        assert_eq!(wrong.problem(), (401, "unauthorized".into(), None), "{authorization}");
        assert_eq!(wrong.header("www-authenticate"), "Bearer realm=\"bauta\", error=\"invalid_token\"");
    }
    let scheme = world.bare(Method::GET, "/v1/orders").header("authorization", "bearer app-secret");
    assert_eq!(world.send(scheme).await.status, 200);
    let other = world.get(Role::Metrics, "/v1/orders").await;
    assert_eq!(other.problem(), (403, "forbidden".into(), None));
    assert!(other.json()["detail"].as_str().unwrap().contains("admin or app or operator"));
}

#[tokio::test]
async fn new_tokens_count_from_the_next_request_on() {
    let world = World::new().await;
    assert_eq!(world.get(Role::App, "/v1/orders").await.status, 200);
    let mut settings = crate::world::settings(world.dir.path());
    settings.tokens.retain(|token| token.role() != Role::App);
    world.gate.configure(settings).await;
    assert_eq!(world.get(Role::App, "/v1/orders").await.status, 401);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let world = World::new().await;
    for path in ["/v1/nothing", "/v1/orders/1/2", "/v2/orders", "//", "/v1/orders/"] {
        assert_eq!(
            world.get(Role::Admin, path).await.problem(),
            (404, "no-such-path".into(), None),
            "{path}"
        );
    }
    let wrong = world.send(world.ask(Role::Admin, Method::POST, "/v1/orders/12345")).await;
    assert_eq!(wrong.problem(), (405, "method-not-allowed".into(), None));
    let mut allowed: Vec<&str> = wrong.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PATCH", "PUT"]);
    let unreadable = world.ask(Role::Admin, Method::GET, "/v1/orders/%ff").send().await.unwrap();
    assert_eq!(unreadable.status(), 400);
    assert_eq!(unreadable.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn every_answer_keeps_browsers_careful() {
    let world = World::new().await;
    for path in ["/healthz", "/v1/orders", "/v1/nothing"] {
        let answer = world.send(world.bare(Method::GET, path)).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

async fn raw(world: &World, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_connection_carries_one_request_after_the_other() {
    let world = World::new().await;
    let once = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut stream = raw(&world, &format!("{once}{once}{last}")).await;
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3);
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let world = World::new().await;
    let mut stream = raw(&world, "GET /healthz HTTP/1.1\r\n").await;
    let mut answer = String::new();
    let line = format!("X-A: {}\r\n", "x".repeat(1000));
    // Whoever is refused may find the connection gone while still writing.
    for _ in 0..64 {
        if stream.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn stopping_ends_streams_and_lets_go_of_the_socket() {
    let world = World::new().await;
    let response = world.ask(Role::App, Method::GET, "/v1/events").send().await.unwrap();
    let url = world.url.clone();
    world.stop().await;
    let text = response.text().await.unwrap();
    assert!(text.starts_with("retry:"), "{text}");
    assert!(TcpStream::connect(url.trim_start_matches("http://")).await.is_err());
}
