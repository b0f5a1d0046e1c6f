//! Recordings of calls through the real program: paused, sealed, as Opus, cut off by a kill.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tests::peer::Call;
use tests::program::binary;
use tests::scene::{COURIER, Scene};
use tests::{tone, wait, wav};

/// A scene that seals its recordings; the file of the key.
fn sealed(format: &str) -> (Scene, tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, format!("{}\n", "5a".repeat(32))).unwrap();
    let path = key.to_string_lossy().into_owned();
    let scene = Scene::brief(|config| {
        config.set("recording.key_file", path).set("recording.format", format.to_owned())
    });
    (scene, dir, key)
}

fn live(scene: &Scene) -> String {
    let (_, calls) = scene.bauta.http("GET", "/v1/calls", None);
    calls["items"][0]["id"].as_str().unwrap().to_owned()
}

fn pause(scene: &Scene, call: &str, state: &str) -> (u16, Value) {
    let body = json!({ "state": state });
    scene.bauta.http("POST", &format!("/v1/calls/{call}/recording"), Some(&body))
}

/// Both speak tones nobody spoke before, and hear each other.
fn talk(out: &mut Call, back: &mut Call, caller: f64, callee: f64) {
    out.media.play(&tone::sine(caller, 1.0));
    back.media.play(&tone::sine(callee, 1.0));
    for (call, hertz) in [(back, caller), (out, callee)] {
        wait::until_true("a tone of a second", wait::LATER, || {
            tone::seconds(&call.media.heard(), tone::RATE, hertz) > 0.8
        });
    }
}

/// The one file there is.
fn file(scene: &Scene) -> PathBuf {
    let mut files = std::fs::read_dir(scene.bauta.dir().join("recordings")).unwrap();
    files.next().unwrap().unwrap().path()
}

fn decrypt(scene: &Scene, key: &PathBuf, out: &str) -> (Option<i32>, String, PathBuf) {
    let out = scene.bauta.dir().join(out);
    let mut command = Command::new(binary());
    command.args(["recording", "decrypt"]).arg(file(scene)).arg("--key-file").arg(key).arg("--out").arg(&out);
    let done = command.output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned(), out)
}

#[test]
fn a_paused_and_sealed_recording_has_all_but_the_pause() {
    let (scene, dir, key) = sealed("wav");
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    let call = live(&scene);
    assert_eq!(pause(&scene, &call, "paused"), (200, json!({ "state": "paused" })));
    talk(&mut out, &mut back, 600.0, 1400.0);
    assert_eq!(pause(&scene, &call, "recording"), (200, json!({ "state": "recording" })));
    talk(&mut out, &mut back, 800.0, 1800.0);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!(record["recording"], json!(format!("{call}.wav.sealed")));
    assert_eq!(record["recording_fault"], json!(null));
    let paused = record["recording_paused_seconds"].as_f64().unwrap();
    assert!((0.8..10.0).contains(&paused), "{record:#}");
    assert_eq!(pause(&scene, &call, "paused").0, 404, "it is over");

    let octets = scene.bauta.recording(&call);
    let plain = dir.path().join("plain.wav");
    std::fs::write(&plain, &octets).unwrap();
    let recording = wav::read(&plain);
    let whole = recording.channels[0].len() as f64 / f64::from(recording.rate);
    let lasted = record["duration_seconds"].as_f64().unwrap();
    assert!((whole - lasted).abs() < 1.0, "{whole} s of a call of {lasted} s: the pause has its place");
    let seconds = |channel: usize, hertz| tone::seconds(&recording.channels[channel], recording.rate, hertz);
    let kept = [seconds(0, 440.0), seconds(1, 1000.0), seconds(0, 800.0), seconds(1, 1800.0)];
    assert!(kept.iter().all(|seconds| *seconds > 0.2), "{kept:?}");
    let left_out = [seconds(0, 600.0), seconds(1, 1400.0)];
    assert!(left_out.iter().all(|seconds| *seconds < 0.1), "{left_out:?}");

    let on_disk = std::fs::read(file(&scene)).unwrap();
    assert!(!on_disk.windows(4).any(|window| window == b"RIFF"), "nothing of it lies in the clear");
    let (code, told, opened) = decrypt(&scene, &key, "opened.wav");
    assert_eq!((code, told.as_str()), (Some(0), ""));
    assert_eq!(std::fs::read(opened).unwrap(), octets);
    let other = dir.path().join("other");
    std::fs::write(&other, [1; 32]).unwrap();
    let (code, told, opened) = decrypt(&scene, &other, "wrong.wav");
    assert!(code == Some(1) && told.contains("sealed with the key") && !opened.exists(), "{told}");
    std::fs::write(file(&scene), &on_disk[..on_disk.len() - 1]).unwrap();
    let (code, told, _) = decrypt(&scene, &key, "cut.wav");
    assert!(code == Some(1) && told.contains("no end"), "{told}");
    scene.bauta.assert_no_fault();
    let (status, problem) = scene.bauta.http("GET", &format!("/v1/recordings/{call}"), None);
    assert_eq!((status, &problem["code"]), (500, &json!("recording-unreadable")));
    scene.assert_masked();
}

