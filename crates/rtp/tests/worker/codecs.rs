//! A tone from every codec to every other, in packets of every length: it is the same tone, and nothing clicks.

use std::f64::consts::TAU;

use clock::Instant;
use rtp::codec::{g722, opus};
use rtp::{Codec, Command, Format, Header, Media, OpusWishes, SessionId, g711};

use crate::world::{
    CALLEE, CALLER, Phone, Sent, World, assert_one_stream, callee_address, caller_address, media,
    payload_type,
};

pub(crate) const PTIMES: [u8; 5] = [10, 20, 30, 40, 60];

/// One that agreed on this codec alone.
pub(crate) fn only(codec: Codec, ptime: u8) -> Format {
    let agreed = (codec, payload_type(codec));
    let receive = [Some(agreed), None, None, None];
    Format { send: agreed, receive, ptime, ..crate::world::format(Codec::Pcma) }
}

/// What a phone sends and hears in any codec.
pub(crate) struct Talker {
    pub(crate) phone: Phone,
    pub(crate) codec: Codec,
    pub(crate) ptime: u8,
    g722: g722::Encoder,
    opus: opus::Encoder,
    /// Samples said so far.
    pub(crate) said: u64,
}

impl Talker {
    pub(crate) fn new(session: SessionId, codec: Codec, ptime: u8) -> Self {
        let address = if session == CALLER { caller_address() } else { callee_address() };
        let header = Header {
            marker: false,
            payload_type: payload_type(codec),
            sequence: 65_530,
            timestamp: u32::MAX - 5000,
            ssrc: 0xCA11_0000 + session.0,
        };
        let phone = Phone { session, address, header, law: codec };
        let opus = opus::Encoder::new(OpusWishes { correction: true, ..OpusWishes::default() }).unwrap();
        Self { phone, codec, ptime, g722: g722::Encoder::default(), opus, said: 0 }
    }

    fn rate(&self) -> u64 {
        if self.codec.law().is_some() { 8000 } else { 16_000 }
    }

    /// The payload of the next packet of something.
    pub(crate) fn payload(&mut self, sound: impl Fn(f64) -> f64) -> Vec<u8> {
        let count = u64::from(self.ptime) * self.rate() / 1000;
        let samples: Vec<i16> =
            (self.said..self.said + count).map(|n| sound(n as f64 / self.rate() as f64) as i16).collect();
        self.said += count;
        self.encode(&samples)
    }

    fn encode(&mut self, samples: &[i16]) -> Vec<u8> {
        let mut octets = vec![0; 480];
        let length = match (self.codec.law(), self.codec) {
            (Some(law), _) => return samples.iter().map(|sample| g711::encode(law, *sample)).collect(),
            (None, Codec::G722) => {
                self.g722.encode(samples, &mut octets);
                samples.len() / 2
            }
            (None, _) => self.opus.encode(samples, &mut octets).unwrap_or(0),
        };
        octets.truncate(length);
        octets
    }

    /// Timestamps in a packet.
    pub(crate) fn step(&self) -> u32 {
        u32::from(self.ptime) * self.codec.clock_rate().hertz() / 1000
    }

    /// It passes without being sent.
    pub(crate) fn withhold(&mut self) {
        self.phone.header.sequence = self.phone.header.sequence.wrapping_add(1);
        self.phone.header.timestamp = self.phone.header.timestamp.wrapping_add(self.step());
    }

    pub(crate) fn send(&mut self, world: &mut World, payload: &[u8]) {
        self.phone.send(world, payload);
        self.phone.header.timestamp = self.phone.header.timestamp.wrapping_add(self.step());
    }
}

/// What someone hears of packets in a codec, and how often it is sampled.
pub(crate) fn heard(codec: Codec, sent: &[Sent]) -> (f64, Vec<i16>) {
    let (mut g722, mut opus) = (g722::Decoder::default(), opus::Decoder::new().unwrap());
    let mut samples = Vec::new();
    for sent in sent.iter().filter(|sent| sent.header().payload_type == payload_type(codec)) {
        let payload = sent.payload();
        let mut room = [0; 4 * opus::LONGEST];
        let count = match (codec.law(), codec) {
            (Some(law), _) => {
                for (sample, octet) in room.iter_mut().zip(payload) {
                    *sample = g711::decode(law, *octet);
                }
                payload.len()
            }
            (None, Codec::G722) => {
                g722.decode(payload, &mut room);
                2 * payload.len()
            }
            (None, _) => opus.decode(payload, &mut room),
        };
        samples.extend_from_slice(&room[..count]);
    }
    (if codec.law().is_some() { 8000.0 } else { 16_000.0 }, samples)
}

