use std::time::Duration;

use bytes::Bytes;
use clock::Instant;

use super::*;

fn dialog(home: bool) -> DialogSnapshot {
    let listener = AgentListener { transport: Transport::Udp, public: "192.0.2.1:5060".to_owned() };
    let hop = |peer: &str| Hop { listener: listener.clone(), peer: peer.parse().unwrap() };
    DialogSnapshot {
        call_id: "x".into(),
        local_tag: "00000000000000000000".into(),
        remote_tag: "theirs".into(),
        local: "sip:+74950000001@192.0.2.1".into(),
        remote: "sip:+79991111111@198.51.100.1".into(),
        target: "sip:198.51.100.1:5062".into(),
        routes: vec!["sip:198.51.100.2;lr".into()],
        sequence: 7_000,
        remote_sequence: Some(2),
        heard: hop("198.51.100.1:5060"),
        home: home.then(|| hop("[2001:db8::1]:5061")),
        own: Bytes::from_static(b"v=0\r\n"),
        takes_update: true,
        least: 90,
        terms: Some((1_800, true)),
    }
}

fn media(security: Security, secured: Option<Secured>) -> MediaSnapshot {
    let words = vec![("audio".into(), "RTP/SAVP".into()), ("video".into(), "RTP/AVP".into())];
    let lines = Lines { words, audio: 0, taken: 1 << 101 };
    let remote = "198.51.100.1:4000".parse().unwrap();
    let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
    MediaSnapshot {
        local: "192.0.2.1".parse().unwrap(),
        port: 20_000,
        origin: (u64::MAX, 3),
        capabilities: Capabilities { codecs, events: true, noise: true, ptime: 20, security, xr: false },
        agreed: Agreed {
            remote: Some(Remote { rtp: remote, rtcp: remote }),
            send: (Codec::Opus, 96),
            also: [Some((Codec::Pcma, 8)), None, None],
            receive: [Some((Codec::Opus, 96)), Some((Codec::Pcma, 8)), None, None],
            event_send: None,
            event_receive: Some(101),
            event_rate: ClockRate::Hz48000,
            noise: false,
            opus: OpusWishes { least: 20, ..OpusWishes::default() },
            ptime: 20,
            maxptime: 40,
            mux: true,
            direction: Direction::SendOnly,
            xr: true,
            secured,
            layout: lines.layout().unwrap(),
        },
    }
}

fn tried(cause: Option<Cause>) -> Tried {
    let at = |seconds| Instant(Duration::from_secs(seconds));
    Tried {
        side: Side::Callee,
        number: Number::parse("+79992222222").ok(),
        dialled: at(12),
        rang: Some(at(13)),
        answered: Some(at(14)),
        ended: cause.map(|_| at(15)),
        outcome: cause.map(|cause| Outcome { side: Side::Us, cause, status: Some(486), q850: 17 }),
    }
}

fn snapshot() -> Snapshot {
    let at = |seconds| Instant(Duration::from_secs(seconds));
    let number = |text| Number::parse(text).ok();
    let key = Key([7; 44]);
    let secured =
        Secured { tag: 1, suite: Suite::AeadAes256Gcm, ours: key, theirs: Key([9; 44]), life: 1 << 48 };
    let record = Record {
        call: CallId(u128::MAX - 1),
        callback: true,
        line: number("+74950000001"),
        dialled: "+74950000001".into(),
        trunk: "carrier".into(),
        caller: number("+79991111111"),
        claimed: None,
        verification: Some(Verification::Passed(Some(Attestation::Full))),
        callee: None,
        callee_trunk: Some("other".into()),
        tried: vec![tried(None), tried(Some(Cause::Busy))],
        started: at(10),
        answered: Some(at(11)),
        bridged: Some(at(20)),
        ended: None,
        outcome: None,
        code: Code::parse("0123"),
        attempts: 1,
        order_found: true,
        number_found: true,
        pair: Some(PairId(u128::MAX - 2)),
        caller_role: Some(Role::B),
        callee_reached: true,
        operator_asked: false,
        operator_reached: false,
        locked_out: false,
        recording: Some("x.wav".into()),
        recording_paused: Duration::from_millis(1_500),
        recording_refused: Some(b2bua::Side::Callee),
        recording_fault: Some("broken off".to_owned()),
        hook_fault: Some("no connection".into()),
        restored: 1,
        data: None,
        caller_media: None,
        callee_media: None,
    };
    Snapshot {
        record: Box::new(record),
        caller: Some(Box::new(dialog(false))),
        callee: Some(Box::new(dialog(true))),
        inviting: vec![InviteSnapshot { home: dialog(false).heard, invite: Bytes::from_static(b"INVITE") }],
        hearing: vec![Hearing { trunk: Some("third".into()), dialog: dialog(false) }],
        callee_trunk: Some("other".into()),
        joined: Some(Box::new(Joined {
            caller: media(Security::Required(Keys([key; 4])), Some(secured)),
            callee: media(Security::Off, None),
            warns: Some(at(500)),
            ends: at(560),
        })),
    }
}

#[test]
fn a_call_reads_back_and_nothing_that_is_cut_short_or_changed_in_length() {
    let octets = write(&snapshot(), 1_000);
    assert_eq!(read(&octets, 1_000), Some(snapshot()));
    for end in 0..octets.len() {
        assert_eq!(read(&octets[..end], 1_000), None, "{end}");
    }
    let longer: Vec<u8> = octets.iter().copied().chain([0]).collect();
    assert_eq!(read(&longer, 1_000), None);
}

#[test]
fn whatever_became_of_verifying_the_caller_reads_back() {
    let attestations =
        [None, Some(Attestation::Gateway), Some(Attestation::Partial), Some(Attestation::Full)];
    let faults =
        IdentityFault::ALL.map(|fault| [Verification::Failed(fault), Verification::None(Some(fault))]);
    let all = attestations.map(Verification::Passed).into_iter().chain(faults.into_iter().flatten());
    for verification in all.chain([Verification::None(None)]) {
        let mut kept = snapshot();
        kept.record.verification = Some(verification);
        assert_eq!(read(&write(&kept, 0), 0), Some(kept));
    }
}

#[test]
fn whatever_became_of_a_number_that_was_called_reads_back() {
    for cause in Cause::ALL {
        let mut kept = snapshot();
        kept.record.tried = vec![tried(Some(cause))];
        assert_eq!(read(&write(&kept, 0), 0), Some(kept));
    }
}

#[test]
fn times_go_on_by_the_wall_clock() {
    let read = read(&write(&snapshot(), 1_000_000), 4_000_000).unwrap();
    assert_eq!(read.record.started, Instant(Duration::from_secs(7)));
    assert_eq!(read.joined.unwrap().ends, Instant(Duration::from_secs(557)));
}

/// What is written today must be understood by whoever runs tomorrow, or refused by its version.
#[test]
fn another_form_is_another_version() {
    let octets = write(&snapshot(), 1_000);
    let sum = octets.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, octet| {
        (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(
        (octets[0], octets.len(), sum),
        (5, 1_338, 8_016_430_829_737_114_291),
        "the form has changed: count VERSION up"
    );
    let mut other = octets;
    other[0] = VERSION + 1;
    assert_eq!(read(&other, 1_000), None);
}

#[test]
fn what_is_broken_is_read_as_something_or_as_nothing_and_never_panics() {
    let octets = write(&snapshot(), 1_000);
    for place in 0..octets.len() {
        for octet in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut broken = octets.clone();
            broken[place] = octet;
            drop(read(&broken, 1_000));
        }
    }
}
