//! `/v1/recordings`.

use std::path::PathBuf;

use api::Role;
use axum::http::Method;
use recording::{Format, Key, Keyring, Recording};

use crate::records::record;
use crate::world::{Answer, World, settings};

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
async fn a_deleted_recording_is_told_as_deleted_and_its_record_stays() {
    let (world, path) = recorded().await;
    let gone = (410, "recording-deleted".into(), None);
    assert_eq!(world.delete(Role::Admin, &path).await.status, 204);
    assert_eq!(world.get(Role::App, &path).await.problem(), gone);
    assert_eq!(world.delete(Role::Admin, &path).await.problem(), gone);
    let record_path = format!("/v1/records/{}", record(0).id);
    assert_eq!(world.get(Role::App, &record_path).await.status, 200);
    assert_eq!(std::fs::read_dir(world.recordings()).unwrap().count(), 0);
}

#[tokio::test]
async fn one_that_was_never_written_is_not_told_as_deleted() {
    let world = World::new().await;
    let mut kept = record(0);
    kept.recording = Some(format!("{}.wav", kept.id));
    kept.recording_fault = Some("cannot be written: no space".into());
    world.store.finish(&kept, vec![]).unwrap();
    let answer = world.get(Role::App, &format!("/v1/recordings/{}", kept.id)).await;
    assert_eq!(answer.problem(), (404, "recording-unknown".into(), None));
    assert!(answer.json()["detail"].as_str().unwrap().contains("no space"), "{:?}", answer.json());
}

/// Half a second of sound.
fn frames() -> Vec<[i16; 2]> {
    (0..4_000).map(|place| [place, -place]).collect()
}

#[tokio::test]
async fn damage_in_the_midst_of_an_answer_breaks_it_off() {
    let (world, _, _) = sealed(&[1], 1, Format::Wav).await;
    let mut kept = record(1);
    let name = format!("{}.wav.sealed", kept.id);
    let mut sound = Recording::create(&files(&world, &[1], Format::Wav), &name).unwrap();
    (0..20).for_each(|_| sound.add(&frames()).unwrap());
    sound.finish().unwrap();
    let file = world.recordings().join(&name);
    kept.recording = Some(name);
    world.store.finish(&kept, vec![]).unwrap();
    let mut octets = std::fs::read(&file).unwrap();
    octets[200_000] ^= 1;
    std::fs::write(&file, &octets).unwrap();
    let path = format!("/v1/recordings/{}", kept.id);
    let answer = world.ask(Role::App, Method::GET, &path).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.content_length()), (200, Some(320_044)));
    assert!(answer.bytes().await.is_err(), "nobody takes it for whole");
    // What lies before the damage and behind it can still be had.
    for range in ["bytes=0-99999", "bytes=250000-"] {
        assert_eq!(ranged(&world, &path, &[("range", range)]).await.status, 206, "{range}");
    }
}

/// Where a world has its recordings, with these keys.
fn files(world: &World, octets: &[u8], format: Format) -> recording::Settings {
    let keys = octets.iter().map(|one| Key::read(&[*one; 32]).unwrap()).collect();
    recording::Settings { folder: world.recordings(), format, keys: Keyring::new(keys) }
}

/// A world whose server has these keys, with a whole recording sealed with that one; its path and its file.
async fn sealed(server: &[u8], with: u8, format: Format) -> (World, String, PathBuf) {
    let world = World::new().await;
    let recordings = files(&world, server, format);
    world.gate.configure(api::Settings { recordings, ..settings(world.dir.path()) }).await;
    let files = files(&world, &[with], format);
    let mut kept = record(0);
    let name = format!("{}.{}", kept.id, files.suffix());
    let mut sound = Recording::create(&files, &name).unwrap();
    sound.add(&frames()).unwrap();
    sound.finish().unwrap();
    let (file, path) = (world.recordings().join(&name), format!("/v1/recordings/{}", kept.id));
    kept.recording = Some(name);
    world.store.finish(&kept, vec![]).unwrap();
    (world, path, file)
}

#[tokio::test]
async fn a_sealed_recording_is_opened_on_the_way_whole_and_by_parts() {
    let (world, path, file) = sealed(&[2, 1], 1, Format::Wav).await;
    let whole = world.get(Role::App, &path).await;
    assert_eq!((whole.status, whole.header("content-type")), (200, "audio/wav"));
    let sound: Vec<u8> = frames().as_flattened().iter().flat_map(|sample| sample.to_le_bytes()).collect();
    assert_eq!((&whole.body[..4], &whole.body[44..]), (&b"RIFF"[..], &sound[..]));
    assert_eq!(whole.header("content-length"), "16044");
    // Across the header's end, and across the borders of chunks.
    for (first, last) in [(0, 43), (40, 47), (44 + 2_047, 44 + 2_048), (100, 9_000), (16_043, 16_043)] {
        let part = ranged(&world, &path, &[("range", &format!("bytes={first}-{last}"))]).await;
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[first..=last]), "{first}-{last}");
        assert_eq!(part.header("content-range"), format!("bytes {first}-{last}/16044"));
    }
    assert!(!std::fs::read(file).unwrap().windows(4).any(|window| window == b"RIFF"));
}