/// A tone as it is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tone {
    pub(crate) hertz: f64,
    pub(crate) amplitude: f64,
    /// How far the loudest sample that is not of it lies from it.
    pub(crate) worst: f64,
    /// How much louder it is than all that is not of it, in decibels.
    pub(crate) clean: f64,
}

/// Measures a tone near a frequency.
pub(crate) fn measure(rate: f64, samples: &[i16], near: f64) -> Tone {
    let turn = |hertz: f64| {
        let (mut cosine, mut sine) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let angle = TAU * hertz * n as f64 / rate;
            cosine += f64::from(*sample) * angle.cos();
            sine += f64::from(*sample) * angle.sin();
        }
        let scale = 2.0 / samples.len() as f64;
        (cosine * scale, sine * scale)
    };
    let power = |hertz: f64| {
        let (cosine, sine) = turn(hertz);
        cosine * cosine + sine * sine
    };
    let mut hertz = near;
    for step in [1.0, 0.2, 0.04] {
        let around = (-8..=8).map(|place| hertz + step * f64::from(place));
        hertz = around.max_by(|one, other| power(*one).total_cmp(&power(*other))).unwrap();
    }
    let (cosine, sine) = turn(hertz);
    let rest = samples.iter().enumerate().map(|(n, sample)| {
        let angle = TAU * hertz * n as f64 / rate;
        f64::from(*sample) - cosine * angle.cos() - sine * angle.sin()
    });
    let rest: Vec<f64> = rest.collect();
    let amplitude = cosine.hypot(sine);
    let noise = rest.iter().map(|rest| rest * rest).sum::<f64>() / rest.len() as f64;
    Tone {
        hertz,
        amplitude,
        worst: rest.iter().fold(0.0, |worst: f64, rest| worst.max(rest.abs())),
        clean: 10.0 * (amplitude * amplitude / 2.0 / noise.max(0.01)).log10(),
    }
}

pub(crate) const HERTZ: f64 = 1004.0;
pub(crate) const AMPLITUDE: f64 = 8000.0;

pub(crate) fn tone(time: f64) -> f64 {
    AMPLITUDE * (TAU * HERTZ * time).sin()
}

/// Two who are bridged, each with their codec and the length of packets they ask for.
pub(crate) fn between(caller: Format, callee: Format) -> World {
    let mut world = World::new();
    world.open(CALLER, Media { format: caller, ..media(caller_address(), Codec::Pcma) });
    world.open(CALLEE, Media { format: callee, ..media(callee_address(), Codec::Pcma) });
    world.command(Command::Bridge { first: CALLER, second: CALLEE });
    world
}

/// The caller says a tone for two seconds, and the callee hears what it hears.
fn through(from: Codec, sends: u8, to: Codec, ptime: u8) -> (World, Vec<Sent>) {
    let mut world = between(only(from, ptime), only(to, ptime));
    let mut talker = Talker::new(CALLER, from, sends);
    for _ in 0..2400 / u32::from(sends) {
        let payload = talker.payload(tone);
        talker.send(&mut world, &payload);
        world.run(sends.into());
    }
    let sent = world.take_sent(CALLEE);
    (world, sent)
}

/// How long a packet of a codec is, in milliseconds.
fn length(codec: Codec, sent: &Sent) -> u32 {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => sent.payload().len() as u32 / 8,
        Codec::Opus => opus::length(sent.payload()) / 48,
    }
}

fn is_right(codec: Codec, tone: Tone, what: &str) {
    assert!((tone.hertz - HERTZ).abs() < 0.5, "{what}: {tone:?}");
    let louder = 20.0 * (tone.amplitude / AMPLITUDE).log10();
    assert!(louder.abs() < 1.0, "{what}: {louder} dB, {tone:?}");
    let (worst, clean) = if codec == Codec::Opus { (0.08, 28.0) } else { (0.06, 30.0) };
    assert!(tone.worst < worst * AMPLITUDE && tone.clean > clean, "{what}: {tone:?}");
}

#[test]
fn a_tone_is_the_same_through_every_pair_of_codecs_and_every_length_of_packets() {
    for from in Codec::ALL {
        for to in Codec::ALL {
            for ptime in PTIMES {
                let what = format!("{from:?} to {to:?} in {ptime} ms");
                let (_, sent) = through(from, 20, to, ptime);
                assert_one_stream(&sent);
                assert!(sent[0].header().marker && sent[1..].iter().all(|sent| !sent.header().marker));
                let passes = from == to || (from.law().is_some() && to.law().is_some());
                // Opus has no frames of 30 ms: two of three are made.
                let expected = match (passes, to, ptime) {
                    (true, _, _) | (false, Codec::Opus, 30) => 20,
                    (false, _, ptime) => u32::from(ptime),
                };
                assert!(sent.iter().all(|sent| length(to, sent) == expected), "{what}");
                let step = expected * to.clock_rate().hertz() / 1000;
                for pair in sent.windows(2) {
                    let by = pair[1].header().timestamp.wrapping_sub(pair[0].header().timestamp);
                    assert_eq!(by, step, "{what}");
                }
                let (rate, samples) = heard(to, &sent);
                assert!(samples.len() as f64 / rate > 2.3, "{what}");
                let settled = &samples[(rate * 0.3) as usize..];
                let worse = if from == Codec::Opus { from } else { to };
                is_right(worse, measure(rate, settled, HERTZ), &what);
            }
        }
    }
}

