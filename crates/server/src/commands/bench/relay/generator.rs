//! Both parties of every call: paced packets out, every packet that comes back looked at.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::histogram::Histogram;
use super::machine::{self, Cores};
use super::sockets::{Arrival, Batch, PACKET, Port, clock};

/// Between two packets of a leg.
const PACKET_TIME: Duration = Duration::from_millis(20);
/// A thread wakes so often: a network card that gathers interrupts does it about as often.
const QUANTUM: Duration = Duration::from_micros(100);
/// Packets sent before it is looked what came.
const AT_ONCE: u64 = 256;
/// What is learnt on the first packets, and what is settled after the first second, is so before anything is counted.
const WARM_UP: u32 = 75;
/// How long packets may be under way after the last.
const DRAIN: Duration = Duration::from_millis(300);
/// A packet sent so long after its moment is late.
const LATE: Duration = Duration::from_millis(5);
/// Sending may take so much longer than it should; what is not sent by then is not sent.
const OVERTIME: Duration = Duration::from_millis(500);
/// Ports of each thread: the room of all of them together lasts longer than a thread is kept waiting.
const PORTS: usize = 4;
/// A-law, 8000 samples a second (RFC 3551 §6).
const PAYLOAD_TYPE: u8 = 8;
const HEADER: usize = 12;
/// Octets of the payload that say which packet it is.
const STAMP: usize = 24;

/// What sends and receives, its ports bound.
pub(super) struct Generator {
    threads: Vec<Thread>,
}

/// When a thread sends what.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    began: Instant,
    rounds: u32,
    /// Tells packets of this run from those of another.
    run: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// Packets that were to be sent, those of the warm-up left out as everywhere here.
    pub(super) planned: u64,
    pub(super) sent: u64,
    /// Sent later than they should have been, by more than is unavoidable.
    pub(super) late: u64,
    /// Came through whole, at the right leg, for the first time.
    pub(super) received: u64,
    /// Came while packets were sent, those of the warm-up's end included: what the cost is divided by.
    pub(super) meanwhile: u64,
    /// Behind one that was sent later on the same leg, or a second time.
    pub(super) disordered: u64,
    /// Not as it was sent: header or payload.
    pub(super) spoilt: u64,
    /// At the wrong leg, or from the wrong port.
    pub(super) misled: u64,
    /// Dropped at the generator's own sockets.
    pub(super) dropped: u64,
    pub(super) delays: Histogram,
}

impl Outcome {
    fn merge(mut self, other: &Self) -> Self {
        self.planned += other.planned;
        self.sent += other.sent;
        self.late += other.late;
        self.received += other.received;
        self.meanwhile += other.meanwhile;
        self.disordered += other.disordered;
        self.spoilt += other.spoilt;
        self.misled += other.misled;
        self.dropped += other.dropped;
        self.delays.merge(&other.delays);
        self
    }

    /// The share of what was sent that did not come through, other than at the generator's own sockets.
    #[expect(clippy::cast_precision_loss, reason = "counts for people")]
    pub(super) fn loss(&self) -> f64 {
        self.sent.saturating_sub(self.received + self.dropped) as f64 / self.sent.max(1) as f64
    }

    /// Whether the generator, not what it measures, was the limit: it could not send, or not take what came.
    pub(super) fn is_generator_bound(&self) -> bool {
        let some = self.planned / 100;
        self.sent + some < self.planned || self.dropped > some / 5
    }

    /// Whether the generator was kept from sending in time.
    pub(super) fn is_late(&self) -> bool {
        self.late > self.planned / 100
    }
}

/// When to read the meters: as counting begins, and as sending ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Begin,
    End,
}

impl Generator {
    /// Takes ports and spreads legs over them, `threads` threads at most.
    pub(super) fn bind(first: Ipv4Addr, legs: u32, threads: u32, place: u16) -> io::Result<Self> {
        let calls = legs / 2;
        let threads = threads.min(calls).max(1);
        // Both legs of a call belong to one thread, so that no two threads look at one packet.
        let from = |thread: u32| (u64::from(calls) * u64::from(thread) / u64::from(threads)) as u32 * 2;
        let threads = (0..threads).map(|thread| {
            let ports = (0..PORTS).map(|_| Port::bind(place)).collect::<io::Result<Vec<_>>>()?;
            let here = (from(thread)..from(thread + 1)).map(|leg| (u32::from(first) + leg).into()).collect();
            Ok(Thread { first: from(thread), ports, here })
        });
        Ok(Self { threads: threads.collect::<io::Result<_>>()? })
    }

    /// Where each leg takes packets.
    pub(super) fn remotes(&self) -> Vec<SocketAddrV4> {
        self.threads.iter().flat_map(Thread::remotes).collect()
    }

