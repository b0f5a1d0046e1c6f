//! `/v1/recordings`.

use api::Role;
use axum::http::Method;

use crate::records::record;
use crate::world::{Answer, World};

const SOUND: &[u8] = b"RIFF0123456789";

/// A world with one recording; its path.
async fn recorded() -> (World, String) {
    let world = World::new().await;
    let mut kept = record(0);
    let name = format!("{}.wav", kept.id);
    std::fs::write(world.recordings().join(&name), SOUND).unwrap();
    kept.recording = Some(name);
    let path = format!("/v1/recordings/{}", kept.id);
    world.store.finish(&kept, vec![]).unwrap();
    (world, path)
}

async fn ranged(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = world.ask(Role::App, Method::GET, path);
    world.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test]
async fn a_recording_is_fetched_whole_and_by_parts() {
    let (world, path) = recorded().await;
    let whole = world.get(Role::App, &path).await;
    assert_eq!((whole.status, &whole.body[..]), (200, SOUND));
    assert_eq!((whole.header("content-type"), whole.header("accept-ranges")), ("audio/wav", "bytes"));
    assert_eq!(world.get(Role::App, &format!("{path}.wav")).await.body, whole.body);
    for (range, content, bytes) in [
        ("bytes=0-3", "bytes 0-3/14", &SOUND[..4]),
        ("bytes=4-", "bytes 4-13/14", &SOUND[4..]),
        ("bytes=-4", "bytes 10-13/14", &SOUND[10..]),
        ("bytes=10-99", "bytes 10-13/14", &SOUND[10..]),
    ] {
        let part = ranged(&world, &path, &[("range", range)]).await;
        assert_eq!((part.status, part.header("content-range"), &part.body[..]), (206, content, bytes));
    }
    let beyond = ranged(&world, &path, &[("range", "bytes=14-")]).await;
    assert_eq!(beyond.problem().1, "range-not-satisfiable");
    assert_eq!(beyond.header("content-range"), "bytes */14");
    let several = ranged(&world, &path, &[("range", "bytes=0-1,4-5")]).await;
    assert_eq!((several.status, &several.body[..]), (200, SOUND));
}

#[tokio::test]
async fn a_tag_spares_fetching_twice_and_guards_parts() {
    let (world, path) = recorded().await;
    let tag = world.get(Role::App, &path).await.header("etag").to_owned();
    let known = ranged(&world, &path, &[("if-none-match", &format!("\"x\", {tag}"))]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let part = ranged(&world, &path, &[("range", "bytes=0-3"), ("if-range", &tag)]).await;
    assert_eq!(part.status, 206);
    let other = ranged(&world, &path, &[("range", "bytes=0-3"), ("if-range", "\"another\"")]).await;
    assert_eq!((other.status, &other.body[..]), (200, SOUND));
}

#[tokio::test]
async fn the_head_of_a_recording_tells_its_length() {
    let (world, path) = recorded().await;
    let head = world.send(world.ask(Role::App, Method::HEAD, &path)).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "14", 0));
}

#[tokio::test]
async fn no_name_leads_out_of_the_directory() {
    let (world, _) = recorded().await;
    std::fs::write(world.dir.path().join("secret.wav"), "secret").unwrap();
    let mut damaged = record(1);
    damaged.recording = Some("../secret.wav".into());
    world.store.finish(&damaged, vec![]).unwrap();
    for id in [
        record(1).id.to_string(),
        "..%2Fsecret.wav".to_owned(),
        "%2e%2e%2fsecret".to_owned(),
        "..%5csecret".to_owned(),
        "secret.wav%00".to_owned(),
        "%2Fetc%2Fpasswd".to_owned(),
        record(2).id.to_string(),
    ] {
        let answer = world.get(Role::App, &format!("/v1/recordings/{id}")).await;
        assert_eq!(answer.problem(), (404, "recording-unknown".into(), None), "{id}");
        let answer = world.delete(Role::Admin, &format!("/v1/recordings/{id}")).await;
        assert_eq!(answer.problem(), (404, "recording-unknown".into(), None), "{id}");
    }
    assert!(world.dir.path().join("secret.wav").exists());
}

#[tokio::test]
async fn a_deleted_recording_is_gone_and_its_record_stays() {
    let (world, path) = recorded().await;
    assert_eq!(world.delete(Role::Admin, &path).await.status, 204);
    assert_eq!(world.get(Role::App, &path).await.problem(), (404, "recording-unknown".into(), None));
    assert_eq!(world.delete(Role::Admin, &path).await.problem(), (404, "recording-unknown".into(), None));
    assert_eq!(world.get(Role::App, &format!("/v1/records/{}", record(0).id)).await.status, 200);
    assert_eq!(std::fs::read_dir(world.recordings()).unwrap().count(), 0);
}