#[test]
fn packets_of_every_length_are_understood() {
    for from in Codec::ALL {
        for sends in PTIMES.into_iter().filter(|sends| from != Codec::Opus || *sends != 30) {
            let to = if from == Codec::G722 { Codec::Pcma } else { Codec::G722 };
            let (_, sent) = through(from, sends, to, 20);
            let what = format!("{from:?} in {sends} ms to {to:?}");
            assert_one_stream(&sent);
            assert!(sent.iter().all(|sent| length(to, sent) == 20), "{what}");
            let (rate, samples) = heard(to, &sent);
            let worse = if from == Codec::Opus { from } else { to };
            is_right(worse, measure(rate, &samples[(rate * 0.3) as usize..], HERTZ), &what);
        }
    }
}

/// A packet longer than they forbid is cut, in whatever codec; one that is not passes as it is.
#[test]
fn only_what_is_longer_than_they_take_is_cut() {
    for codec in Codec::ALL {
        let mut callee = only(codec, 20);
        callee.longest = Some(20);
        let mut world = between(only(codec, 20), callee);
        let mut talker = Talker::new(CALLER, codec, 60);
        let mut payloads = Vec::new();
        for _ in 0..30 {
            payloads.push(talker.payload(tone));
            talker.send(&mut world, payloads.last().unwrap());
            world.run(60);
        }
        let sent = world.take_sent(CALLEE);
        assert_eq!(sent.len(), 90, "{codec:?}");
        assert_one_stream(&sent);
        assert!(sent.iter().all(|sent| length(codec, sent) == 20));
        if codec.law().is_some() {
            let octets: Vec<u8> = sent.iter().flat_map(|sent| sent.payload()).copied().collect();
            assert_eq!(octets, payloads.concat(), "not an octet is another");
        }
        let mut talker = Talker { ptime: 10, ..talker };
        let payload = talker.payload(tone);
        talker.send(&mut world, &payload);
        assert_eq!(world.take_sent(CALLEE)[0].payload(), payload, "{codec:?}");
    }
}

/// What both agreed to passes as it is, also where each of them likes another codec best.
#[test]
fn what_both_share_passes_as_it_is() {
    let (g722, pcma) = ((Codec::G722, 9), (Codec::Pcma, 8));
    let mut caller = only(Codec::G722, 20);
    caller.receive[1] = Some(pcma);
    caller.also[0] = Some(pcma);
    let mut world = between(caller, only(Codec::Pcma, 20));
    let mut callee = Talker::new(CALLEE, Codec::Pcma, 20);
    let payload = callee.payload(tone);
    callee.send(&mut world, &payload);
    let sent = world.take_sent(CALLER);
    assert_eq!((sent[0].header().payload_type, sent[0].payload()), (pcma.1, &payload[..]));
    // They go on in the codec they like: the callee, who has the other one alone, hears it in that.
    let mut caller = Talker::new(CALLER, Codec::G722, 20);
    let payload = caller.payload(tone);
    caller.send(&mut world, &payload);
    assert_eq!(world.take_sent(CALLEE)[0].header().payload_type, pcma.1);
    // Timestamps do not change their pace within a stream.
    let mut caller = only(Codec::Opus, 20);
    (caller.receive[1], caller.also[0]) = (Some(g722), Some(g722));
    let mut world = between(caller, only(Codec::G722, 20));
    let mut callee = Talker::new(CALLEE, Codec::G722, 20);
    for _ in 0..3 {
        let payload = callee.payload(tone);
        callee.send(&mut world, &payload);
    }
    let sent = world.take_sent(CALLER);
    assert!(sent.len() == 3 && sent.iter().all(|sent| sent.header().payload_type == 96));
}