#[tokio::test]
async fn opus_is_answered_as_ogg() {
    let (world, path, _) = sealed(&[1], 1, Format::Opus).await;
    let whole = world.get(Role::Operator, &format!("{path}.opus.sealed")).await;
    assert_eq!((whole.status, whole.header("content-type")), (200, "audio/ogg"));
    assert_eq!((&whole.body[..4], &whole.body[28..36]), (&b"OggS"[..], &b"OpusHead"[..]));
}

#[tokio::test]
async fn without_the_key_nothing_is_answered_but_why() {
    for server in [&[][..], &[2]] {
        let (world, path, _) = sealed(server, 1, Format::Wav).await;
        let answer = world.get(Role::App, &path).await;
        assert_eq!(answer.problem(), (500, "recording-unreadable".into(), None));
        assert!(answer.json()["detail"].as_str().unwrap().contains("key"), "{:?}", answer.json());
    }
}

#[tokio::test]
async fn a_recording_that_is_not_the_one_written_is_told() {
    let damaged = (500, "recording-unreadable".into(), None);
    let (world, path, file) = sealed(&[1], 1, Format::Wav).await;
    let octets = std::fs::read(&file).unwrap();
    // Cut where a crash could have cut it, but the record knows of no crash.
    std::fs::write(&file, &octets[..83 + 2 * 2_064]).unwrap();
    assert_eq!(world.get(Role::App, &path).await.problem(), damaged);
    // Ended as a broken off one is, behind the record's back.
    recording::repair(&files(&world, &[1], Format::Wav)).unwrap();
    assert_eq!(world.get(Role::App, &path).await.problem(), damaged);
    let mut changed = octets.clone();
    changed[100] ^= 1;
    std::fs::write(&file, &changed).unwrap();
    assert_eq!(world.get(Role::App, &path).await.problem(), damaged);
    // Another call's recording in its place, sealed with the same key.
    Recording::create(&files(&world, &[1], Format::Wav), "other.wav.sealed").unwrap().finish().unwrap();
    std::fs::rename(world.recordings().join("other.wav.sealed"), &file).unwrap();
    assert_eq!(world.get(Role::App, &path).await.problem(), damaged);
}

#[tokio::test]
async fn what_a_crash_left_is_answered_as_far_as_it_came() {
    let (world, path, file) = sealed(&[1], 1, Format::Wav).await;
    let mut kept = record(1);
    let octets = std::fs::read(&file).unwrap();
    std::fs::write(&file, &octets[..octets.len() - 20]).unwrap();
    kept.recording = Some(file.file_name().unwrap().to_str().unwrap().into());
    kept.recording_fault = Some("broken off: the node died".into());
    world.store.finish(&kept, vec![]).unwrap();
    assert_eq!(world.get(Role::App, &path).await.status, 500, "that record is of a whole one");
    let answer = world.get(Role::App, &format!("/v1/recordings/{}", kept.id)).await;
    assert_eq!((answer.status, answer.body.len()), (200, 44 + 7 * 2_048));
}

#[tokio::test]
async fn a_waveform_is_drawn_of_each_form_and_written_down() {
    let world = World::new().await;
    for (n, format, keys) in [(0, Format::Wav, &[][..]), (1, Format::Opus, &[7])] {
        let files = files(&world, keys, format);
        world.gate.configure(api::Settings { recordings: files.clone(), ..settings(world.dir.path()) }).await;
        let mut kept = record(n);
        let name = format!("{}.{}", kept.id, files.suffix());
        let mut said = Recording::create(&files, &name).unwrap();
        said.add(&[[16_384, 0]; 8_000]).unwrap();
        said.finish().unwrap().sync().unwrap();
        kept.recording = Some(name);
        let path = format!("/v1/recordings/{}/peaks", kept.id);
        world.store.finish(&kept, vec![]).unwrap();
        let drawn = world.get(Role::Operator, &format!("{path}?points=100")).await;
        assert_eq!(drawn.status, 200, "{drawn:?}");
        let drawn = drawn.json();
        assert_eq!((&drawn["seconds"], &drawn["channels"]), (&1.0.into(), &2.into()));
        let loud = |channel: usize| {
            drawn["peaks"][channel].as_array().unwrap().iter().map(|part| part.as_f64().unwrap())
        };
        assert_eq!((loud(0).count(), loud(1).count()), (100, 100));
        assert!(loud(0).sum::<f64>() > 10.0 * loud(1).sum::<f64>(), "{drawn}");
        for points in ["99", "4001", "x"] {
            let wrong = world.get(Role::App, &format!("{path}?points={points}")).await;
            assert_eq!(wrong.problem(), (400, "parameter-invalid".into(), Some("points".into())));
        }
    }
    let audit = world.get(Role::Admin, "/v1/audit").await.json();
    let drawn = |entry: &&serde_json::Value| entry["what"] == "recording.drawn" && entry["status"] == 200;
    assert_eq!(audit["items"].as_array().unwrap().iter().filter(drawn).count(), 2);
    let (world, path) = recorded().await;
    assert_eq!(world.get(Role::App, &format!("{path}/peaks")).await.problem().1, "recording-unreadable");
}