    /// Sends packets of every leg to its target for so long, and takes what comes. `meter` is called on a thread of
    /// the generator, which may come before others.
    pub(super) fn run(
        &self,
        targets: &[SocketAddrV4],
        lasting: Duration,
        cores: &Cores,
        meter: &(dyn Fn(Moment) + Sync),
    ) -> Result<Outcome, String> {
        let rounds = WARM_UP + u32::try_from(lasting.as_millis() / PACKET_TIME.as_millis()).unwrap_or(0);
        let schedule = Schedule { began: Instant::now() + DRAIN, rounds, run: clock() };
        let outcome = Mutex::new(Ok(Outcome::default()));
        std::thread::scope(|scope| {
            for thread in &self.threads {
                let outcome = &outcome;
                scope.spawn(move || {
                    let result = cores.occupy().map(|()| {
                        let range = thread.first as usize..thread.first as usize + thread.here.len();
                        let meter = (thread.first == 0).then_some(meter);
                        Running::new(thread, &targets[range], schedule).run(meter)
                    });
                    let mut all = outcome.lock().expect("no thread panics with it");
                    let before = std::mem::replace(&mut *all, Ok(Outcome::default()));
                    *all = before.and_then(|before| result.map(|result| before.merge(&result)));
                });
            }
        });
        outcome.into_inner().expect("no thread panicked with it")
    }
}

/// What one thread has for itself.
struct Thread {
    /// Its first leg.
    first: u32,
    ports: Vec<Port>,
    /// The addresses of its legs.
    here: Vec<Ipv4Addr>,
}

impl Thread {
    /// The port of a leg, by its place: legs that follow each other share one, and so does a burst.
    fn port_of(&self, leg: usize) -> usize {
        leg / 2 * self.ports.len() / (self.here.len() / 2)
    }

    fn remotes(&self) -> impl Iterator<Item = SocketAddrV4> {
        let port = |leg: usize| self.ports[self.port_of(leg)].number();
        self.here.iter().enumerate().map(move |(leg, here)| SocketAddrV4::new(*here, port(leg)))
    }
}

/// What was seen of the packets that come to one leg.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    ssrc: Option<u32>,
    /// The number after the highest that came.
    next: u32,
}

struct Running<'a> {
    thread: &'a Thread,
    targets: &'a [SocketAddrV4],
    schedule: Schedule,
    heard: Vec<Heard>,
    outcome: Outcome,
    /// Whether what comes now is counted as coming meanwhile.
    metered: bool,
}

impl<'a> Running<'a> {
    fn new(thread: &'a Thread, targets: &'a [SocketAddrV4], schedule: Schedule) -> Self {
        let heard = vec![Heard::default(); targets.len()];
        Self { thread, targets, schedule, heard, outcome: Outcome::default(), metered: false }
    }

    fn run(mut self, meter: Option<&(dyn Fn(Moment) + Sync)>) -> Outcome {
        let read = |moment| meter.iter().for_each(|meter| meter(moment));
        let legs = self.targets.len() as u64;
        let warm = legs * u64::from(WARM_UP);
        let total = legs * u64::from(self.schedule.rounds);
        self.outcome.planned = total - warm;
        let ends = PACKET_TIME * self.schedule.rounds + OVERTIME;
        let [mut out, mut into] = [Batch::new(PORTS), Batch::new(PORTS)];
        let mut next = 0;
        let mut ended = None;
        loop {
            let now = self.now();
            if !self.metered && ended.is_none() && next >= warm {
                read(Moment::Begin);
                self.metered = true;
            }
            let bound = if next < warm { warm } else { total };
            let due = now.filter(|_| ended.is_none()).map_or(next, |now| due(now, legs).min(bound));
            // What comes is taken between what is sent, also by a generator that is behind.
            next = self.send(&mut out, next, due.min(next + AT_ONCE), warm);
            for (place, port) in self.thread.ports.iter().enumerate() {
                self.take(&mut into, port, place);
            }
            let now = now.unwrap_or_default();
            match ended {
                None if next == total || now > ends => {
                    read(Moment::End);
                    self.metered = false;
                    ended = Some(now);
                }
                Some(at) if now > at + DRAIN => return self.outcome,
                None | Some(_) => {}
            }
            if next >= due {
                machine::sleep(QUANTUM);
            }
        }
    }

    fn now(&self) -> Option<Duration> {
        Instant::now().checked_duration_since(self.schedule.began)
    }

