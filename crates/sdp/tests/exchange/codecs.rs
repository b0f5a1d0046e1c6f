//! Which codecs are offered, answered and agreed, with what belongs to them.

use crate::corpus::{both_laws, local, text_of};
use sdp::{
    Agreed, Capabilities, ClockRate, Codec, Description, Offer, OpusWishes, answer, read_answer,
    write_answer, write_offer,
};

fn all() -> Capabilities {
    let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
    Capabilities { codecs, noise: true, ..both_laws() }
}

fn parse(media: &str) -> Description {
    let text = format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{media}");
    Description::parse(text.as_bytes()).expect("a good description")
}

fn answered(media: &str) -> (Agreed, String) {
    let offer = parse(media);
    let agreed = answer(&offer, &all()).expect("something in common");
    let text = text_of(&write_answer(&local(), &offer, &agreed));
    (agreed, text)
}

const BROWSER: &str = "m=audio 4000 RTP/AVP 111 9 0 13 126 110\r\na=rtpmap:111 opus/48000/2\r\n\
    a=fmtp:111 minptime=10;useinbandfec=1;maxaveragebitrate=20000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:13 CN/8000\r\n\
    a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

#[test]
fn an_offer_of_all_codecs_is_exactly_this() {
    let text = text_of(&write_offer(&local(), &Offer::first(&all())));
    let media = text.split_once("m=").unwrap().1;
    assert_eq!(
        media,
        "audio 20000 RTP/AVP 96 9 8 0 13 101 102\r\na=rtpmap:96 opus/48000/2\r\n\
         a=fmtp:96 useinbandfec=1;stereo=0;sprop-stereo=0\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=rtpmap:102 telephone-event/48000\r\na=fmtp:102 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn events_are_those_of_the_rate_of_the_codec_that_is_sent() {
    let (agreed, text) = answered(BROWSER);
    assert_eq!(agreed.send, (Codec::Opus, 111));
    assert_eq!(agreed.also, [Some((Codec::G722, 9)), Some((Codec::Pcmu, 0)), None]);
    assert_eq!((agreed.event_send, agreed.event_receive), (Some(110), Some(110)));
    assert!(text.contains("m=audio 20000 RTP/AVP 111 9 0 110\r\n"), "{text}");
    assert!(text.contains("a=rtpmap:110 telephone-event/48000\r\n"));
    let wishes = OpusWishes { bit_rate: 20_000, correction: true, least: 10, ..OpusWishes::default() };
    assert_eq!(agreed.opus, wishes);

    let offer = parse(BROWSER);
    let laws = answer(&offer, &Capabilities { noise: true, ..both_laws() }).unwrap();
    assert_eq!((laws.event_send, laws.event_rate), (Some(126), ClockRate::Hz8000));
    assert!(laws.noise);
}

/// They are heard, but counted otherwise than what we send: that would be wrong (RFC 4733 §2.1), so tones are sent.
#[test]
fn events_of_another_rate_are_taken_and_not_sent() {
    let (agreed, text) = answered(
        "m=audio 4000 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n",
    );
    assert_eq!((agreed.event_send, agreed.event_receive), (None, Some(101)));
    assert!(text.contains("a=rtpmap:101 telephone-event/8000\r\n"));
}

#[test]
fn comfort_noise_is_agreed_where_both_have_it_beside_g711_and_g722() {
    let (agreed, text) = answered("m=audio 4000 RTP/AVP 8 13\r\n");
    assert!(agreed.noise && text.contains("RTP/AVP 8 13\r\n") && text.contains("a=rtpmap:13 CN/8000\r\n"));
    let offer = parse("m=audio 4000 RTP/AVP 8 13\r\n");
    assert!(!answer(&offer, &both_laws()).unwrap().noise);
    let (opus, _) = answered("m=audio 4000 RTP/AVP 96 13\r\na=rtpmap:96 opus/48000/2\r\n");
    assert!(!opus.noise, "Opus has its own");
    let offered = Offer::first(&all());
    assert!(read_answer(&parse("m=audio 4000 RTP/AVP 9 13\r\n"), &offered).unwrap().noise);
    assert!(!read_answer(&parse("m=audio 4000 RTP/AVP 9\r\n"), &offered).unwrap().noise);
}

#[test]
fn an_answer_is_read_under_their_payload_types_and_ours() {
    let offered = Offer::first(&all());
    let agreed = read_answer(
        &parse(
            "m=audio 4000 RTP/AVP 120 8 121\r\na=rtpmap:120 opus/48000/2\r\na=fmtp:120 usedtx=1;cbr=1\r\n\
                a=rtpmap:121 telephone-event/48000\r\na=maxptime:40\r\n",
        ),
        &offered,
    )
    .unwrap();
    assert_eq!(agreed.send, (Codec::Opus, 120));
    assert_eq!(agreed.also, [Some((Codec::Pcma, 8)), None, None]);
    // G.722 was offered and is not answered: it does not come. A law may.
    assert_eq!(
        agreed.receive,
        [Some((Codec::Opus, 96)), Some((Codec::Pcma, 8)), Some((Codec::Pcmu, 0)), None]
    );
    assert_eq!((agreed.event_send, agreed.event_receive), (Some(121), Some(102)));
    assert!(agreed.opus.pauses && agreed.opus.constant && !agreed.opus.correction);
    assert_eq!(agreed.maxptime, 40);
    // Without maps, numbers mean what we said.
    let agreed = read_answer(&parse("m=audio 4000 RTP/AVP 96 102\r\n"), &offered).unwrap();
    assert_eq!((agreed.send, agreed.event_send), ((Codec::Opus, 96), Some(102)));
}

#[test]
fn a_later_offer_keeps_every_payload_type_and_takes_none_that_means_something() {
    let (agreed, _) = answered(
        "m=audio 4000 RTP/AVP 111 110 96\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\n\
         a=rtpmap:96 iLBC/8000\r\n",
    );
    let again = text_of(&write_offer(&local(), &Offer::again(&all(), &agreed)));
    assert!(again.contains("m=audio 20000 RTP/AVP 111 9 8 0 13 101 110\r\n"), "{again}");
    let (agreed, _) = answered("m=audio 4000 RTP/AVP 8 96 101 102\r\na=rtpmap:96 iLBC/8000\r\n");
    let again = text_of(&write_offer(&local(), &Offer::again(&all(), &agreed)));
    let numbers: Vec<&str> = again
        .lines()
        .find_map(|line| line.strip_prefix("m=audio 20000 RTP/AVP "))
        .unwrap()
        .split(' ')
        .collect();
    let mut each = numbers.clone();
    each.sort_unstable();
    each.dedup();
    assert_eq!(each.len(), numbers.len(), "{again}");
    assert!(["96", "101", "102"].iter().all(|taken| !numbers.contains(taken)), "{again}");
}

#[test]
fn packets_are_as_long_as_they_ask_within_what_they_forbid() {
    let ptime = |attributes: &str| {
        let (agreed, _) =
            answered(&format!("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n{attributes}"));
        (agreed.ptime, agreed.maxptime)
    };
    assert_eq!(ptime(""), (20, 0));
    assert_eq!(ptime("a=ptime:40\r\n"), (40, 0));
    assert_eq!(ptime("a=ptime:40\r\na=maxptime:20\r\n"), (20, 20));
    assert_eq!(ptime("a=fmtp:96 minptime=40\r\n"), (40, 0));
    assert_eq!(ptime("a=fmtp:96 minptime=3\r\na=maxptime:120\r\n"), (20, 120));
}
