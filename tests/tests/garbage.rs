//! What anybody on the network may send: the program answers or drops it, and calls go on.

use std::net::UdpSocket;
use std::path::Path;

use tests::config::LINE;
use tests::peer::Peer;
use tests::scene::{COURIER, Scene};
use tests::tool::repository;

/// Octets without sense, the same at each run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

/// The torture messages of RFC 4475 and RFC 5118.
fn torture() -> Vec<Vec<u8>> {
    ["rfc4475", "rfc5118"]
        .into_iter()
        .flat_map(|folder| {
            std::fs::read_dir(repository().join("tests/vectors").join(folder)).expect("the vectors")
        })
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "dat"))
        .map(|path: std::path::PathBuf| std::fs::read(Path::new(&path)).expect("a vector"))
        .collect()
}

fn messages() -> Vec<Vec<u8>> {
    let invite = format!("INVITE sip:+{LINE}@h SIP/2.0\r\n");
    let mut all = torture();
    assert!(all.len() > 40, "the vectors are there");
    all.extend((1..200).map(|seed| noise(seed, usize::try_from(seed * 7).expect("small"))));
    all.extend([
        Vec::new(),
        b"\r\n\r\n".to_vec(),
        vec![0; 65_000],
        invite.clone().into_bytes(),
        [invite.as_bytes(), b"\r\n"].concat(),
        [invite.as_bytes(), &b"Via: SIP/2.0/UDP h\r\n".repeat(3000)].concat(),
        [invite.as_bytes(), b"Content-Length: 99999999999999999999\r\n\r\n"].concat(),
        [invite.as_bytes(), &b"X: y\r\n ".repeat(9000)].concat(),
        b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
        b"SIP/2.0 99999 Much\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK\r\n\r\n".to_vec(),
    ]);
    all
}

#[test]
fn garbage_at_the_sip_port_disturbs_no_call() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    let attacker = Peer::at("attacker", scene.loopback.attacker());
    for message in messages() {
        attacker.send_raw(scene.loopback.sip(), &message);
        // From an address that is trusted, too.
        scene.caller.send_raw(scene.loopback.sip(), &message);
    }
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let records = tests::wait::until("the call's record", tests::wait::SOON, || {
        let records = scene.bauta.records();
        records.iter().any(|record| record["callee_reached"] == true).then_some(records)
    });
    assert_eq!(records.iter().filter(|record| record["callee_reached"] == true).count(), 1);
    scene.bauta.assert_no_fault();
    scene.assert_masked();
}

#[test]
fn garbage_at_the_media_ports_is_heard_by_nobody() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    let attacker = UdpSocket::bind((scene.loopback.attacker(), 0)).unwrap();
    // Packets that would be heard: a tone neither side plays, with a payload type of the call.
    let tone = tests::g711::Law::A.encode_all(&tests::tone::sine(700.0, 0.02));
    let ours: std::collections::BTreeSet<_> =
        out.media.senders().union(&back.media.senders()).copied().collect();
    assert!(ours.iter().all(|address| address.ip() == scene.loopback.server()), "{ours:?}");
    for sequence in 0..300_u16 {
        let packet = tests::peer::packet::Packet {
            marker: false,
            payload_type: 8,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: 0x0BAD_0BAD,
            payload: tone.clone(),
        };
        for port in &ours {
            attacker.send_to(&packet.write(), port).unwrap();
            attacker.send_to(&noise(u64::from(sequence), 200), port).unwrap();
        }
    }
    let marks = [out.media.heard().len(), back.media.heard().len()];
    Scene::talk(&mut out, &mut back);
    for (call, mark) in [(&out, marks[0]), (&back, marks[1])] {
        let heard = call.media.heard();
        assert!(tests::tone::seconds(&heard[mark.saturating_sub(16_000)..], 8000, 700.0) < 0.05);
        let packets = call.media.packets();
        assert!(packets.iter().all(|packet| packet.ssrc == packets[0].ssrc), "one stream, ours");
    }
    out.hang_up();
    back.expect_bye();
    scene.bauta.assert_no_fault();
}
