//! What holds whatever comes in.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rtp::{
    Codec, Command, Compound, Direction, Event, Format, Header, Law, Media, OpusWishes, PlayId, Port,
    PromptId, Remote, SessionId, g711,
};

use crate::world::{EVENTS, Sent, World, assert_one_stream, format, payload_type, port};

const SESSIONS: u32 = 6;

/// An octet of a caller who presses 5 for a second and lets go of it for another.
fn key_of(timestamp: u32) -> u8 {
    let sine =
        |hertz: f64| 5000.0 * (std::f64::consts::TAU * hertz * f64::from(timestamp % 8000) / 8000.0).sin();
    let is_pressed = (timestamp / 8000).is_multiple_of(2);
    let sample = if is_pressed { sine(770.0) + sine(1336.0) } else { 0.0 };
    g711::encode(Law::A, sample as i16)
}

struct Chaos {
    random: ChaCha8Rng,
    /// Whether all codecs are agreed and come, or G.711 alone.
    all_codecs: bool,
    /// Where each session's peer stands in its own stream.
    headers: BTreeMap<u32, Header>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), all_codecs: false, headers: BTreeMap::new() }
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.random.next_u32() % limit
    }

    fn session(&mut self) -> SessionId {
        SessionId(1 + self.below(SESSIONS))
    }

    fn address(&mut self, session: SessionId) -> SocketAddr {
        let host = if self.below(20) == 0 { 99 } else { session.0 };
        let number = if self.below(60) == 0 { self.below(65_536) } else { 40_000 };
        format!("192.0.2.{host}:{number}").parse().unwrap()
    }

    fn media(&mut self, session: SessionId) -> Media {
        let law = if self.below(2) == 0 { Codec::Pcmu } else { Codec::Pcma };
        let mut format = format(law);
        if self.all_codecs {
            self.mix(&mut format);
        }
        format.ptime = self.below(256) as u8;
        format.event_send = (self.below(3) != 0).then_some(EVENTS);
        format.event_receive = (self.below(3) != 0).then_some(EVENTS);
        let rtp = self.address(session);
        let rtcp = self.address(session);
        let direction = match self.below(6) {
            0 => Direction::SendOnly,
            1 => Direction::ReceiveOnly,
            2 => Direction::Inactive,
            _ => Direction::SendReceive,
        };
        Media {
            remote: (self.below(8) != 0).then_some(Remote { rtp, rtcp }),
            format,
            direction,
            srtp: None,
            xr: false,
        }
    }

    /// Any codec in any direction, with or without comfort noise, packets of any length or short ones alone.
    fn mix(&mut self, format: &mut Format) {
        let mut any = || {
            let codec = Codec::ALL[self.below(4) as usize];
            (codec, payload_type(codec))
        };
        format.send = any();
        format.also = [Some(any()), None, None];
        format.receive = [Some(any()), Some(any()), Some(any()), None];
        format.longest = (self.below(4) == 0).then_some(self.below(70) as u8);
        format.noise = self.below(2) == 0;
        let [correction, pauses, constant] = [(); 3].map(|()| self.below(2) == 0);
        format.opus = OpusWishes { correction, pauses, constant, ..OpusWishes::default() };
    }

    fn command(&mut self) -> Command {
        let session = self.session();
        match self.below(13) {
            0 | 9 | 10 => Command::Open { session, port: port(session), media: self.media(session) },
            1 | 2 => Command::Update { session, media: self.media(session) },
            3 | 4 => {
                let prompts = (0..self.below(4)).map(|_| PromptId(self.below(12) as u16).into()).collect();
                Command::Play { session, play: PlayId(self.below(9)), prompts, repeat: self.below(2) == 0 }
            }
            5 => Command::Stop { session },
            6 => Command::Bridge { first: session, second: self.session() },
            7 => Command::Record { session, name: "call.wav".into() },
            8 => Command::Press { session, digit: ['5', '#', 'x'][self.below(3) as usize] },
            _ => Command::Close { session },
        }
    }

    /// A packet mostly right, or a random change of one, or anything.
    fn packet(&mut self, session: SessionId) -> Vec<u8> {
        let fresh = Header {
            marker: false,
            payload_type: 8,
            sequence: self.random.next_u32() as u16,
            timestamp: self.random.next_u32(),
            ssrc: self.random.next_u32(),
        };
        let mut header = *self.headers.entry(session.0).or_insert(fresh);
        match self.below(40) {
            0 => header = fresh,
            1 => header.sequence = header.sequence.wrapping_sub(self.below(100) as u16),
            2 => header.sequence = header.sequence.wrapping_add(self.below(5000) as u16),
            3 => header.timestamp = fresh.timestamp,
            _ => {}
        }
        header.sequence = header.sequence.wrapping_add(1);
        header.timestamp = header.timestamp.wrapping_add(160);
        self.headers.insert(session.0, header);
        let codecs = if self.all_codecs { [8, 9, 96] } else { [8, 8, 8] };
        let payload_type = [0, codecs[0], codecs[1], codecs[2], 13, EVENTS, EVENTS, 77];
        header.payload_type = payload_type[self.below(8) as usize];
        header.timestamp = header.timestamp.wrapping_add(if header.payload_type == 96 { 800 } else { 0 });
        self.headers.insert(session.0, header);
        let mut bytes = header.write().to_vec();
        if header.payload_type == EVENTS {
            let event = Event {
                code: self.below(18) as u8,
                end: self.below(3) == 0,
                volume: 10,
                duration: self.below(65_536) as u16,
            };
            bytes.extend_from_slice(&event.write());
        } else {
            let length = [0, 80, 160, 160, 160, 240, 1000][self.below(7) as usize];
            bytes.extend((0..length as u32).map(|place| key_of(header.timestamp.wrapping_add(place))));
        }
        self.harm(bytes)
    }

    /// One change in thirty.
    fn harm(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        match self.below(30) {
            0 => bytes.truncate(self.below(20) as usize),
            1 => {
                let place = self.below(bytes.len() as u32) as usize;
                bytes[place] = self.below(256) as u8;
            }
            2 => bytes = (0..self.below(100)).map(|_| self.below(256) as u8).collect(),
            _ => {}
        }
        bytes
    }

    fn control(&mut self) -> Vec<u8> {
        let mut bytes = vec![0x81, 201, 0, 7];
        bytes.extend((0..28).map(|_| self.below(256) as u8));
        self.harm(bytes)
    }
}