    /// Sends packets from `next` on to before `due`; says the next one.
    fn send(&mut self, out: &mut Batch, mut next: u64, due: u64, warm: u64) -> u64 {
        let legs = self.targets.len() as u64;
        while next < due {
            let now = self.now().unwrap_or_default();
            let stamp = clock();
            let port = self.thread.port_of((next % legs) as usize);
            let began = next;
            while next < due && !out.is_full() && self.thread.port_of((next % legs) as usize) == port {
                let (leg, round) = ((next % legs) as usize, (next / legs) as u32);
                let packet = out.push(self.thread.here[leg], self.targets[leg]);
                write(packet, self.thread.first + leg as u32, round, stamp, self.schedule.run);
                next += 1;
            }
            let taken = out.send(&self.thread.ports[port]) as u64;
            if next > warm {
                self.outcome.sent += taken;
                let late = now.saturating_sub(moment(began, legs)) > LATE;
                self.outcome.late += if late { taken } else { 0 };
            }
        }
        next
    }

    fn take(&mut self, into: &mut Batch, port: &Port, place: usize) {
        let dropped = into.receive(port, place, |arrival| self.look(&arrival));
        self.outcome.dropped += u64::from(dropped);
    }

    fn look(&mut self, arrival: &Arrival<'_>) {
        let Some(stamp) = Stamp::read(arrival.bytes).filter(|stamp| stamp.run == self.schedule.run) else {
            // Not ours at all, unless it came from where ours come from.
            let spoilt = self.targets.contains(&arrival.from);
            self.outcome.spoilt += u64::from(spoilt);
            return;
        };
        // It was said by one leg and must be heard by the other of the same call.
        let sender = stamp.leg.wrapping_sub(self.thread.first) as usize;
        let leg = sender ^ 1;
        if self.thread.here.get(leg) != Some(&arrival.to) || self.targets[leg] != arrival.from {
            self.outcome.misled += 1;
            return;
        }
        let heard = &mut self.heard[leg];
        if !is_whole(arrival.bytes, &stamp, &mut heard.ssrc) {
            self.outcome.spoilt += 1;
            return;
        }
        self.outcome.meanwhile += u64::from(self.metered);
        if stamp.round < heard.next {
            self.outcome.disordered += 1;
            return;
        }
        heard.next = stamp.round + 1;
        if stamp.round >= WARM_UP {
            self.outcome.received += 1;
            self.outcome.delays.add(Duration::from_nanos(arrival.at.saturating_sub(stamp.at)));
        }
    }
}

/// How many packets are due by then: the legs take turns, all of them once in a packet's time.
fn due(now: Duration, legs: u64) -> u64 {
    let packets = now.as_nanos() * u128::from(legs) / PACKET_TIME.as_nanos();
    u64::try_from(packets).unwrap_or(u64::MAX).saturating_add(1)
}

/// When a packet is due.
fn moment(packet: u64, legs: u64) -> Duration {
    let nanos = u128::from(packet) * PACKET_TIME.as_nanos() / u128::from(legs);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// What a payload begins with.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    run: u64,
    leg: u32,
    round: u32,
    at: u64,
}

impl Stamp {
    fn read(packet: &[u8]) -> Option<Self> {
        let (run, rest) = packet.get(HEADER..)?.split_first_chunk()?;
        let (leg, rest) = rest.split_first_chunk()?;
        let (round, rest) = rest.split_first_chunk()?;
        let (at, _) = rest.split_first_chunk()?;
        Some(Self {
            run: u64::from_be_bytes(*run),
            leg: u32::from_be_bytes(*leg),
            round: u32::from_be_bytes(*round),
            at: u64::from_be_bytes(*at),
        })
    }
}

fn write(packet: &mut [u8; PACKET], leg: u32, round: u32, at: u64, run: u64) {
    let header = rtp::Header {
        marker: round == 0,
        payload_type: PAYLOAD_TYPE,
        sequence: round as u16,
        timestamp: round.wrapping_mul(160),
        ssrc: leg + 1,
    };
    packet[..HEADER].copy_from_slice(&header.write());
    packet[HEADER..HEADER + 8].copy_from_slice(&run.to_be_bytes());
    packet[HEADER + 8..HEADER + 12].copy_from_slice(&leg.to_be_bytes());
    packet[HEADER + 12..HEADER + 16].copy_from_slice(&round.to_be_bytes());
    packet[HEADER + 16..HEADER + STAMP].copy_from_slice(&at.to_be_bytes());
    packet[HEADER + STAMP..].copy_from_slice(voice(leg, round));
}

/// The rest of a payload: another in each packet of a leg for as long as two can meet.
fn voice(leg: u32, round: u32) -> &'static [u8] {
    const LENGTH: usize = PACKET - HEADER - STAMP;
    const VOICE: [u8; 256 + LENGTH] = {
        let mut octets = [0; 256 + LENGTH];
        let mut place = 0;
        while place < octets.len() {
            octets[place] = (place * place / 3 + place * 89) as u8;
            place += 1;
        }
        octets
    };
    static KEPT: [u8; 256 + LENGTH] = VOICE;
    let from = usize::from((leg.wrapping_mul(37).wrapping_add(round)) as u8);
    &KEPT[from..from + LENGTH]
}

