//! What plays to a session.

use std::collections::BTreeSet;
use std::sync::Arc;

use rtp::{Codec, Command, Law, Library, Media, PlayId, Prompt, Report, SessionId, g711};

use crate::world::{CALLER, Sent, World, assert_one_stream, caller_address, format, media};

fn levels(sent: &[Sent], law: Law) -> Vec<i16> {
    sent.iter().flat_map(|sent| sent.payload()).map(|octet| g711::decode(law, *octet)).collect()
}

#[test]
fn prompts_go_out_at_the_agreed_pace_without_a_seam_between_them() {
    for ptime in [10u8, 20, 30, 40, 60] {
        let mut world = World::new();
        let mut agreed = media(caller_address(), Codec::Pcmu);
        agreed.format.ptime = ptime;
        world.open(CALLER, agreed);
        world.play(CALLER, &[1, 3, 2], false);
        world.run(2000);
        let sent = world.take_sent(CALLER);
        assert_one_stream(&sent);
        for pair in sent.windows(2) {
            assert_eq!(pair[1].at.since(pair[0].at).as_millis(), ptime.into());
            let step = pair[1].header().timestamp.wrapping_sub(pair[0].header().timestamp);
            assert_eq!(step, 8 * u32::from(ptime));
        }
        assert!(sent.iter().all(|sent| sent.payload().len() == 8 * usize::from(ptime)));
        let mut heard = levels(&sent, Law::Mu);
        assert!(heard.iter().skip(4800).all(|level| *level == 0), "the last packet is filled with silence");
        heard.truncate(4800);
        heard.dedup();
        let expected: Vec<_> = [1000, 3000, 2000]
            .into_iter()
            .map(|level| g711::decode(Law::Mu, g711::encode(Law::Mu, level)))
            .collect();
        assert_eq!(heard, expected);
        let (finished, report) = world.wire.reports.last().unwrap();
        assert_eq!(*report, Report::Finished { session: CALLER, play: PlayId(7) });
        assert_eq!(*finished, sent.last().unwrap().at + std::time::Duration::from_millis(ptime.into()));
    }
}

#[test]
fn a_pace_nobody_can_keep_is_brought_within_bounds() {
    for (asked, octets) in [(0, 80), (1, 80), (61, 480), (255, 480)] {
        let mut world = World::new();
        let mut agreed = media(caller_address(), Codec::Pcmu);
        agreed.format.ptime = asked;
        world.open(CALLER, agreed);
        world.play(CALLER, &[1], false);
        world.run(500);
        assert!(world.take_sent(CALLER).iter().all(|sent| sent.payload().len() == octets), "{asked}");
    }
}

#[test]
fn sessions_that_begin_together_do_not_send_together() {
    let mut world = World::new();
    for n in 1..=100u32 {
        let address = format!("192.0.2.{n}:40000").parse().unwrap();
        world.open(SessionId(n), media(address, Codec::Pcma));
        world.play(SessionId(n), &[1], false);
    }
    world.run(20);
    assert_eq!(world.wire.sent.len(), 100);
    let moments: BTreeSet<_> = world.wire.sent.iter().map(|sent| sent.at.0.as_millis()).collect();
    assert!(moments.len() > 15, "{moments:?}");
}

#[test]
fn a_repeated_prompt_never_finishes_and_a_new_play_takes_its_place() {
    let mut world = World::new();
    world.open(CALLER, media(caller_address(), Codec::Pcma));
    world.play(CALLER, &[2, 1], true);
    world.run(10_000);
    assert_eq!(world.wire.reports, []);
    let mut heard = levels(&world.take_sent(CALLER), Law::A);
    assert!(heard.iter().all(|level| *level > 900));
    heard.dedup();
    assert_eq!(heard.len(), 2);
    world.play(CALLER, &[1], false);
    world.run(500);
    assert_eq!(world.wire.reports.len(), 1);
}

#[test]
fn what_was_stopped_is_heard_no_more_and_not_reported() {
    let mut world = World::new();
    world.open(CALLER, media(caller_address(), Codec::Pcma));
    world.play(CALLER, &[5], false);
    world.run(100);
    let count = world.take_sent(CALLER).len();
    assert_eq!(count, 5);
    world.command(Command::Stop { session: CALLER });
    world.run(1000);
    assert_eq!((world.take_sent(CALLER), &world.wire.reports), (vec![], &vec![]));
}

#[test]
fn what_plays_follows_a_new_description() {
    let mut world = World::new();
    world.open(CALLER, media(caller_address(), Codec::Pcma));
    world.play(CALLER, &[9], false);
    world.run(100);
    let moved = "192.0.2.11:41000".parse().unwrap();
    let mut format = format(Codec::Pcmu);
    format.ptime = 30;
    world.command(Command::Update { session: CALLER, media: Media { format, ..media(moved, Codec::Pcmu) } });
    world.run(1000);
    let sent = world.take_sent(CALLER);
    assert_one_stream(&sent);
    let (before, after) = sent.split_at(5);
    assert!(before.iter().all(|sent| sent.header().payload_type == 8 && sent.to == caller_address()));
    assert!(after.iter().all(|sent| sent.header().payload_type == 0 && sent.to == moved));
    assert!(after.iter().all(|sent| sent.payload().len() == 240));
    let samples: usize = sent.iter().map(|sent| sent.payload().len()).sum();
    assert_eq!(samples, 800 + 6400usize.next_multiple_of(240), "nothing of the prompt is lost");
}

#[test]
fn a_play_that_runs_keeps_its_library() {
    let mut world = World::new();
    world.open(CALLER, media(caller_address(), Codec::Pcma));
    world.play(CALLER, &[1, 2], false);
    world.run(60);
    world.worker.library(Arc::new(Library::new(vec![None, Some(Prompt::new(&[-4000; 800]))])));
    world.run(1000);
    assert!(levels(&world.take_sent(CALLER), Law::A).iter().all(|level| *level > 0));
    world.play(CALLER, &[1, 2], false);
    world.run(1000);
    let heard = levels(&world.take_sent(CALLER), Law::A);
    assert!(heard.len() == 800 && heard.iter().all(|level| *level < -3900));
}

#[test]
fn a_play_to_nobody_yet_comes_to_its_end() {
    let mut world = World::new();
    let nobody = Media { remote: None, ..media(caller_address(), Codec::Pcma) };
    world.open(CALLER, nobody);
    world.play(CALLER, &[1], false);
    world.run(200);
    assert_eq!(world.wire.sent, []);
    assert_eq!(world.wire.reports.len(), 1);
}