/// Sequences of one stream: each once, none left out but for what a peer lost, timestamps in their order.
fn assert_stream(sent: &[Sent]) {
    let first = sent[0].header();
    let mut seen: BTreeMap<i64, Header> = BTreeMap::new();
    let mut highest = 0i64;
    for sent in sent {
        let header = sent.header();
        assert_eq!(header.ssrc, first.ssrc, "one SSRC");
        let from_highest =
            header.sequence.wrapping_sub(first.sequence.wrapping_add(highest as u16)).cast_signed();
        let place = highest + i64::from(from_highest);
        assert!(from_highest > -64 && from_highest <= 50, "{from_highest} from the highest");
        assert!(seen.insert(place, header).is_none(), "each sequence number once");
        highest = highest.max(place);
    }
    let headers: Vec<_> = seen.values().collect();
    for pair in headers.windows(2) {
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp).cast_signed();
        assert!(step >= 0, "{pair:?}");
    }
}

#[test]
fn whatever_comes_each_stream_that_goes_out_is_one() {
    let total = (0..240).map(|seed| chaotic(Chaos::new(seed), 4000)).sum::<usize>();
    assert!(total > 50_000, "{total} packets prove little");
}

#[test]
fn nor_does_it_matter_which_codecs_they_agreed_to() {
    let chaos = |seed| Chaos { all_codecs: true, ..Chaos::new(seed) };
    let total = (0..60).map(|seed| chaotic(chaos(seed), 2000)).sum::<usize>();
    assert!(total > 10_000, "{total} packets prove little");
}

/// Has so many things happen; says how many packets were sent.
fn chaotic(mut chaos: Chaos, happenings: usize) -> usize {
    let mut world = World::new();
    for session in (1..=SESSIONS).map(SessionId) {
        let media = chaos.media(session);
        world.command(Command::Open { session, port: port(session), media });
        world.command(Command::Bridge { first: session, second: SessionId(1 + session.0 % SESSIONS) });
    }
    let mut streams: BTreeMap<(Port, u32), Vec<Sent>> = BTreeMap::new();
    for _ in 0..happenings {
        match chaos.below(12) {
            0 if chaos.below(4) == 0 => {
                let command = chaos.command();
                world.command(command);
                let (first, second) = (chaos.session(), chaos.session());
                world.command(Command::Bridge { first, second });
            }
            0 => {
                let session = chaos.session();
                let (from, bytes) = (chaos.address(session), chaos.control());
                world.control(session, from, &bytes);
            }
            1 | 2 => world.run(u64::from(chaos.below(40))),
            _ => {
                let session = chaos.session();
                let (from, bytes) = (chaos.address(session), chaos.packet(session));
                world.packet(session, from, &bytes);
            }
        }
    }
    for sent in world.wire.sent.drain(..) {
        assert!(sent.to.port() >= 1024);
        assert!(sent.bytes.len() <= 1472);
        streams.entry((sent.port, sent.header().ssrc)).or_default().push(sent);
    }
    for sent in &world.wire.controls {
        Compound::parse(&sent.bytes).unwrap();
    }
    streams.values().for_each(|sent| assert_stream(sent));
    streams.values().map(Vec::len).sum()
}

#[test]
fn without_loss_sequences_go_up_by_one_through_plays_presses_and_peers() {
    for seed in 0..20 {
        let mut random = Chaos::new(1000 + seed);
        let mut world = World::bridged(Codec::Pcmu);
        let mut caller = crate::world::Phone::caller();
        for _ in 0..100 {
            match random.below(6) {
                0 => world.play(crate::world::CALLEE, &[1 + random.below(3) as u16], random.below(2) == 0),
                1 => world.command(Command::Stop { session: crate::world::CALLEE }),
                2 => caller.press(&mut world, random.below(16) as u8, 2 + random.below(10) as u16),
                3 => world.run(u64::from(random.below(400))),
                _ => caller.talk(&mut world, 1 + random.below(20) as usize),
            }
        }
        assert_one_stream(&world.take_sent(crate::world::CALLEE));
    }
}
