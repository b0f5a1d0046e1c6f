//! What we answer to the offers peers send.

use crate::corpus::{both_laws, description, text_of};
use sdp::{Agreed, Capabilities, Codec, Description, Direction, Refused, Security, answer, write_answer};

fn agreed(name: &str) -> Agreed {
    answer(&description(name), &both_laws()).expect("a good description")
}

fn refused(name: &str) -> Refused {
    answer(&description(name), &both_laws()).expect_err("no agreement")
}

fn answered(name: &str) -> String {
    let offer = description(name);
    let agreed = answer(&offer, &both_laws()).expect("a good description");
    text_of(&write_answer(&crate::corpus::local(), &offer, &agreed))
}

#[test]
fn linphone_keeps_its_static_codecs_and_its_event_at_8000_hz() {
    let agreed = agreed("linphone_offer");
    assert_eq!(agreed.send, (Codec::Pcmu, 0));
    assert_eq!(agreed.receive, [Some((Codec::Pcmu, 0)), Some((Codec::Pcma, 8)), None, None]);
    assert_eq!((agreed.event_send, agreed.event_receive), (Some(101), Some(101)));
    assert_eq!(agreed.direction, Direction::SendReceive);
    assert_eq!(agreed.ptime, 20);
    let remote = agreed.remote.unwrap();
    assert_eq!(remote.rtp, "192.0.2.20:13000".parse().unwrap());
    assert_eq!(remote.rtcp, "192.0.2.20:13001".parse().unwrap());
}

#[test]
fn an_answer_is_exactly_this() {
    assert_eq!(
        answered("freeswitch_offer"),
        "v=0\r\no=- 4611 7 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn their_first_codec_of_ours_is_sent() {
    assert_eq!(agreed("asterisk_offer").send, (Codec::Pcma, 8));
    assert_eq!(agreed("baresip_offer").send, (Codec::Pcmu, 0));
    assert_eq!(agreed("carrier_offer_alaw_first_no_rtpmap").send, (Codec::Pcma, 8));
    assert_eq!(agreed("carrier_offer_alaw_first_no_rtpmap").event_send, Some(97));
}

#[test]
fn only_what_we_can_is_agreed_to() {
    let only_alaw = Capabilities {
        codecs: vec![Codec::Pcma],
        events: false,
        noise: false,
        ptime: 20,
        security: Security::Off,
        xr: false,
    };
    let agreed = answer(&description("baresip_offer"), &only_alaw).unwrap();
    assert_eq!(agreed.send, (Codec::Pcma, 8));
    assert_eq!(agreed.receive, [Some((Codec::Pcma, 8)), None, None, None]);
    assert_eq!((agreed.event_send, agreed.event_receive), (None, None));
}

#[test]
fn a_media_level_address_and_a_ptime_of_30_are_taken() {
    let agreed = agreed("carrier_offer_30ms");
    assert_eq!(agreed.remote.unwrap().rtp, "203.0.113.31:19204".parse().unwrap());
    assert_eq!(agreed.ptime, 30);
    assert_eq!(agreed.event_send, None);
}

#[test]
fn maxptime_bounds_what_we_send() {
    let offer = Description::parse(
        b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=ptime:40\r\na=maxptime:25\r\n",
    )
    .unwrap();
    assert_eq!(answer(&offer, &both_laws()).unwrap().ptime, 20);
}

#[test]
fn hold_is_answered_by_receiving_only() {
    assert_eq!(agreed("asterisk_hold").direction, Direction::ReceiveOnly);
    assert!(answered("asterisk_hold").ends_with("a=recvonly\r\n"));
}

#[test]
fn the_old_hold_has_no_remote_and_is_answered_by_receiving_only() {
    let agreed = agreed("hold_of_rfc2543");
    assert_eq!(agreed.remote, None);
    assert_eq!(agreed.direction, Direction::ReceiveOnly);
    assert!(answered("hold_of_rfc2543").ends_with("a=recvonly\r\n"));
}

#[test]
fn fax_alone_is_refused_and_beside_audio_is_declined() {
    assert_eq!(refused("carrier_t38_reinvite"), Refused::NoAudio);
    let answer = answered("carrier_audio_with_t38");
    let lines: Vec<_> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=image 0 udptl t38", "m=audio 20000 RTP/AVP 8 101"]);
}

#[test]
fn encrypted_audio_alone_is_refused_and_beside_plain_audio_is_declined() {
    assert_eq!(refused("browser_offer"), Refused::Secured);
    let answer = answered("linphone_offer_with_optional_srtp");
    let lines: Vec<_> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=audio 0 RTP/SAVP 0", "m=audio 20000 RTP/AVP 8 0 101", "m=video 0 RTP/AVP 0"]);
}

#[test]
fn every_line_of_an_offer_has_its_line_in_the_answer() {
    let answer = answered("conference");
    let lines: Vec<_> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=audio 20000 RTP/AVPF 0",
            "m=video 0 RTP/AVPF 0",
            "m=application 0 TCP/BFCP *",
            "m=message 0 TCP/MSRP *",
            "m=text 0 RTP/AVP 0",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
            "m=application 0 DTLS/SCTP 5000",
        ]
    );
}