/// Whether a packet is what was sent, as far as a relay may not change it, and of the stream that came before.
fn is_whole(packet: &[u8], stamp: &Stamp, ssrc: &mut Option<u32>) -> bool {
    let Some((header, payload)) = packet.split_first_chunk::<HEADER>() else { return false };
    let came = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    let plain = header[0] == 0x80 && header[1] & 0x7F == PAYLOAD_TYPE;
    plain && *ssrc.get_or_insert(came) == came && payload[STAMP..] == *voice(stamp.leg, stamp.round)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leg_has_its_turn_in_the_time_of_a_packet() {
        let legs = 7;
        for packet in 0..100 {
            let at = moment(packet, legs);
            assert!(due(at + Duration::from_nanos(1), legs) > packet, "{packet} is due at its moment");
            let before = at.checked_sub(Duration::from_nanos(1));
            assert!(before.is_none_or(|before| due(before, legs) <= packet), "{packet} is not due before");
        }
        assert_eq!(moment(70, legs), PACKET_TIME * 10);
    }

    #[test]
    fn a_packet_that_was_touched_is_seen_to_be() {
        let mut packet = [0; PACKET];
        write(&mut packet, 4, 300, 99, 1234);
        let stamp = Stamp::read(&packet).unwrap();
        assert_eq!(stamp, Stamp { run: 1234, leg: 4, round: 300, at: 99 });
        let mut ssrc = None;
        assert!(is_whole(&packet, &stamp, &mut ssrc));
        assert_eq!(ssrc, Some(5));
        // Sequence number, time and marker are the relay's own.
        for place in (0..HEADER).filter(|place| !(2..8).contains(place)).chain(HEADER + STAMP..PACKET) {
            let mut touched = packet;
            touched[place] ^= 1;
            assert!(!is_whole(&touched, &stamp, &mut ssrc), "octet {place}");
        }
        assert!(!is_whole(&packet[..PACKET - 1], &stamp, &mut ssrc), "shorter");
        assert!(!is_whole(&[&packet[..], &[0]].concat(), &stamp, &mut ssrc), "longer");
    }

    #[test]
    fn packets_sent_straight_to_the_other_leg_all_come() {
        let generator = Generator::bind(Ipv4Addr::new(127, 210, 0, 1), 6, 2, 300).unwrap();
        let remotes = generator.remotes();
        let targets: Vec<_> = (0..6).map(|leg| remotes[leg ^ 1]).collect();
        let moments = Mutex::new(Vec::new());
        let meter = |moment| moments.lock().unwrap().push(moment);
        let lasting = Duration::from_millis(200);
        let outcome = generator.run(&targets, lasting, &Cores::any(), &meter).unwrap();
        assert_eq!((outcome.planned, outcome.sent, outcome.received), (60, 60, 60));
        assert_eq!((outcome.spoilt, outcome.misled, outcome.disordered, outcome.dropped), (0, 0, 0, 0));
        assert!(outcome.delays.most() > Some(Duration::ZERO));
        assert!(outcome.meanwhile <= 6 * 35);
        assert_eq!(*moments.lock().unwrap(), [Moment::Begin, Moment::End]);
    }

    #[test]
    fn a_packet_at_the_wrong_leg_is_not_counted_as_received() {
        let generator = Generator::bind(Ipv4Addr::new(127, 211, 0, 1), 4, 1, 500).unwrap();
        let remotes = generator.remotes();
        // Crossed: each leg's packets go to the other call.
        let targets: Vec<_> = (0..4).map(|leg| remotes[(leg + 2) % 4]).collect();
        let outcome = generator.run(&targets, Duration::from_millis(100), &Cores::any(), &|_| {}).unwrap();
        assert_eq!(outcome.received, 0);
        assert!(outcome.misled >= outcome.sent, "those of the warm-up too: {outcome:?}");
    }

    #[test]
    fn the_generator_says_when_it_is_the_limit() {
        let good = Outcome { planned: 1000, sent: 1000, received: 500, ..Outcome::default() };
        assert!(!good.is_generator_bound());
        assert!((good.loss() - 0.5).abs() < 1e-9);
        let bad =
            [Outcome { sent: 900, ..good.clone() }, Outcome { dropped: 50, received: 450, ..good.clone() }];
        assert!(bad.iter().all(Outcome::is_generator_bound));
        assert!((bad[1].loss() - 0.5).abs() < 1e-9, "what it dropped itself is nobody's loss");
        assert!(!good.is_late() && Outcome { late: 100, ..good }.is_late());
    }
}
