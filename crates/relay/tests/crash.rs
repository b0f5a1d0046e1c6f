//! Recordings when the process is killed, and when the disk takes no more: each in a process of its own, which is
//! this program again.

#[path = "packets/phone.rs"]
mod phone;
#[path = "packets/stage.rs"]
mod stage;

use std::path::Path;
use std::process::{Child, Command as Program};
use std::time::{Duration, Instant};

use phone::{LOUD, PACKET, Phone, loudness, talk};
use recording::{Ending, Key, Keyring, Opened, Settings as Recordings};
use rtp::{Command, Law, Library, Report, SessionId};
use stage::Stage;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes a file may have where the disk is full: a second and a half of a recording.
const FULL: u64 = 48_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["call", folder] => call(folder),
        ["call-with-a-full-disk", folder] => call_with_a_full_disk(Recordings::wav(folder.into())),
        ["sealed-call-with-a-full-disk", folder] => call_with_a_full_disk(sealed(folder.as_ref())),
        _ => {
            a_killed_process_leaves_recordings_that_can_be_played_and_repaired();
            a_full_disk_ends_the_recording_and_not_the_call();
            a_full_disk_leaves_a_sealed_recording_that_can_be_read();
        }
    }
}

fn this_program(what: &str, folder: &Path) -> Child {
    let program = std::env::current_exe().expect("this program has a path");
    Program::new(program).arg(what).arg(folder).spawn().expect("this program runs")
}

/// Two phones, bridged; what they say is recorded.
fn two_phones(recordings: Recordings) -> (Stage, [Phone; 2]) {
    let name = format!("call.{}", recordings.suffix());
    let mut stage = Stage::new(&["127.0.0.1"], Library::default(), recordings);
    let phones = [(0, 500.0), (1, 1_000.0)].map(|(place, hertz)| {
        let (port, to) = stage.port(0, place);
        let phone = Phone::new("127.0.0.1", to, Law::Mu, hertz);
        stage.open(place as u32, port, &phone, Law::Mu);
        phone
    });
    stage.give(Command::Bridge { first: SessionId(0), second: SessionId(1) });
    stage.give(Command::Record { session: SessionId(0), name: name.into() });
    stage.settle();
    (stage, phones)
}

/// Talks until it is killed, or nobody kills it.
fn call(folder: &str) {
    let (_stage, [mut one, mut two]) = two_phones(Recordings::wav(folder.into()));
    talk(&mut [&mut one, &mut two], 50 * 60, |_, _| true);
}

fn call_with_a_full_disk(recordings: Recordings) {
    let limit = libc::rlimit { rlim_cur: FULL, rlim_max: FULL };
    // SAFETY: the pointer is to a live rlimit, which the call reads; nothing handles the signal here.
    unsafe {
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
    let (mut stage, [mut one, mut two]) = two_phones(recordings);
    talk(&mut [&mut one, &mut two], 150, |_, _| true);
    // A busy machine may be some packets behind.
    let start = Instant::now();
    while two.heard.len() < 150 * PACKET && start.elapsed() < PATIENCE {
        two.listen();
    }
    let recorded = stage.until(|report| matches!(report, Report::Recorded { .. }));
    let Report::Recorded { fault: Some(fault), .. } = recorded else { panic!("{recorded:?}") };
    assert!(fault.contains("broken off"), "{fault}");
    assert!((two.hears(500.0) - LOUD).abs() < 0.02, "{}", two.hears(500.0));
    assert_eq!(stage.close(0).packets_received, 150);
}

fn duration(path: &Path) -> Option<u32> {
    Some(hound::WavReader::open(path).ok()?.duration())
}

fn caller(path: &Path) -> Vec<i16> {
    let samples = hound::WavReader::open(path).expect("it can be played").into_samples::<i16>();
    samples.step_by(2).collect::<Result<_, _>>().expect("all of it")
}

/// How loud a tone is in most of the time: a busy machine lets packets come too late for their place.
fn mostly(samples: &[i16], hertz: f64) -> f64 {
    let mut parts: Vec<f64> = samples.chunks_exact(PACKET).map(|part| loudness(part, hertz)).collect();
    parts.sort_by(f64::total_cmp);
    parts[parts.len() / 2]
}

fn a_killed_process_leaves_recordings_that_can_be_played_and_repaired() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("call.wav");
    let mut child = this_program("call", folder.path());
    let start = Instant::now();
    // Until the header counts some sound, and there is more than it counts.
    let stale = || {
        let counted = duration(&path).filter(|frames| *frames > 4_000)?;
        let length = std::fs::metadata(&path).ok()?.len();
        (length > 44 + 4 * u64::from(counted)).then_some(counted)
    };
    let counted = loop {
        if let Some(counted) = stale() {
            break counted;
        }
        assert!(start.elapsed() < PATIENCE, "the recording grows");
        std::thread::yield_now();
    };
    child.kill().expect("it can be killed");
    child.wait().expect("it was killed");
    assert!(duration(&path) >= Some(counted), "playable as it is");
    recording::repair(&Recordings::wav(folder.path().into())).expect("the folder can be read and written");
    let frames = (std::fs::metadata(&path).expect("the file is there").len() - 44) / 4;
    assert_eq!(duration(&path).map(u64::from), Some(frames));
    assert!(frames > u64::from(counted));
    let caller = caller(&path);
    let tone = mostly(&caller[10 * PACKET..], 500.0);
    assert!((tone - LOUD).abs() < 0.03, "{tone}");
    assert_eq!(
        recording::repair(&Recordings::wav(folder.path().into())).expect("as before").repaired,
        Vec::<std::path::PathBuf>::new()
    );
}

fn a_full_disk_ends_the_recording_and_not_the_call() {
    let folder = TempDir::new().expect("a folder");
    let mut child = this_program("call-with-a-full-disk", folder.path());
    assert!(child.wait().expect("it ends").success(), "its own assertions hold");
    let path = folder.path().join("call.wav");
    let frames = duration(&path).expect("it can be played");
    assert!((8_000..=12_000).contains(&frames), "{frames}");
    let tone = mostly(&caller(&path)[10 * PACKET..], 500.0);
    assert!((tone - LOUD).abs() < 0.03, "{tone}");
}

fn sealed(folder: &Path) -> Recordings {
    let key = Key::read(&[7; 32]).expect("32 octets are a key");
    Recordings { keys: Keyring::new(vec![key]), ..Recordings::wav(folder.into()) }
}

fn a_full_disk_leaves_a_sealed_recording_that_can_be_read() {
    let folder = TempDir::new().expect("a folder");
    let mut child = this_program("sealed-call-with-a-full-disk", folder.path());
    assert!(child.wait().expect("it ends").success(), "its own assertions hold");
    let path = folder.path().join("call.wav.sealed");
    let opened = Opened::open(&path, &sealed(folder.path()).keys).expect("it can be read");
    assert_eq!(opened.ending(), Ending::BrokenOff);
    let octets = opened.read_at(0, 1 << 20).expect("all of it");
    let plain = folder.path().join("plain.wav");
    std::fs::write(&plain, octets).expect("this disk is not full");
    let frames = duration(&plain).expect("it can be played");
    assert!((8_000..=12_000).contains(&frames), "{frames}");
}
