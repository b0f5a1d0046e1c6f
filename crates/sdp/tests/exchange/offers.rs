//! What we offer, and what we make of the answers.

use crate::corpus::{both_laws, description, local, text_of};
use sdp::{
    Agreed, Capabilities, Codec, Description, Direction, Local, Offer, Refused, Security, answer,
    read_answer, renew, write_answer, write_offer,
};

fn parse(text: &str) -> Description {
    Description::parse(text.as_bytes()).expect("a good description")
}

#[test]
fn an_offer_is_exactly_this() {
    assert_eq!(
        text_of(&write_offer(&local(), &Offer::first(&both_laws()))),
        "v=0\r\no=- 4611 7 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn two_of_us_agree() {
    let liking_alaw = Capabilities {
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        events: true,
        noise: false,
        ptime: 30,
        security: Security::Off,
        xr: false,
    };
    let offered = Offer::first(&liking_alaw);
    let offer = Description::parse(&write_offer(&local(), &offered)).unwrap();
    let theirs = answer(&offer, &both_laws()).unwrap();
    let other = Local { address: "2001:db8::1".parse().unwrap(), port: 30000, ..local() };
    let answer = Description::parse(&write_answer(&other, &offer, &theirs)).unwrap();
    let ours = read_answer(&answer, &offered).unwrap();
    for agreed in [&ours, &theirs] {
        assert_eq!(agreed.send, (Codec::Pcma, 8));
        assert_eq!(agreed.receive, [Some((Codec::Pcma, 8)), Some((Codec::Pcmu, 0)), None, None]);
        assert_eq!((agreed.event_send, agreed.event_receive), (Some(101), Some(101)));
        assert_eq!(agreed.ptime, 30);
        assert_eq!(agreed.direction, Direction::SendReceive);
    }
    assert_eq!(theirs.remote.unwrap().rtp, "198.51.100.1:20000".parse().unwrap());
    assert_eq!(ours.remote.unwrap().rtcp, "[2001:db8::1]:30001".parse().unwrap());
}

#[test]
fn an_answer_without_maps_is_read_by_the_static_table() {
    let agreed = read_answer(&description("linphone_answer"), &Offer::first(&both_laws())).unwrap();
    assert_eq!(agreed.send, (Codec::Pcma, 8));
    assert_eq!(agreed.event_send, Some(101));
}

#[test]
fn an_answer_without_the_map_of_our_event_means_what_we_offered() {
    let answer = parse("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 101\r\n");
    let agreed = read_answer(&answer, &Offer::first(&both_laws())).unwrap();
    assert_eq!((agreed.event_send, agreed.event_receive), (Some(101), Some(101)));
}

#[test]
fn payload_types_may_differ_by_direction() {
    let answer = parse(
        "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8 97\r\na=rtpmap:97 telephone-event/8000\r\n",
    );
    let agreed = read_answer(&answer, &Offer::first(&both_laws())).unwrap();
    assert_eq!((agreed.event_send, agreed.event_receive), (Some(97), Some(101)));
}

#[test]
fn an_answer_of_one_codec_still_lets_the_other_in() {
    let answer = parse("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n");
    let agreed = read_answer(&answer, &Offer::first(&both_laws())).unwrap();
    assert_eq!(agreed.receive, [Some((Codec::Pcma, 8)), Some((Codec::Pcmu, 0)), None, None]);
    assert_eq!((agreed.event_send, agreed.event_receive), (None, None));
}

#[test]
fn what_was_not_offered_is_not_agreed() {
    let only_alaw = Offer::first(&Capabilities {
        codecs: vec![Codec::Pcma],
        events: false,
        noise: false,
        ptime: 20,
        security: Security::Off,
        xr: false,
    });
    let answer = |formats: &str| {
        read_answer(
            &parse(&format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP {formats}\r\n")),
            &only_alaw,
        )
    };
    assert_eq!(answer("0"), Err(Refused::NoCodec));
    let agreed = answer("0 8 101\r\na=rtpmap:101 telephone-event/8000").unwrap();
    assert_eq!(agreed.send, (Codec::Pcma, 8));
    assert_eq!(agreed.event_send, None);
}

#[test]
fn refusals_in_answers_are_told_apart() {
    let answer = |text: &str| {
        read_answer(&parse(&format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{text}")), &Offer::first(&both_laws()))
    };
    assert_eq!(answer(""), Err(Refused::Mismatch));
    assert_eq!(answer("m=audio 0 RTP/AVP 0\r\n"), Err(Refused::NoAudio));
    assert_eq!(answer("m=video 4000 RTP/AVP 96\r\n"), Err(Refused::NoAudio));
    assert_eq!(answer("m=audio 4000 RTP/SAVP 0\r\n"), Err(Refused::Secured));
    assert_eq!(answer("m=sound 4000 RTP/AVP 0\r\n"), Err(Refused::NoAudio));
    assert_eq!(answer("m=audio 4000 RTP/XYZ 0\r\n"), Err(Refused::UnknownMedia));
}

/// RFC 3264 §8: the lines of the dialog stay where they were; §8.3.2: payload types keep their meaning.
#[test]
fn a_later_offer_keeps_lines_and_payload_types() {
    let offer = parse(
        "v=0\r\nc=IN IP4 192.0.2.1\r\nm=video 4002 RTP/AVP 101\r\nm=audio 4000 RTP/AVP 8 101 100\r\n\
         a=rtpmap:101 opus/48000/2\r\na=rtpmap:100 telephone-event/8000\r\n",
    );
    let agreed = answer(&offer, &both_laws()).unwrap();
    let again = Offer::again(&both_laws(), &agreed);
    let text = text_of(&write_offer(&local(), &again));
    assert!(text.contains("m=video 0 RTP/AVP 0\r\nm=audio 20000 RTP/AVP 0 8 100\r\n"), "{text}");

    let second = parse(
        "v=0\r\nc=IN IP4 192.0.2.1\r\nm=video 0 RTP/AVP 0\r\nm=audio 4000 RTP/AVP 8 100\r\n\
         a=rtpmap:100 telephone-event/8000\r\na=sendonly\r\n",
    );
    let agreed = read_answer(&second, &again).unwrap();
    assert_eq!(agreed.direction, Direction::ReceiveOnly);
    assert_eq!(agreed.event_send, Some(100));
}

#[test]
fn a_payload_type_with_a_meaning_of_theirs_gets_no_second_one() {
    let event_of = |agreed: &Agreed| {
        let text = text_of(&write_offer(&local(), &Offer::again(&both_laws(), agreed)));
        let line = text.lines().find(|line| line.contains("telephone-event")).map(str::to_owned);
        line.and_then(|line| line.strip_prefix("a=rtpmap:")?.split(' ').next()?.parse::<u8>().ok())
    };
    let agreed = |formats: &str| {
        answer(
            &parse(&format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8 {formats}\r\n")),
            &both_laws(),
        )
        .unwrap()
    };
    assert_eq!(event_of(&agreed("")), Some(101));
    assert_eq!(event_of(&agreed("101")), Some(96));
    let all: Vec<_> = (96..128).map(|format| format.to_string()).collect();
    assert_eq!(event_of(&agreed(&all.join(" "))), None);
}

/// RFC 3264 §8.
#[test]
fn the_version_moves_exactly_with_the_description() {
    let offer = description("asterisk_offer");
    let hold = description("asterisk_hold");
    let [agreed, held] = [&offer, &hold].map(|offer| answer(offer, &both_laws()).unwrap());
    let mut local = local();
    let first = write_answer(&local, &offer, &agreed);
    let same = renew(&mut local, &first, |local| write_answer(local, &offer, &agreed));
    assert_eq!((local.version, &same), (7, &first));
    let changed = renew(&mut local, &same, |local| write_answer(local, &hold, &held));
    assert_eq!(local.version, 8);
    assert!(text_of(&changed).contains("o=- 4611 8 IN IP4"));
    assert_eq!(renew(&mut local, &changed, |local| write_answer(local, &hold, &held)), changed);
}

#[test]
fn session_and_version_have_63_bits() {
    let local = Local { session: u64::MAX, version: 1 << 63, ..local() };
    let text = text_of(&write_offer(&local, &Offer::first(&both_laws())));
    assert!(text.contains("o=- 9223372036854775807 0 IN IP4"));
}

#[test]
fn voip_metrics_are_told_where_both_ask_for_them() {
    let with = |xr| Capabilities { xr, ..both_laws() };
    let said =
        |lines: &str| parse(&format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n{lines}"));
    // Linphone's own way of asking, beside what we have not; and for the whole session, taken back for its stream.
    let asking = said("a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\n");
    let not_asking = said("a=rtcp-xr:rcvr-rtt=all stat-summary=loss\r\n");
    let session = "v=0\r\nc=IN IP4 192.0.2.1\r\na=rtcp-xr:voip-metrics\r\nm=audio 4000 RTP/AVP 8\r\n";
    let taken_back = format!("{session}a=rtcp-xr:\r\n");
    let table = [(&asking, true), (&not_asking, false), (&said(""), false)];
    for (offer, asks) in table.into_iter().chain([(&parse(session), true), (&parse(&taken_back), false)]) {
        for ours in [true, false] {
            let agreed = answer(offer, &with(ours)).unwrap();
            assert_eq!(agreed.xr, ours && asks);
            let written = text_of(&write_answer(&local(), offer, &agreed));
            assert_eq!(written.contains("a=rtcp-xr:voip-metrics\r\n"), ours && asks, "{written}");
            let offered = Offer::first(&with(ours));
            assert_eq!(
                text_of(&write_offer(&local(), &offered)).contains("a=rtcp-xr:voip-metrics\r\n"),
                ours
            );
            assert_eq!(read_answer(offer, &offered).unwrap().xr, ours && asks);
        }
    }
}
