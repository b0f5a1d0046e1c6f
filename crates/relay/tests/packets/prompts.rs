//! What is played.

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtp::{Command, Law, Library, PlayId, Prompt, PromptId, Report, SessionId};

use crate::loopback::on_loopback;
use crate::phone::{LOUD, PACKET, Phone};

fn tone(hertz: f64, samples: u32) -> Library {
    let samples: Vec<i16> = (0..samples)
        .map(|n| ((TAU * hertz * f64::from(n) / 8_000.0).sin() * LOUD * 32_767.0) as i16)
        .collect();
    Library::new(vec![None, Some(Prompt::new(&samples))])
}

/// Listens until nothing came for a while.
fn listen(phone: &mut Phone) {
    let mut last = Instant::now();
    while last.elapsed() < Duration::from_millis(200) {
        if phone.listen() {
            last = Instant::now();
        }
    }
}

#[test]
fn a_prompt_is_heard_whole_and_its_end_is_reported() {
    let mut stage = on_loopback(tone(700.0, 4_000));
    let (port, to) = stage.port(0, 0);
    let mut phone = Phone::new("127.0.0.1", to, Law::A, 440.0);
    stage.open(1, port, &phone, Law::A);
    let (session, play) = (SessionId(1), PlayId(7));
    stage.give(Command::Play { session, play, prompts: vec![PromptId(1).into()], repeat: false });
    listen(&mut phone);
    assert!(phone.heard.len().abs_diff(4_000) < PACKET, "{}", phone.heard.len());
    assert!((phone.hears(700.0) - LOUD).abs() < 0.02, "{}", phone.hears(700.0));
    stage.until(|report| *report == Report::Finished { session, play });
}

#[test]
fn a_changed_library_is_played_from() {
    let mut stage = on_loopback(tone(700.0, 1_600));
    let (port, to) = stage.port(0, 0);
    let mut phone = Phone::new("127.0.0.1", to, Law::Mu, 440.0);
    stage.open(1, port, &phone, Law::Mu);
    stage.relay.change_library(&Arc::new(tone(1_300.0, 3_200)));
    stage.give(Command::Play {
        session: SessionId(1),
        play: PlayId(1),
        prompts: vec![PromptId(1).into()],
        repeat: false,
    });
    listen(&mut phone);
    assert!((phone.hears(1_300.0) - LOUD).abs() < 0.02, "{}", phone.hears(1_300.0));
    assert!(phone.hears(700.0) < 0.005, "{}", phone.hears(700.0));
}