/// More than one in ten is lost, two of them in a row, some overtake others, and all come early or late.
#[test]
fn what_a_network_loses_and_mixes_up_is_made_up_for() {
    for from in Codec::ALL {
        for to in Codec::ALL.into_iter().filter(|to| to.law().is_none() || from.law().is_none()) {
            if from == to {
                continue;
            }
            let what = format!("{from:?} to {to:?}");
            let mut world = between(only(from, 20), only(to, 20));
            let mut talker = Talker::new(CALLER, from, 20);
            let mut held: Option<Vec<u8>> = None;
            for n in 0..200_u32 {
                let payload = talker.payload(tone);
                let late = u64::from(n * 7 % 13);
                world.run(late);
                match n % 20 {
                    7 | 8 | 13 => talker.withhold(),
                    16 => {
                        held = Some(payload);
                        talker.withhold();
                    }
                    _ => talker.send(&mut world, &payload),
                }
                if let Some(overtaken) = held.take_if(|_| n % 20 == 17) {
                    let header = talker.phone.header;
                    talker.phone.header.sequence = header.sequence.wrapping_sub(2);
                    talker.phone.header.timestamp = header.timestamp.wrapping_sub(2 * talker.step());
                    talker.phone.send(&mut world, &overtaken);
                    talker.phone.header = header;
                }
                world.run(20 - late);
            }
            let sent = world.take_sent(CALLEE);
            assert_one_stream(&sent);
            assert_eq!(sent.len(), 200, "{what}: nothing is missing and nothing is twice");
            let step = to.clock_rate().hertz() / 50;
            for pair in sent.windows(2) {
                assert_eq!(
                    pair[1].header().timestamp.wrapping_sub(pair[0].header().timestamp),
                    step,
                    "{what}"
                );
            }
            let (rate, samples) = heard(to, &sent);
            let heard = measure(rate, &samples[(rate * 0.3) as usize..], HERTZ);
            assert!((heard.hertz - HERTZ).abs() < 0.5, "{what}: {heard:?}");
            assert!((20.0 * (heard.amplitude / AMPLITUDE).log10()).abs() < 1.5, "{what}: {heard:?}");
            assert!(heard.clean > 8.0, "{what}: {heard:?}");
            assert!(steepest(&samples) <= 1.6 * steepest_of_the_tone(rate), "{what}: {}", steepest(&samples));
        }
    }
}

/// The largest step from one sample to the next: a click is one.
pub(crate) fn steepest(samples: &[i16]) -> f64 {
    samples.windows(2).fold(0.0, |most: f64, pair| most.max((f64::from(pair[1]) - f64::from(pair[0])).abs()))
}

pub(crate) fn steepest_of_the_tone(rate: f64) -> f64 {
    TAU * HERTZ / rate * AMPLITUDE
}

/// A new description in the middle of a call: the stream goes on in the other codec.
#[test]
fn the_stream_goes_on_when_another_codec_is_agreed() {
    for (before, after) in
        [(Codec::Pcma, Codec::Opus), (Codec::Opus, Codec::Pcma), (Codec::G722, Codec::Opus)]
    {
        let mut world = between(only(Codec::Pcma, 20), only(before, 20));
        let mut caller = Talker::new(CALLER, Codec::Pcma, 20);
        let mut say = |world: &mut World| {
            for _ in 0..50 {
                let payload = caller.payload(tone);
                caller.send(world, &payload);
                world.run(20);
            }
        };
        say(&mut world);
        let was = world.take_sent(CALLEE);
        let agreed = Media { format: only(after, 20), ..media(callee_address(), Codec::Pcma) };
        world.command(Command::Update { session: CALLEE, media: agreed });
        say(&mut world);
        let is = world.take_sent(CALLEE);
        assert_one_stream(&[&was[..], &is[..]].concat());
        let (rate, samples) = heard(after, &is);
        is_right(Codec::Opus, measure(rate, &samples[(rate * 0.3) as usize..], HERTZ), &format!("{after:?}"));
    }
}

/// Since when something is heard, in milliseconds of what is heard.
pub(crate) fn begins(rate: f64, samples: &[i16], level: i16) -> f64 {
    samples.iter().position(|sample| sample.abs() > level).map_or(f64::MAX, |n| n as f64 * 1000.0 / rate)
}

#[test]
fn prompts_are_heard_in_whatever_was_agreed() {
    for codec in [Codec::G722, Codec::Opus] {
        for ptime in PTIMES {
            let mut world = World::new();
            world.open(CALLER, Media { format: only(codec, ptime), ..media(caller_address(), Codec::Pcma) });
            world.play(CALLER, &[5, 9], false);
            world.run(2000);
            let sent = world.take_sent(CALLER);
            assert_one_stream(&sent);
            let (rate, samples) = heard(codec, &sent);
            let seconds = samples.len() as f64 / rate;
            assert!((1.4..1.47).contains(&seconds), "{codec:?} {ptime}: {seconds}");
            assert!(
                begins(rate, &samples, 2000) < 15.0,
                "{codec:?} {ptime}: {}",
                begins(rate, &samples, 2000)
            );
            let finished = world.wire.reports.iter().map(|(at, _)| *at).next();
            assert!(finished.is_some_and(|at| at < Instant(std::time::Duration::from_millis(1530))));
        }
    }
}