/// Pages of an Ogg file: kind, and granule position (RFC 3533 §6).
fn pages(mut ogg: &[u8]) -> Vec<(u8, u64)> {
    let mut pages = Vec::new();
    while !ogg.is_empty() {
        assert!(ogg.starts_with(b"OggS"), "whole pages only");
        let lengths = &ogg[27..27 + usize::from(ogg[26])];
        let length = 27 + lengths.len() + lengths.iter().map(|length| usize::from(*length)).sum::<usize>();
        pages.push((ogg[5], u64::from_le_bytes(ogg[6..14].try_into().unwrap())));
        ogg = &ogg[length..];
    }
    pages
}

/// What a page that ends its stream has set.
const END: u8 = 4;

#[test]
fn an_opus_recording_is_as_long_as_the_call() {
    let scene = Scene::brief(|config| config.set("recording.format", "opus"));
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    talk(&mut out, &mut back, 600.0, 1400.0);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    let octets = scene.bauta.recording(record["id"].as_str().unwrap());
    assert_eq!(&octets[28..38], b"OpusHead\x01\x02");
    let pages = pages(&octets);
    let (kind, position) = *pages.last().unwrap();
    assert_eq!(kind & END, END);
    let (whole, lasted) = (position as f64 / 48_000.0, record["duration_seconds"].as_f64().unwrap());
    assert!((whole - lasted).abs() < 1.0, "{whole} s of a call of {lasted} s");
    assert!(octets.len() as f64 / whole < 6_000.0, "{} octets of {whole} s", octets.len());
    scene.bauta.assert_no_fault();
}

#[test]
fn a_kill_leaves_an_opus_recording_of_all_but_the_last_moments() {
    for is_sealed in [false, true] {
        let (mut scene, _dir) = if is_sealed {
            let (scene, dir, _) = sealed("opus");
            (scene, Some(dir))
        } else {
            (Scene::brief(|config| config.set("recording.format", "opus")), None)
        };
        scene.put_order();
        let (mut out, mut back) = scene.talking(COURIER);
        talk(&mut out, &mut back, 600.0, 1400.0);
        // Until some of it is on the disk: the headers, and two seconds.
        let grown = || std::fs::metadata(file(&scene)).unwrap().len() > 7_000;
        wait::until_true("two pages", wait::LATER, || {
            out.media.play(&tone::sine(600.0, 0.5));
            grown()
        });
        scene.bauta.kill_and_restart();
        // The call goes on, its recording does not.
        out.hang_up();
        back.expect_bye();
        let record = scene.bauta.await_record();
        assert_eq!(record["recording_fault"], json!("broken off: the node died"));
        let octets = scene.bauta.recording(record["id"].as_str().unwrap());
        // A page may be cut in a sealed one, as in any stream that is cut; players pass over that.
        let whole = octets.windows(4).rposition(|window| window == b"OggS").unwrap();
        let pages = pages(if is_sealed { &octets[..whole] } else { &octets });
        let (kind, position) = *pages.last().unwrap();
        assert!(position >= 48_000, "{position}");
        assert!(is_sealed || kind & END == END);
        scene.bauta.assert_no_fault();
    }
}
