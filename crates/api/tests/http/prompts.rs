//! `/v1/prompts`.

use api::Role;
use axum::http::Method;

use crate::desk::SHIPPED;
use crate::world::{Answer, World};

async fn replace(world: &World, path: &str, kind: &str, body: Vec<u8>) -> Answer {
    let request = world.ask(Role::Admin, Method::PUT, path);
    world.send(request.header("content-type", kind).body(body)).await
}

#[tokio::test]
async fn a_prompt_is_fetched_replaced_and_restored() {
    let world = World::new().await;
    let path = "/v1/prompts/en/start";
    let shipped = world.get(Role::App, path).await;
    assert_eq!((shipped.header("content-type"), &shipped.body[..]), ("audio/wav", SHIPPED));
    let put = replace(&world, path, "audio/x-wav", b"RIFF own".to_vec()).await;
    assert_eq!((put.status, &put.json()["replaced"]), (200, &true.into()));
    assert_eq!(&world.get(Role::App, path).await.body[..], b"RIFF own");
    let list = world.get(Role::Operator, "/v1/prompts").await.json();
    let replaced: Vec<bool> =
        list["items"].as_array().unwrap().iter().map(|item| item["replaced"].as_bool().unwrap()).collect();
    assert_eq!(replaced, [false, true]);
    assert_eq!(world.delete(Role::Admin, path).await.json()["replaced"], false);
    assert_eq!(&world.get(Role::App, path).await.body[..], SHIPPED);
}

#[tokio::test]
async fn what_cannot_be_a_prompt_is_refused_with_the_reason() {
    let world = World::new().await;
    let unusable = replace(&world, "/v1/prompts/en/start", "audio/wav", b"ID3".to_vec()).await;
    assert_eq!(unusable.problem(), (422, "prompt-unusable".into(), None));
    assert_eq!(unusable.json()["detail"], "not a RIFF file");
    let kind = replace(&world, "/v1/prompts/en/start", "audio/mpeg", b"ID3".to_vec()).await;
    assert_eq!(kind.problem(), (415, "content-type".into(), None));
    let long = replace(&world, "/v1/prompts/en/start", "audio/wav", vec![0; api::MAX_PROMPT + 1]).await;
    assert_eq!(long.problem(), (413, "body-too-large".into(), None));
    for path in ["/v1/prompts/tlh/start", "/v1/prompts/en/..%2F..%2Fetc"] {
        let unknown = (404, "prompt-unknown".into(), None);
        assert_eq!(world.get(Role::App, path).await.problem(), unknown);
        assert_eq!(replace(&world, path, "audio/wav", b"RIFF".to_vec()).await.problem(), unknown);
        assert_eq!(world.delete(Role::Admin, path).await.problem(), unknown);
    }
}

#[tokio::test]
async fn a_prompt_is_made_of_a_text_and_a_text_can_be_heard_before() {
    let world = World::new().await;
    let path = "/v1/prompts/en/start";
    let text = |text: &str| serde_json::json!({ "text": text }).to_string().into_bytes();
    let put = replace(&world, path, "application/json", text("hello")).await;
    assert_eq!((put.status, &put.json()["replaced"]), (200, &true.into()));
    assert_eq!(&world.get(Role::App, path).await.body[..], b"RIFF hello");
    let preview = async |language: &str, text: &str| {
        let body = serde_json::json!({ "language": language, "text": text }).to_string();
        let request = world.ask(Role::Admin, Method::POST, "/v1/prompts:preview");
        world.send(request.header("content-type", "application/json").body(body.into_bytes())).await
    };
    let heard = preview("ru", "hello").await;
    assert_eq!((heard.header("content-type"), &heard.body[..]), ("audio/wav", &b"RIFF hello"[..]));
    for (status, problem, answer) in [
        (422, "text-invalid", replace(&world, path, "application/json", text(" ")).await),
        (422, "text-invalid", preview("ru", &"x".repeat(api::MAX_TEXT + 1)).await),
        (503, "speech-failed", replace(&world, path, "application/json", text("mute")).await),
        (503, "speech-failed", preview("en", "mute").await),
        (422, "unknown-language", preview("tlh", "hello").await),
    ] {
        let (told, code, _) = answer.problem();
        assert_eq!((told, code.as_str()), (status, problem));
    }
    assert_eq!(&world.get(Role::App, path).await.body[..], b"RIFF hello", "it is as it was");
}
