//! Someone on another address sends packets to every media port, as fast as many calls would: nobody hears them, nobody
//! is answered, and what is over ends.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tests::g711::Law;
use tests::peer::packet::{self, Packet};
use tests::scene::{COURIER, Scene};
use tests::tone;

/// The media ports of the usual configuration.
const PORTS: std::ops::Range<u16> = 20_000..20_200;
/// Packets of the attacker in a second.
const RATE: u32 = 20_000;
/// They end by themselves after so long.
const AT_MOST: Duration = Duration::from_secs(40);
/// What the attacker plays: nobody else does.
const CANARY: f64 = 700.0;

/// The attacker, until dropped.
struct Spray {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<usize>>,
}

impl Spray {
    fn begin(from: IpAddr, to: IpAddr) -> Self {
        let socket = UdpSocket::bind((from, 0)).expect("a port");
        socket.set_nonblocking(true).expect("a socket");
        let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = {
            let (over, sent) = (Arc::clone(&over), Arc::clone(&sent));
            thread::spawn(move || spray(&socket, to, &over, &sent))
        };
        Self { over, sent, thread: Some(thread) }
    }

    /// Stops; says how many packets went out, and how many came back.
    fn end(mut self) -> (u64, usize) {
        self.over.store(true, Ordering::Relaxed);
        let back = self.thread.take().expect("it is taken once").join().expect("the attacker does not panic");
        (self.sent.load(Ordering::Relaxed), back)
    }
}

impl Drop for Spray {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Voice, keys, reports and nonsense of every length, port after port, each at its moment.
fn spray(socket: &UdpSocket, to: IpAddr, over: &AtomicBool, sent: &AtomicU64) -> usize {
    let tone = Law::A.encode_all(&tone::sine(CANARY, 0.02));
    let begun = Instant::now();
    let mut buffer = [0; 2048];
    let mut back = 0;
    let mut count = 0_u32;
    while !over.load(Ordering::Relaxed) && begun.elapsed() < AT_MOST {
        let due = begun.elapsed().as_secs_f64() * f64::from(RATE);
        while f64::from(count) < due {
            let [_, _, high, low] = count.to_be_bytes();
            let sequence = u16::from_be_bytes([high, low]);
            let voice = Packet {
                marker: false,
                payload_type: if count.is_multiple_of(7) { 101 } else { 8 },
                sequence,
                timestamp: count.wrapping_mul(160),
                ssrc: 0x0BAD_0BAD,
                payload: if count.is_multiple_of(7) {
                    packet::event('#', count.is_multiple_of(2), sequence).expect("a key")
                } else {
                    tone.clone()
                },
            };
            let bytes = match count % 3 {
                0 => packet::report(0x0BAD_0BAD, 1, 160, "attacker"),
                1 => voice.write(),
                _ => {
                    let whole = voice.write().repeat(100);
                    whole[..usize::try_from(count % 1400).expect("small")].to_vec()
                }
            };
            let port =
                PORTS.start + u16::try_from(count % u32::from(PORTS.end - PORTS.start)).expect("a port");
            // What the system has no room for is lost, as on any network.
            if socket.send_to(&bytes, SocketAddr::new(to, port)).is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
            count = count.wrapping_add(1);
        }
        while socket.recv_from(&mut buffer).is_ok() {
            back += 1;
        }
        thread::yield_now();
    }
    back
}

#[test]
fn who_sprays_every_port_is_neither_heard_nor_answered_and_keeps_nothing_alive() {
    let scene = Scene::brief(|config| config.set("media.rtp_timeout", "3s"));
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    let [out_mark, back_mark] = [out.media.heard().len(), back.media.heard().len()];
    let spray = Spray::begin(scene.loopback.attacker(), scene.loopback.server());

    Scene::talk_long(&mut out, &mut back, 3.0);
    for (call, mark, theirs) in [(&out, out_mark, 1000.0), (&back, back_mark, 440.0)] {
        let heard = call.media.heard();
        let since = &heard[mark..];
        assert!(tone::seconds(since, tone::RATE, CANARY) < 0.05, "the attacker is heard");
        assert!(tone::seconds(since, tone::RATE, theirs) > 2.0, "the other party is not");
        let packets = call.media.packets();
        assert!(packets.iter().all(|packet| packet.ssrc == packets[0].ssrc), "one stream, ours");
        assert_eq!(call.media.digits(), "", "a key of the attacker's came through");
    }

    // One side's line is cut: what the attacker sends to its port does not stand in for it.
    out.media.mute(true);
    out.expect_bye();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!(record["cause"], "media-lost", "{record}");

    let (sent, came_back) = spray.end();
    assert_eq!(came_back, 0, "the attacker is answered");
    assert!(sent > 10_000, "{sent} packets are no flood");
    scene.bauta.assert_no_fault();
    scene.assert_masked();
}
