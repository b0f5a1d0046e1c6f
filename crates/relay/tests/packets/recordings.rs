//! What is recorded.

use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use recording::Settings as Recordings;
use rtp::{Command, Law, Library, Report, SessionId};

use crate::phone::{LOUD, Phone, loudness, talk};
use crate::stage::Stage;

/// The caller speaks in the first half second of each second, the callee in the other.
#[test]
fn caller_and_callee_lie_side_by_side_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().join("recordings");
    let mut stage = Stage::new(&["127.0.0.1"], Library::default(), Recordings::wav(recordings.clone()));
    let ([(first, to_first), (second, to_second)], law) = ([0, 1].map(|place| stage.port(0, place)), Law::A);
    let mut one = Phone::new("127.0.0.1", to_first, law, 500.0);
    let mut two = Phone::new("127.0.0.1", to_second, law, 1_000.0);
    stage.open(1, first, &one, law);
    stage.open(2, second, &two, law);
    let session = SessionId(1);
    stage.give(Command::Bridge { first: session, second: SessionId(2) });
    stage.give(Command::Record { session, name: "call.wav".into() });
    talk(&mut [&mut one, &mut two], 100, |phone, packet| (packet / 25) % 2 == phone as u32);
    stage.close(1);
    let recorded = stage.until(|report| matches!(report, Report::Recorded { .. }));
    assert_eq!(recorded, Report::Recorded { session, fault: None });

    assert_eq!(std::fs::metadata(&recordings).unwrap().permissions().mode() & 0o777, 0o700);
    let reader = hound::WavReader::open(recordings.join("call.wav")).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 8_000, 16));
    let samples: Vec<i16> = reader.into_samples().collect::<Result<_, _>>().unwrap();
    let [left, right] = [0, 1].map(|side| samples.iter().skip(side).step_by(2).copied().collect::<Vec<_>>());
    assert!(left.len() >= 15_500 && left.len() < 20_000, "{} frames of two seconds", left.len());
    // Where the first tone begins, all else follows from; loopback adds less than 100 ms to the clock.
    let begin = left.iter().position(|sample| sample.unsigned_abs() > 1_000).unwrap();
    assert!(begin < 800, "{begin}");
    for half in 0..4 {
        let window = begin + half * 4_000 + 600..begin + (half + 1) * 4_000 - 600;
        let Some((left, right)) = left.get(window.clone()).zip(right.get(window)) else { continue };
        let [caller, callee] = [loudness(left, 500.0), loudness(right, 1_000.0)];
        let (loud, quiet) = if half % 2 == 0 { (caller, callee) } else { (callee, caller) };
        assert!((loud - LOUD).abs() < 0.03, "{loud} in half second {half}");
        assert!(quiet < 0.005, "{quiet} in half second {half}");
        assert!(loudness(left, 1_000.0) < 0.005 && loudness(right, 500.0) < 0.005, "each on its own side");
    }
}

#[test]
fn a_recording_that_cannot_be_written_is_reported_and_the_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().join("recordings");
    let mut stage = Stage::new(&["127.0.0.1"], Library::default(), Recordings::wav(recordings.clone()));
    let (port, to) = stage.port(0, 0);
    let mut phone = Phone::new("127.0.0.1", to, Law::Mu, 440.0);
    stage.open(1, port, &phone, Law::Mu);
    stage.give(Command::Record { session: SessionId(1), name: "../escape.wav".into() });
    let recorded = stage.until(|report| matches!(report, Report::Recorded { .. }));
    let Report::Recorded { fault: Some(fault), .. } = recorded else { panic!("{recorded:?}") };
    assert!(fault.contains("file name"), "{fault}");
    talk(&mut [&mut phone], 3, |_, _| true);
    assert_eq!(stage.close(1).packets_received, 3);
    assert!(!folder.path().join("escape.wav").exists());
}

/// The thread that writes stands still in the midst of a report, as it does where a disk takes nothing.
#[test]
fn a_recorder_that_stands_still_is_not_heard_in_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let (stalled, stall) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let gate = Mutex::new((stalled, may_go_on));
    let recordings = Recordings::wav(folder.path().into());
    let mut stage = Stage::telling(&["127.0.0.1"], Library::default(), recordings, move |report| {
        if matches!(report, Report::Recorded { fault: Some(_), .. }) {
            let gate = gate.lock().unwrap();
            gate.0.send(()).unwrap();
            gate.1.recv().unwrap();
        }
    });
    let ([(first, to_first), (second, to_second)], law) = ([0, 1].map(|place| stage.port(0, place)), Law::A);
    let mut one = Phone::new("127.0.0.1", to_first, law, 500.0);
    let mut two = Phone::new("127.0.0.1", to_second, law, 1_000.0);
    stage.open(1, first, &one, law);
    stage.open(2, second, &two, law);
    stage.give(Command::Bridge { first: SessionId(1), second: SessionId(2) });
    stage.give(Command::Record { session: SessionId(1), name: "call.wav".into() });
    stage.give(Command::Record { session: SessionId(2), name: "../nowhere".into() });
    stall.recv().unwrap();
    talk(&mut [&mut one, &mut two], 100, |_, _| true);
    assert!((two.hears(500.0) - LOUD).abs() < 0.03, "{}", two.hears(500.0));
    assert!((one.hears(1_000.0) - LOUD).abs() < 0.03, "{}", one.hears(1_000.0));
    assert_eq!(stage.close(1).packets_received, 100);
    assert_eq!(stage.close(2).packets_received, 100);
    go_on.send(()).unwrap();
    let recorded = stage.until(|report| matches!(report, Report::Recorded { session: SessionId(1), .. }));
    assert_eq!(recorded, Report::Recorded { session: SessionId(1), fault: None }, "it had room to wait");
}