/// RFC 5118 §4.6, §4.8, §4.9.
#[test]
fn the_descriptions_of_rfc5118_are_understood() {
    assert_eq!(refused("rfc5118_ipv6"), Refused::NoCodec);
    assert_eq!(refused("rfc5118_mapped_ipv6"), Refused::NoCodec);
    assert_eq!(agreed("rfc5118_two_families").remote.unwrap().rtp, "192.0.2.1:22334".parse().unwrap());
}

#[test]
fn an_ipv4_mapped_address_is_an_ipv4_address() {
    let offer =
        Description::parse(b"v=0\r\nc=IN IP6 ::ffff:192.0.2.2\r\nm=audio 6000 RTP/AVP 0\r\n").unwrap();
    let remote = answer(&offer, &both_laws()).unwrap().remote.unwrap();
    assert_eq!(remote.rtp, "192.0.2.2:6000".parse().unwrap());
}

#[test]
fn ipv6_is_answered_in_ipv6() {
    let offer = description("sparse");
    let agreed = answer(&offer, &both_laws()).unwrap();
    assert_eq!(agreed.remote.unwrap().rtcp, "[2001:db8::7]:40001".parse().unwrap());
    let local = sdp::Local { address: "2001:db8::1".parse().unwrap(), ..crate::corpus::local() };
    let text = text_of(&write_answer(&local, &offer, &agreed));
    assert!(text.contains("o=- 4611 7 IN IP6 2001:db8::1\r\n"));
    assert!(text.contains("c=IN IP6 2001:db8::1\r\n"));
}

#[test]
fn where_media_must_not_go_it_does_not() {
    let offer = |connection: &str, port: &str, attributes: &str| {
        let text = format!("v=0\r\nc=IN {connection}\r\nm=audio {port} RTP/AVP 0\r\n{attributes}");
        answer(&Description::parse(text.as_bytes()).unwrap(), &both_laws()).map(|agreed| agreed.remote)
    };
    for (connection, port, error) in [
        ("IP4 224.2.17.12/127", "4000", Refused::Address),
        ("IP4 255.255.255.255", "4000", Refused::Address),
        ("IP6 ff02::1", "4000", Refused::Address),
        ("IP6 ::ffff:224.0.0.1", "4000", Refused::Address),
        ("IP4 media.example.com", "4000", Refused::Host),
        ("IP4", "4000", Refused::Host),
        ("IP4 192.0.2.1", "0", Refused::NoAudio),
        ("IP4 192.0.2.1", "53", Refused::Port),
        ("IP4 192.0.2.1", "65535", Refused::Port),
    ] {
        assert_eq!(offer(connection, port, ""), Err(error), "{connection} {port}");
    }
    assert_eq!(
        answer(&Description::parse(b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n").unwrap(), &both_laws()),
        Err(Refused::Address)
    );
    // Nor does RTCP: what a=rtcp says is passed over if it is unfit.
    for attribute in [
        "a=rtcp:53\r\n",
        "a=rtcp:4001 IN IP4 224.0.0.1\r\n",
        "a=rtcp:4000\r\n",
        "a=rtcp:5000 IN IP6 2001:db8::1\r\n",
        "a=rtcp:none\r\n",
    ] {
        let remote = offer("IP4 192.0.2.1", "4000", attribute).unwrap().unwrap();
        assert_eq!(remote.rtcp, "192.0.2.1:4001".parse().unwrap(), "{attribute}");
    }
    let remote = offer("IP4 192.0.2.1", "4000", "a=rtcp:5001 IN IP4 192.0.2.9\r\n").unwrap().unwrap();
    assert_eq!(remote.rtcp, "192.0.2.9:5001".parse().unwrap());
}

#[test]
fn directions_are_mirrored() {
    for (theirs, connection, ours) in [
        ("sendrecv", "192.0.2.1", Direction::SendReceive),
        ("sendonly", "192.0.2.1", Direction::ReceiveOnly),
        ("recvonly", "192.0.2.1", Direction::SendOnly),
        ("inactive", "192.0.2.1", Direction::Inactive),
        ("sendrecv", "0.0.0.0", Direction::ReceiveOnly),
        ("sendonly", "0.0.0.0", Direction::ReceiveOnly),
        ("recvonly", "0.0.0.0", Direction::Inactive),
        ("inactive", "0.0.0.0", Direction::Inactive),
    ] {
        let text = format!("v=0\r\nc=IN IP4 {connection}\r\nm=audio 4000 RTP/AVP 0\r\na={theirs}\r\n");
        let agreed = answer(&Description::parse(text.as_bytes()).unwrap(), &both_laws()).unwrap();
        assert_eq!(agreed.direction, ours, "{theirs} {connection}");
    }
}

#[test]
fn reports_share_the_port_of_the_packets_only_where_they_asked_for_it() {
    let offer = |attributes: &str| {
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 8\r\na=rtcp:4009\r\n{attributes}"
        );
        Description::parse(text.as_bytes()).unwrap()
    };
    for (attributes, shared, port) in [("a=rtcp-mux\r\n", true, 4000), ("", false, 4009)] {
        let offer = offer(attributes);
        let agreed = answer(&offer, &both_laws()).unwrap();
        assert_eq!((agreed.mux, agreed.remote.unwrap().rtcp.port()), (shared, port));
        let ours = text_of(&write_answer(&crate::corpus::local(), &offer, &agreed));
        assert_eq!(ours.contains("a=rtcp-mux\r\n"), shared, "{ours}");
    }
}
